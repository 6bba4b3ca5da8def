"""Build an assistant: read the entries, encode their questions, calibrate, and write one folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.calibration import calibrate
from cube_model.assistant.card import assistant_card
from cube_model.assistant.config import AssistantConfig
from cube_model.assistant.encoding import Encoding, joined_turns, open_core
from cube_model.assistant.entries import read_entries
from cube_model.assistant.folder import (
    ASSISTANT,
    CARD,
    CORE,
    ENCODER,
    copy_core,
    copy_encoder,
    copy_intents,
    restricted_parts,
)
from cube_model.assistant.questions import calibration_questions
from cube_model.assistant.retrieval import Segment, View
from cube_model.assistant.store import (
    CALIBRATION,
    FORMAT,
    MANIFEST,
    SEGMENTS,
    calibrated_of,
    write_segment,
    writers_locked_out,
)
from cube_model.assistant.topics import Topics
from cube_model.data.digest import digest_of
from cube_model.errors import ModelError
from cube_model.inference.search import EXACT_LIMIT
from cube_model.machine import versions
from cube_model.teacher.find import find_teacher
from cube_model.teacher.recorded import load_recorded
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache
from dataset_builders.common.files import needs_room
from dataset_builders.common.integrity import xxh3
from dataset_builders.common.outputs import Output, write_json

if TYPE_CHECKING:
    import os

    import pyarrow as pa


def build_assistant(
    config: AssistantConfig, out: str | os.PathLike[str], *, overwrite: bool = False, progress: bool = False
) -> Path:
    """Build an assistant.

    Args:
        config: What it answers from, and how.
        out: Folder to create.
        overwrite: Replace an earlier assistant.
        progress: Show a progress bar on the error stream.

    Returns:
        The folder.

    Raises:
        ModelError: There are no answers or too many, a part cannot be read, or the folder must not be replaced.
    """
    with Output(out, ASSISTANT, overwrite=overwrite).claimed() as output:
        rows = read_entries(config)
        if len(rows.index) > EXACT_LIMIT:
            raise ModelError(
                f"{len(rows.index):,} answers: an assistant compares a question with each of at most {EXACT_LIMIT:,}; "
                f"pass --max-answers {EXACT_LIMIT}, or fewer --sources"
            )
        encoding = _encoding(config, progress)
        vectors = encoding.questions(rows.index["question"].to_pylist(), rows.index["context"].to_pylist())
        answers = encoding.answers(rows.index["answer"].to_pylist())
        view = View([Segment.of(rows.index, vectors, answers)], np.ones(len(rows.index), bool))
        questions = calibration_questions(view, rows, encoding.questions, config.seed)
        calibration = calibrate(questions, config.max_refused, config.seed)
        topics = Topics.of(rows.index, vectors, config.seed)
        with needs_room(output.place, "build it again", ModelError):
            output.new.mkdir()
            manifest = _manifest(config, rows.index, encoding, output.new)
            manifest["segments"] = [write_segment(output.new, 1, rows.index, vectors, answers)]
            write_json(output.new / CALIBRATION, calibration.as_json())
            topics.save(output.new)
            card = assistant_card(manifest, rows.index, calibration, topics)
            (output.new / CARD).write_text(card, encoding="utf-8")
            manifest["files"] = _digests(output.new)
            write_json(output.new / MANIFEST, manifest)
            with writers_locked_out(output.place):
                return output.put()


def _encoding(config: AssistantConfig, progress: bool) -> Encoding:
    """The encoder and the core of a configuration, with a cache of the encoder's vectors."""
    core = None if config.core is None else open_core(config.core)
    if core is None:
        teacher = Teacher.load(config.encoder, config.dtype)
    else:  # with the settings of its training
        teacher = load_recorded(core.config.teacher or {}, config.encoder, what=f"core {config.core}", kind="encoder")
    cache = EmbeddingCache(vectors=config.vectors)
    joined = joined_turns(find_teacher(config.encoder, teacher.revision).folder)
    return Encoding(teacher, lambda texts: cache.embed(teacher, texts, progress=progress), joined, core)


def _manifest(config: AssistantConfig, table: pa.Table, encoding: Encoding, folder: Path) -> dict[str, Any]:
    names, teacher = ("id", "question", "answer"), encoding.teacher
    encoder = {**copy_encoder(config.encoder, teacher, folder), "joined_turns": encoding.joined}
    return {
        "format": FORMAT,
        "version": 1,
        "encoder": encoder,
        "core": None if encoding.core is None else copy_core(encoding.core, folder),
        "context_turns": encoding.context_turns,
        "labels": [] if config.intents is None else copy_intents(config.intents, teacher, folder),
        "restricted": restricted_parts(config, find_teacher(config.encoder, teacher.revision).folder),
        "options": _without_paths(config),
        "fingerprint": digest_of(*(table[name].to_pylist() for name in names)),
        "calibrated": calibrated_of({}),
        "versions": versions(),
    }


def _without_paths(config: AssistantConfig) -> dict[str, Any]:
    """The options, with local paths cut to their last part: they are published."""
    options = config.result_options()
    for name in ("data", "encoder", "core", "intents", "out_of_scope"):
        if options[name] and Path(options[name]).exists():
            options[name] = Path(options[name]).resolve().name
    options["own"] = [Path(path).name for path in options["own"] or []] or None
    return options


def _digests(folder: Path) -> dict[str, str]:
    """Digests of the files, without those of segments, encoder and core, which are verified otherwise."""
    verified = (SEGMENTS, ENCODER, CORE)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    return {name: xxh3(folder / name) for name in names if name.split("/")[0] not in verified and name != CARD}
