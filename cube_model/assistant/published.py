"""A copy of an assistant that holds nothing of what was removed, as it is published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.card import assistant_card
from cube_model.assistant.folder import (
    CARD,
    CORE,
    ENCODER,
    INTENTS,
    check_files,
    is_part,
    load_encoding,
    read_calibration,
)
from cube_model.assistant.store import CALIBRATION, MANIFEST, AnswerStore, calibrated_of, write_segment
from cube_model.assistant.topics import TOPICS, Topics
from cube_model.errors import ModelError
from dataset_builders.common.integrity import xxh3
from dataset_builders.common.outputs import write_json

if TYPE_CHECKING:
    import pyarrow as pa


def live_entries(folder: Path) -> tuple[pa.Table, dict[str, Any]]:
    """Return the entries of an assistant that were not removed, and its manifest.

    Raises:
        ModelError: The folder is no assistant, or is damaged.
    """
    store = AnswerStore(folder)
    view = store.view()
    return view.table.take(np.flatnonzero(view.alive)).combine_chunks(), store.manifest()


def _parts(folder: Path, manifest: dict[str, Any]) -> Iterator[Path]:
    """The files of the encoder and its modules, and those of core and intents that the build has written."""
    modules = {"", "encoder"}
    with suppress(OSError, ValueError, LookupError, TypeError):
        listed = json.loads((folder / ENCODER / "modules.json").read_text(encoding="utf-8"))
        modules.update(module["path"] for module in listed)
    built = manifest.get("files") or {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and is_part(path.relative_to(folder))):
        below = path.relative_to(folder)
        module = "/".join(below.parts[1:-1])
        is_core = bool(manifest.get("core")) and not module
        kept = {ENCODER: module in modules, CORE: is_core, INTENTS: below.as_posix() in built}
        if kept[below.parts[0]]:
            yield path


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
    check_files(folder, manifest)
    rows = np.flatnonzero(view.alive)
    table, vectors = view.table.take(rows).combine_chunks(), view.vectors(rows)
    target.mkdir(parents=True)
    for path in _parts(folder, manifest):
        below = path.relative_to(folder)
        (target / below).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / below)
    try:
        load_encoding(target, manifest, "cpu")
    except ModelError as error:
        raise ModelError(str(error).replace(str(target), str(folder))) from error
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
