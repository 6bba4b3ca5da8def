"""Shared functions of the writers: JSON files with one record per line, and the counts of `write_sample`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Counts = dict[str, int]
Variants = dict[str, dict[str, Counts]]
"""Counts by variant of a source (config or language) and original split."""


def write_json(path: Path, content: list[Any] | Mapping[str, Any]) -> None:
    """Write a list or an object as UTF-8 with LF and one member per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        lines, (first, last) = [_dump(member) for member in content], "[]"
    else:
        lines, (first, last) = [f"{_dump(key)}: {_dump(value)}" for key, value in content.items()], "{}"
    path.write_bytes((first + "\n" + ",\n".join(lines) + "\n" + last + "\n").encode())


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def count_dialogues(dialogues: Iterable[list[tuple[str, str]]]) -> Counts:
    """Count dialogues and their (speaker, text) turns; a blank turn only counts as empty."""
    counts = dict.fromkeys(("dialogues", "utterances", "user", "system", "empty"), 0)
    for turns in dialogues:
        counts["dialogues"] += 1
        for speaker, text in turns:
            has_text = bool(text.strip())
            counts["utterances"] += has_text
            counts[speaker if has_text else "empty"] += 1
    return counts


def count_rows(labels: list[str]) -> Counts:
    """Count labelled utterances and their labels."""
    return {"rows": len(labels), "labels": len(set(labels))}
