"""Cache of finished parts of a long evaluation, so that an interrupted run can be resumed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from dataset_builders.common.files import write_whole

Facts = dict[str, Any]
"""Everything that a result depends on; its key in the cache."""


class ResultCache:
    """A folder with one JSON file for each result.

    Args:
        folder: Cache folder; created when the first result is stored.
        shared: Facts that all results have in common.
    """

    def __init__(self, folder: Path, shared: Facts | None = None) -> None:
        self.folder = folder
        self._shared = shared or {}

    def get(self, facts: Facts) -> Any:
        """Return the result for exactly these facts, or None if there is none or its file is damaged."""
        try:
            return json.loads(self._path(facts).read_text(encoding="utf-8"))["value"]
        except (OSError, ValueError, KeyError):
            return None

    def put(self, facts: Facts, value: Any) -> None:
        """Store a result atomically.

        Raises:
            ModelError: The folder cannot be written to.
        """
        try:
            write_whole(self._path(facts), json.dumps({"facts": {**self._shared, **facts}, "value": value}))
        except OSError as error:
            raise ModelError(f"{self.folder}: cannot be written ({error.strerror}); choose another --json") from error

    def below(self, facts: Facts) -> ResultCache:
        """Return a view of this cache that adds `facts` to those of every result."""
        return ResultCache(self.folder, {**self._shared, **facts})

    def _path(self, facts: Facts) -> Path:
        key = json.dumps({**self._shared, **facts}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
