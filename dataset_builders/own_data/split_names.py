"""Words for splits, in the column of a record and in the names of files and folders."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.schema import ALL

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "обучение", "trn"), "train"),
    **{word: word for word in ("dev", "val", "validation", "validate", "test")},
    **dict.fromkeys(("valid", "eval", "проверка"), "validation"),
    **dict.fromkeys(("testing", "тест"), "test"),
}
"""Words for splits -> the split as a source names it."""

_WORDS = re.compile(r"[^\W\d_]+")


def split_of(name: str) -> str:
    """The split in the name of a file, or else of its folders, the innermost first; `ALL` if there is none.

    Raises:
        DataError: One name has words of two splits.

    >>> split_of("train.jsonl"), split_of("hwu64_train.csv"), split_of("test/data.csv.gz"), split_of("contest.csv")
    ('train', 'train', 'test', 'all')
    """
    path = PurePosixPath(name)
    for part in (path.name.split(".")[0], *reversed(path.parts[:-1])):
        splits = {SPLIT_WORDS[word] for word in _WORDS.findall(part.lower()) if word in SPLIT_WORDS}
        if len(splits) > 1:
            raise DataError(
                f"{name}: named after two splits, {' and '.join(sorted(splits))}; rename it, or name the column of the "
                "split (--split-column)"
            )
        if splits:
            return splits.pop()
    return ALL


def split_name(value: Any) -> str:
    """The split that a value names, as the file spells it in lower case; empty for null and an empty text.

    Raises:
        BadRecord: It names no split.
    """
    name = str(value).strip().lower() if value is not None else ""
    if name and name not in SPLIT_WORDS:
        raise BadRecord(f"the split is {name[:40]!r}; expected one of {', '.join(SPLIT_WORDS)}")
    return SPLIT_WORDS.get(name, "")
