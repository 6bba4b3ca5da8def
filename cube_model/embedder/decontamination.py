"""Keeps the texts of a benchmark out of the training."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.embedder.positives.group import PairGroup
from cube_model.errors import ModelError
from dataset_builders.common.reading import regular


def benchmark_texts(files: Sequence[str]) -> frozenset[str]:
    """Read all texts of files, as `spelling` gives them.

    Args:
        files: JSON files, whose strings at any depth are read, or text files with one text per line.

    Raises:
        ModelError: A file cannot be read, or has no text.
    """
    texts: set[str] = set()
    for file in files:
        try:
            content = regular(Path(file).expanduser()).read_text(encoding="utf-8")
            is_json = Path(file).suffix == ".json"
            spellings = set(map(spelling, _strings(json.loads(content)) if is_json else content.splitlines()))
        except (OSError, ValueError, RecursionError) as error:
            message = f"{file}: cannot read the texts of a benchmark: {error}; expected JSON or a text a line"
            raise ModelError(message) from error
        spellings.discard("")
        if not spellings:
            raise ModelError(f"{file}: no text in it; expected JSON or a text a line")
        texts |= spellings
    return frozenset(texts)


def without_texts(group: PairGroup, texts: frozenset[str]) -> PairGroup:
    """Return the pairs without those whose anchor or positive is one of the texts, in any spelling."""
    sides = zip(group.anchors, group.positives, strict=True)
    keep = [spelling(anchor) not in texts and spelling(positive) not in texts for anchor, positive in sides]
    return group if all(keep) else group.select(np.flatnonzero(keep))


def spelling(text: str) -> str:
    """Return a text in lower case, without punctuation and with single blanks.

    >>> spelling("Yes,  that's IT!")
    'yes that s it'
    """
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
