"""A copy of an assistant that holds nothing of what was removed, as it is published."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.card import assistant_card
from cube_model.assistant.folder import CARD, CORE, ENCODER, INTENTS, is_part, read_calibration
from cube_model.assistant.store import CALIBRATION, MANIFEST, AnswerStore, calibrated_of, write_segment
from cube_model.assistant.topics import TOPICS, Topics
from cube_model.errors import ModelError
from dataset_builders.common.integrity import find_damage, xxh3
from dataset_builders.common.outputs import write_json

if TYPE_CHECKING:
    import pyarrow as pa

_ADVICE = "build it again with `dialogue-cube assistant build`"


def live_entries(folder: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the entries of an assistant that were not removed, and its manifest.

    Raises:
        ModelError: The folder is no assistant, or is damaged.
    """
    store = AnswerStore(folder)
    view = store.view()
    return view.table.take(np.flatnonzero(view.alive)).combine_chunks(), store.manifest()


def write_published(folder: Path, target: Path, repo: str) -> str:
    """Write a copy with one segment of the entries that were not removed, from which topics and card are made anew.

    Files that no build writes are left out.

    Args:
        folder: Folder of the assistant.
        target: Folder to create.
        repo: Repository that the card names.

    Returns:
        Text of the card.

    Raises:
        ModelError: The folder is no assistant, or is damaged.
    """
    store = AnswerStore(folder)
    view, manifest = store.view(), store.manifest()
    if damage := find_damage(folder, manifest.get("files") or {}, xxh3):
        raise ModelError(f"{folder / damage[0]}: {damage[1]} since the assistant was built; {_ADVICE}")
    rows = np.flatnonzero(view.alive)
    table, vectors = view.table.take(rows).combine_chunks(), view.vectors(rows)
    target.mkdir(parents=True)
    for name in (ENCODER, CORE, INTENTS):
        for path in sorted((folder / name).rglob("*")) if (folder / name).is_dir() else ():
            below = path.relative_to(folder)
            if is_part(below) and path.is_file():
                (target / below).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / below)
    calibrated = calibrated_of(manifest)
    shutil.copyfile(folder / calibrated["file"], target / CALIBRATION)
    topics = Topics.of(table, vectors, int((manifest.get("options") or {}).get("seed") or 0))
    topics.save(target)
    calibration = read_calibration(folder, calibrated)
    card = assistant_card(manifest, table, calibration, topics, repo)
    (target / CARD).write_text(card, encoding="utf-8")
    manifest["segments"] = [write_segment(target, int(manifest["version"]), table, vectors, view.answer_vectors(rows))]
    manifest["calibrated"] = {**calibrated, "file": CALIBRATION}
    digests = {name: digest for name, digest in (manifest.get("files") or {}).items() if name != calibrated["file"]}
    manifest["files"] = digests | {name: xxh3(target / name) for name in (CALIBRATION, TOPICS)}
    write_json(target / MANIFEST, manifest)
    return card
