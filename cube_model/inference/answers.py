"""The answers of a dataset that can be found: distinct texts, and where they come from.

>>> answers = read_answers("my-corpus", sources=["sgd"])
>>> answers.column_names
['text', 'source', 'license', 'redistributable']
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import split_names
from cube_model.data.pairs import NoPairsError, read_pairs_table

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {"positive": "text", "source": "source", "license": "license", "redistributable": "redistributable"}
"""Columns of the `pairs` config that are read, and what they are called here."""


def read_answers(
    data: str | os.PathLike[str],
    sources: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    max_answers: int | None = None,
) -> pa.Table:
    """Every distinct system answer to a user: of equal answers (but for case and punctuation) the first one.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        sources: Corpora to take them from; all when not given.
        splits: Splits to take them from; all when not given.
        max_answers: At most so many, a seeded choice.

    Returns:
        Table with the columns text, source, license (SPDX identifier) and redistributable (the row may be passed on).

    Raises:
        ModelError: No such dataset or source, or it has no answer.
    """
    import pyarrow as pa

    parts = []
    failed: NoPairsError | None = None
    names = ("answer_id", *COLUMNS, "anchor_speaker", "positive_speaker")
    for split in splits or split_names(data):
        try:
            table, rows = read_pairs_table(data, split, names, sources)
        except NoPairsError as error:  # a source need not be in every split
            failed = error
            continue
        parts.append(table.take(rows))
    if failed and not parts:
        raise failed
    table = pa.concat_tables(parts)
    keys = table["answer_id"].combine_chunks().dictionary_encode()
    _, first = np.unique(np.asarray(getattr(keys, "indices", keys)), return_index=True)
    first.sort()
    if max_answers is not None and max_answers < len(first):
        first = np.sort(np.random.default_rng(0).choice(first, size=max_answers, replace=False))
    chosen = table.select(list(COLUMNS)).rename_columns(list(COLUMNS.values())).take(first)
    return chosen.combine_chunks().replace_schema_metadata(None)


def answers_fingerprint(answers: pa.Table) -> str:
    """sha256 over all rows: equal for equal answers in equal order."""
    digest = hashlib.sha256()
    for name in answers.column_names:
        for value in answers[name].to_pylist():
            digest.update(f"{value}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def licenses_of(answers: pa.Table) -> dict[str, Any]:
    """What an index has to say of the rows that it quotes."""
    counts = answers["license"].value_counts().to_pylist()
    return {
        "redistributable": bool(np.all(answers["redistributable"].to_pylist())),
        "licenses": {str(entry["values"]): entry["counts"] for entry in counts},
        "sources": {str(entry["values"]): entry["counts"] for entry in answers["source"].value_counts().to_pylist()},
    }
