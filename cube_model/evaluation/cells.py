"""Cache of finished parts of a long evaluation, so that an interrupted run can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cube_model._command import check_folder_of, command_line
from cube_model.errors import ModelError
from dataset_builders.common.file_kinds import FIGURES
from dataset_builders.common.files import write_whole
from dataset_builders.common.options import Options
from dataset_builders.common.outputs import optional_file, write_json

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
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
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


def cached(cache: ResultCache | None, facts: Facts, compute: Callable[[], Any]) -> Any:
    """Return the result for exactly these facts: from the cache, or computed and, if there is a cache, stored.

    Raises:
        ModelError: The cache cannot be written to.
    """
    value = None if cache is None else cache.get(facts)
    if value is None:
        value = compute()
        if cache is not None:
            cache.put(facts, value)
    return value


def announce_part(number: int, total: int, name: str) -> None:
    """Print which part of a long evaluation begins, on the error stream."""
    from rich.console import Console

    Console(stderr=True).print(f"{number}/{total} {name}", style="dim", markup=False, highlight=False)


def run_to_file(
    json_file: Path | None, command: str, config: Options, run: Callable[[Path | None], dict[str, Any]]
) -> dict[str, Any]:
    """Run an evaluation, and write its output and its command to a file, beside which finished parts are cached.

    Args:
        json_file: File of the output. None: nothing is written or cached.
        command: Name of the command without `dialogue-cube`, such as `benchmark`.
        config: Options of the command.
        run: Evaluates; takes the folder of the cache or None, returns the output.

    Raises:
        ModelError: The file or its folder cannot be written, or the evaluation fails.
    """
    if json_file is not None:
        check_folder_of(json_file)
    with optional_file(json_file, FIGURES.raising(ModelError)) as file:
        folder = json_file.with_name(f"{json_file.name}.cells") if json_file else None
        output = {"command": command_line(command, config), **run(folder)}
        if file is not None:
            write_json(file, output)
    return output
