"""The split that a file or folder is named after."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from dataset_builders.common.errors import DataError
from dataset_builders.schema import ALL

FILE_WORDS = {
    **{word: word for word in ("train", "dev", "val", "validation", "test")},
    "training": "train",
    "valid": "validation",
    "testing": "test",
}
"""Words in names of files and folders -> the split as a source names it."""

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
        splits = {FILE_WORDS[word] for word in _WORDS.findall(part.lower()) if word in FILE_WORDS}
        if len(splits) > 1:
            raise DataError(
                f"{name}: named after two splits, {' and '.join(sorted(splits))}; rename it, or name the column of the "
                "split (--split-column)"
            )
        if splits:
            return splits.pop()
    return ALL
