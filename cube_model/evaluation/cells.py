"""Finished parts of a long comparison, one small file each, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.files import write_whole

Facts = dict[str, Any]


class Cells:
    """A folder of results, found by everything that they depend on.

    Args:
        folder: Made when the first result is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, facts: Facts) -> Any:
        """What was kept for exactly these facts; None when there is nothing (or half a file of a full disk)."""
        try:
            return json.loads(self._path(facts).read_text(encoding="utf-8"))["value"]
        except (OSError, ValueError, KeyError):
            return None

    def put(self, facts: Facts, value: Any) -> None:
        """Keep a result; half a file never counts as one."""
        try:
            write_whole(self._path(facts), json.dumps({"facts": facts, "value": value}))
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be written ({error.strerror}); choose another --json") from error

    def trials(self, facts: Facts) -> Trials:
        """The trials of a search over settings as a mapping for `Baseline.tune`."""
        return Trials(self, facts)

    def _path(self, facts: Facts) -> Path:
        return self.folder / f"{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]}.json"


class Trials(MutableMapping[str, Any]):
    """Trials by their settings; each is kept as soon as it is put in."""

    def __init__(self, cells: Cells, facts: Facts) -> None:
        self._cells, self._facts = cells, facts

    def _key(self, settings: str) -> Facts:
        return {**self._facts, "trial": settings}

    def __getitem__(self, settings: str) -> Any:
        value = self._cells.get(self._key(settings))
        if value is None:
            raise KeyError(settings)
        return value

    def __setitem__(self, settings: str, value: Any) -> None:
        self._cells.put(self._key(settings), value)

    def __delitem__(self, settings: str) -> None:
        raise TypeError("a trial is not taken back")

    def __iter__(self) -> Iterator[str]:
        raise TypeError("trials are looked up one by one")

    def __len__(self) -> int:
        raise TypeError("trials are looked up one by one")
