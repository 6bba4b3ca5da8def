"""Indexes kept by fingerprint beside the cached embeddings, so that a second question to a large dataset takes seconds.

On 128,000 answers, mapping all of them through a core takes 7.6 s of processor time and reading their embeddings 0.8 s;
opening the index takes milliseconds, as its vectors are a memory map.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path

from cube_model.errors import ModelError
from cube_model.inference.choices import SearchKind
from cube_model.inference.index import AnswerIndex, is_index

logger = logging.getLogger(__name__)

SMALLEST = 10_000
"""Minimum number of answers of an index to keep: fewer are mapped within a second."""

MOST = 3
"""Maximum number of indexes; the least recently used ones are deleted. One of 128,000 answers takes 210 MB."""


def load_cached(folder: Path, fingerprints: dict[str, str], search: SearchKind) -> AnswerIndex | None:
    """Open the index that was made from a core, a teacher and a dataset, if it is there.

    Args:
        folder: Folder of the indexes; see `cube_model.vectors.cache.indexes_folder`.
        fingerprints: Fingerprints of the `"core"`, `"teacher"` and `"data"`.
        search: `"auto"`, `"exact"` or `"graph"`.
    """
    place = place_of(folder, fingerprints, search)
    if not is_index(place):
        return None
    try:
        index = AnswerIndex.load(place, fingerprints, search=search)
        os.utime(place)
    except (ModelError, OSError) as error:
        logger.warning("%s; it is made again", error)
        shutil.rmtree(place, ignore_errors=True)
        return None
    return index


def keep(folder: Path, index: AnswerIndex, search: SearchKind) -> None:
    """Save an index for the next time; a disk without room costs nothing but that time."""
    if len(index.answers) < SMALLEST:
        return
    place = place_of(folder, index.fingerprints, search)
    try:
        index.save(place, overwrite=True)
    except ModelError as error:
        logger.warning("the index is not kept: %s", error)
        return
    forget_oldest(folder)


def forget_oldest(folder: Path) -> None:
    """Delete all indexes but the `MOST` that were used last."""
    indexes = sorted((path for path in folder.iterdir() if is_index(path)), key=lambda path: path.stat().st_mtime)
    for old in indexes[:-MOST]:
        shutil.rmtree(old, ignore_errors=True)


def place_of(folder: Path, fingerprints: dict[str, str], search: SearchKind) -> Path:
    """Return the folder of an index among the kept ones; see `load_cached`."""
    key = hashlib.sha256(json.dumps([fingerprints, search], sort_keys=True).encode()).hexdigest()
    return folder / key[:16]
