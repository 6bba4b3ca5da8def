"""What all writers share: JSON files with one record a line, and the counts that `write_sample` returns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Counts = dict[str, int]
Variants = dict[str, dict[str, Counts]]
"""Variant of a source (config or language) -> original split -> counts."""


def write_json(path: Path, content: list[Any] | Mapping[str, Any]) -> None:
    """Writes a list or an object as UTF-8 with LF and one member a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        lines, (first, last) = [_dump(member) for member in content], "[]"
    else:
        lines, (first, last) = [f"{_dump(key)}: {_dump(value)}" for key, value in content.items()], "{}"
    path.write_bytes((first + "\n" + ",\n".join(lines) + "\n" + last + "\n").encode())


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def count_dialogues(dialogues: Iterable[list[tuple[str, str]]]) -> Counts:
    """Counts of dialogues given as `(speaker, text)` turns; a turn without a visible character counts as empty only."""
    counts = dict.fromkeys(("dialogues", "utterances", "user", "system", "empty"), 0)
    for turns in dialogues:
        counts["dialogues"] += 1
        for speaker, text in turns:
            said = bool(text.strip())
            counts["utterances"] += said
            counts[speaker if said else "empty"] += 1
    return counts


def count_rows(labels: list[str]) -> Counts:
    """Counts of labelled utterances."""
    return {"rows": len(labels), "labels": len(set(labels))}
