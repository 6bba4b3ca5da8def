"""Add answers to an assistant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cube_model.assistant.entries import entries_of_files, entries_of_pairs
from cube_model.assistant.folder import check_files, load_encoding
from cube_model.assistant.store import AnswerStore
from cube_model.assistant.unanswered import answered_rows
from cube_model.errors import ModelError
from dataset_builders.common.errors import DataError
from dataset_builders.common.languages import check_language

if TYPE_CHECKING:
    import pyarrow as pa


def add_files(folder: Path, paths: Sequence[Path], language: str = "und") -> int:
    """Add the questions and answers of own files, or of a review that was filled in.

    Args:
        folder: Folder of the assistant.
        paths: Files, in every form that `dialogue-cube build --own` reads.
        language: BCP 47 tag of rows that name no language.

    Returns:
        Number of entries that were added; those that are there already stay as they are.

    Raises:
        ModelError: A file cannot be read, or the folder is no assistant.
    """
    import pyarrow as pa

    store = AnswerStore(folder)
    tables = []
    for path in paths:
        pairs = answered_rows(path) if path.is_file() else None
        tables.append(
            entries_of_files([path], language) if pairs is None else entries_of_pairs(pairs, language=language)
        )
    return _add(store, pa.concat_tables(tables))


def add_pair(folder: Path, question: str, answer: str, language: str = "und") -> int:
    """Add one question with its answer; returns 0 if it is there already.

    Raises:
        ModelError: One of them is empty, or the folder is no assistant.
    """
    return _add(AnswerStore(folder), entries_of_pairs([(question, answer)], language=language))


def _add(store: AnswerStore, table: pa.Table) -> int:
    for tag in set(table["language"].to_pylist()):
        try:
            check_language(tag)
        except DataError as error:
            raise ModelError(str(error)) from error
    manifest = store.manifest()
    check_files(store.folder, manifest)  # the calibration is made again afterwards
    encoding = load_encoding(store.folder, manifest)
    questions = encoding.questions(table["question"].to_pylist(), table["context"].to_pylist())
    return store.add(table, questions, encoding.answers(table["answer"].to_pylist()))
