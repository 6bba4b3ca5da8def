"""Calibrate an assistant again after its answers have changed, without building it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.calibration import ANOTHER_QUESTION, HELD_OUT, MARKED, calibrate
from cube_model.assistant.card import assistant_card
from cube_model.assistant.config import AssistantConfig, CalibrateConfig
from cube_model.assistant.entries import EntryRows, out_of_scope_questions, read_entries, single_entries
from cube_model.assistant.folder import check_files, load_encoding, read_calibration
from cube_model.assistant.questions import calibration_questions
from cube_model.assistant.retrieval import Segment, View
from cube_model.assistant.store import AnswerStore, calibrated_of
from cube_model.assistant.topics import Topics
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

CHEAP = 1000
"""Answers up to which a FAQ is calibrated again whenever they change: a few seconds."""


def is_stale(manifest: dict[str, Any]) -> bool:
    """Return whether answers have changed since the calibration."""
    return bool(calibrated_of(manifest)["version"] != manifest["version"])


def calibrate_again(folder: Path, config: CalibrateConfig) -> None:
    """Calibrate an assistant for the answers that it has now.

    Args:
        folder: Folder of the assistant.
        config: Where the questions come from that its folder does not hold.

    Raises:
        ModelError: The folder is no assistant, its answers change meanwhile, or the questions are missing that it was
            calibrated on.
    """
    store = AnswerStore(folder)
    view, manifest = store.view(), store.manifest()
    check_files(folder, manifest)
    before = read_calibration(folder, view.calibrated)
    options = manifest.get("options") or {}
    held_out, marked = _questions_of_build(config, options, before.record["questions"], folder)
    rows = np.flatnonzero(view.alive)
    table = view.table.take(rows).combine_chunks()
    live = View([Segment.of(table, view.vectors(rows), view.answer_vectors(rows))], np.ones(len(rows), bool))
    encoding = load_encoding(folder, manifest)
    entries = EntryRows(table, table.slice(0, 0) if held_out is None else held_out, single_entries(table), marked)
    seed = int(options.get("seed") or 0)
    questions = calibration_questions(live, entries, encoding.questions, seed)
    max_refused = before.record["max_refused"] if config.max_refused is None else config.max_refused
    made = calibrate(questions, max_refused, seed)
    card = assistant_card(manifest, table, made, Topics.load(folder))
    store.put_calibration(made.as_json(), card, view.version)


def calibrate_if_cheap(folder: Path) -> bool:
    """Calibrate a small FAQ again, for which nothing but its own questions is needed; returns whether it is up to date.

    Raises:
        ModelError: See `calibrate_again`.
    """
    store = AnswerStore(folder)
    view, manifest = store.view(), store.manifest()
    check_files(folder, manifest)
    if not is_stale(manifest):
        return True
    kinds = set(read_calibration(folder, view.calibrated).record["questions"])
    if len(view) > CHEAP or kinds & {HELD_OUT, MARKED} or (kinds and ANOTHER_QUESTION not in kinds):
        return False
    calibrate_again(folder, CalibrateConfig())
    return True


def _questions_of_build(
    config: CalibrateConfig, options: dict[str, Any], kinds: dict[str, int], folder: Path
) -> tuple[pa.Table | None, list[str]]:
    """The questions that were held out, and those out of scope."""
    if config.data is None and HELD_OUT in kinds:
        raise ModelError(
            f"{folder}: it was calibrated on questions of its dataset, which it does not hold; pass --data"
        )
    if MARKED in kinds and config.out_of_scope is None and (options.get("out_of_scope") or config.data is None):
        raise ModelError(f"{folder}: it was calibrated on questions out of scope too; pass their file: --out-of-scope")
    if config.data is None:
        return None, [] if config.out_of_scope is None else out_of_scope_questions(config.out_of_scope)
    names = ("sources", "languages", "splits", "language")
    facts: dict[str, Any] = {name: options.get(name) for name in names if options.get(name) is not None}
    rows = read_entries(AssistantConfig(data=config.data, out_of_scope=config.out_of_scope, **facts))
    return rows.held_out, rows.out_of_scope
