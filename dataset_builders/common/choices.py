"""Allowed values that several rooms share. Commands read them for their help, so nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal, get_args

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = get_args(Split)

SHARES: dict[Split, int] = {"train": 8, "validation": 1, "test": 1}
"""Tenths of the rows of each split where a source has no official ones."""

Origin = Literal["human", "machine", "template"]
"""Who wrote a text; `schema.ORIGINS` gives the meanings."""

Direction = Literal["user-system", "system-user", "user-user", "system-system"]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
"""Speakers of anchor and positive; `"user-system"` pairs are questions with their answers."""

SplitPolicy = Literal["leak-free", "official", "original"]
"""`leak-free`: official splits, minus duplicates of rows in a later split. `official`: official splits unchanged; leaks
are only flagged. `original`: as in the first dialogue data platform, every dialogue corpus except MultiWOZ is train."""

POLICIES: tuple[SplitPolicy, ...] = get_args(SplitPolicy)

CONTEXT_TURNS = 50
"""Maximum number of turns kept before the anchor. No task dialogue is that long; chat logs have thousands of turns."""
