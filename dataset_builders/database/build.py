"""The dataset folder -> one DuckDB file, written aside and put in place when it is whole.

Rows stream from parquet through DuckDB, within a memory limit. What has not changed since the last build is kept: each
part has a fingerprint of the files and of the SQL that it comes from.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders import sql
from dataset_builders.database import facts
from dataset_builders.database.fingerprints import REPORT_PART, fingerprints
from dataset_builders.database.opening import SCHEMA_VERSION, connect, open_database, read_fingerprints
from dataset_builders.database.source_folder import dataset_folder
from dataset_builders.folder import REPORT
from dataset_builders.quality.report import read_built
from dataset_builders.statistics import folder_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str, int, int], None]
"""Called with what is made next, how many parts are done, and how many there are to make."""

MEMORY = "192MB"
"""Of DuckDB while it builds, beside some 100 MB that the process itself needs; above it, it goes on in temporary files."""


@dataclass(frozen=True)
class DatabaseBuild:
    """What a build did.

    Attributes:
        path: The database.
        written: Tables and views that were written; none when all was there already.
        rows: Table -> its rows, of the whole database.
    """

    path: Path
    written: tuple[str, ...]
    rows: dict[str, int]


def build_database(
    data: str | Path, out: str | Path, progress: Progress | None = None, memory: str = MEMORY, threads: int = 2
) -> DatabaseBuild:
    """Make a database, or bring one up to date.

    Readers of the old file keep it until they open it again; a build that is stopped leaves it as it was.

    Args:
        data: A folder made by `dialogue-cube build`, or a Hub dataset repository.
        out: The file, usually `NAME.duckdb`.
        progress: Called before each part that is made.
        memory: Above this, DuckDB goes on in temporary files.
        threads: Threads of DuckDB.

    Raises:
        DataError: No such data, or it cannot be read; `out` is not a database of ours.
    """
    folder, out = dataset_folder(data), Path(out)
    report = read_built(folder)
    wanted = fingerprints(folder)
    with _locked(out):
        there, rows = _contents(out)
        stale = [name for name, fingerprint in wanted.items() if there.get(name) != fingerprint]
        gone = [name for name in there if name not in wanted]
        if not stale and not gone:
            return DatabaseBuild(out, (), rows)
        with _aside(out, copy=bool(there)) as aside, tempfile.TemporaryDirectory(prefix="dialogue-cube-") as spill:
            config: dict[str, Any] = {"memory_limit": memory, "threads": threads, "temp_directory": spill}
            with folder_views(folder, config) as connection:
                connection.execute(f"ATTACH '{_quoted(aside)}' AS built")
                connection.execute("SET search_path = 'built.main,memory.main'")
                _Builder(connection, report, wanted, progress or (lambda *_: None)).build(stale, gone)
                connection.execute("USE memory")
                connection.execute("DETACH built")
        return DatabaseBuild(out, tuple(stale), _contents(out)[1])


class _Builder:
    def __init__(
        self, connection: DuckDBPyConnection, report: dict[str, Any], wanted: dict[str, str], progress: Progress
    ) -> None:
        self.connection, self.report, self.wanted, self.progress = connection, report, wanted, progress

    def build(self, stale: list[str], gone: list[str]) -> None:
        run = self.connection.execute
        run("CREATE TABLE IF NOT EXISTS contents (name VARCHAR PRIMARY KEY, kind VARCHAR, rows BIGINT, fingerprint VARCHAR)")
        run(
            "CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, schema_version INTEGER, package_version VARCHAR, "
            "dataset_version VARCHAR, dataset_fingerprint VARCHAR, options JSON, written VARCHAR[], rows MAP(VARCHAR, BIGINT))"
        )
        for name, kind in run("SELECT name, kind FROM contents").fetchall():
            if name in stale or name in gone:
                run(f"DROP {'VIEW' if kind in ('metrics', 'rows') else 'TABLE'} IF EXISTS {name}")
        run("CHECKPOINT built")  # the space of what was dropped is used again
        run(sql.MACROS.replace("MACRO ", "MACRO built.main."))
        for done, name in enumerate(stale):
            self.progress(name, done, len(stale))
            if name == REPORT_PART:
                rows = self._facts()
            else:
                rows = self._part(sql.queries()[name])
            run("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", [name, self._kind(name), rows, self.wanted[name]])
            run("CHECKPOINT built")
        if gone:
            run("DELETE FROM contents WHERE name IN (SELECT unnest(?))", [gone])
        run(
            "INSERT INTO runs SELECT (SELECT coalesce(max(run), 0) + 1 FROM runs), ?, ?, ?, ?, ?, ?, "
            "(SELECT map(list(name ORDER BY name), list(rows ORDER BY name)) FROM contents WHERE kind = 'tables')",
            [
                SCHEMA_VERSION,
                version("dialogue-cube"),
                self.report.get("version"),
                self.report.get("fingerprint"),
                json.dumps(self.report.get("options")),
                stale,
            ],
        )

    def _kind(self, name: str) -> str:
        return name if name == REPORT_PART else sql.queries()[name].kind

    def _part(self, query: sql.Query) -> int | None:
        run = self.connection.execute
        if query.kind in ("metrics", "rows"):
            run(query.view)
            return None
        columns = [(name, kind) for name, kind, *_ in run(f"DESCRIBE {query.text}").fetchall()]
        types = dict(columns)
        defined = [f"{name} {kind}" for name, kind in columns]
        for name, column in sql.ALIASES.get(query.name, {}).items():
            defined.append(f"{name} {types[column]} GENERATED ALWAYS AS ({column}) VIRTUAL")
        if query.name in sql.KEYS:
            defined.append(f"PRIMARY KEY ({', '.join(sql.KEYS[query.name])})")
        run(f"CREATE TABLE {query.name} ({', '.join(defined)})")
        (rows,) = run(f"INSERT INTO {query.name} {query.text}").fetchone() or (0,)
        run(f"COMMENT ON TABLE {query.name} IS '{query.comment.replace(chr(39), chr(39) * 2)}'")
        return rows

    def _facts(self) -> int:
        run = self.connection.execute
        for name, table in facts.facts(self.report).items():
            run(f"DROP TABLE IF EXISTS {name}")
            self.connection.register("fact", table)
            run(f"CREATE TABLE {name} AS FROM fact")
            run(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(facts.KEYS[name])})")
            run(f"COMMENT ON TABLE {name} IS '{facts.COMMENTS[name]}'")
            self.connection.unregister("fact")
        return 0


def _contents(path: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Fingerprints of a database's parts and the rows of its tables; empty when there is no file."""
    if not path.exists():
        return {}, {}
    with open_database(path) as connection:
        rows = connection.execute("SELECT name, rows FROM contents WHERE kind = 'tables' ORDER BY name").fetchall()
        return read_fingerprints(connection), dict(rows)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One build at a time; another one waits, and then finds its work done."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


@contextmanager
def _aside(path: Path, *, copy: bool) -> Iterator[Path]:
    """A file beside `path` that takes its place at the end, or vanishes when anything fails."""
    aside = path.with_name(f".{path.name}.building")
    leftovers = [aside, aside.with_name(f"{aside.name}.wal")]
    for leftover in leftovers:  # of a build that was killed
        leftover.unlink(missing_ok=True)
    try:
        if copy:
            shutil.copyfile(path, aside)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
