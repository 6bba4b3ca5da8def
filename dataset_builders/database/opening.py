"""Find a dataset folder and open its database read-only; know whether a file is one, and whether it is of today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import temporary_folder
from dataset_builders.database.fingerprints import fingerprints
from dataset_builders.quality.report.read import read_built
from dataset_builders.sql.read_only_files import ROOT, ReadOnlyFiles
from dataset_builders.sql.run import stoppable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA_VERSION = 1
"""Raised when a table of the database itself (`runs`, `contents`) changes its columns."""

_WANTED = ["dialogues/*.parquet", "pairs/*.parquet", "downstream/*.parquet", "quality/*"]


@contextmanager
def open_database(path: str | Path, memory: str = "1GB", threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """A read-only connection; any number of processes may hold one, also while the file is built anew.

    Args:
        path: A file made by `dialogue-cube database`.
        memory: Above this, DuckDB goes on in temporary files.
        threads: Threads of DuckDB; as many as there are cores when not given.

    Raises:
        DataError: There is no such file, or it is not a database of ours, or of a newer version.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a database file, such as {path / 'data.duckdb'}")
    if not path.exists():
        raise DataError(f"no database {path}; `dialogue-cube database --data DIR --out {path}` makes it")
    with _settings(memory, threads) as config, connect(path, read_only=True, config=config) as connection, stoppable():
        connection.execute("SET enable_progress_bar = false")  # it would go to standard output
        check_ours(connection, path)
        yield connection


@contextmanager
def open_without_path(path: str | Path, memory: str = "1GB") -> Iterator[DuckDBPyConnection]:
    """A read-only connection that gives DuckDB no path to the file, for queries that somebody typed.

    Args:
        path: See `open_database`.
        memory: Above this, DuckDB goes on in temporary files.

    Raises:
        DataError: See `open_database`.
    """
    import duckdb

    parts = {f"corpus.duckdb{end}": file for end in ("", ".wal") if (file := Path(f"{path}{end}")).exists()}
    # the plain connection says what is wrong with a file, and keeps writers of other programs out while it is open
    with (
        open_database(path, memory),
        _settings(memory) as config,
        ReadOnlyFiles(parts) as files,
        duckdb.connect(config=config) as connection,
        stoppable(),
    ):
        connection.execute("SET enable_progress_bar = false")
        connection.register_filesystem(files)
        connection.execute(f"ATTACH '{ROOT}corpus.duckdb' AS corpus (READ_ONLY)")
        connection.execute("USE corpus")
        yield connection


@contextmanager
def _settings(memory: str, threads: int | None = None) -> Iterator[dict[str, Any]]:
    with temporary_folder() as spill:
        settings: dict[str, Any] = {"memory_limit": memory, "temp_directory": str(spill)}
        yield settings if threads is None else {**settings, "threads": threads}


def connect(path: Path, *, read_only: bool, config: dict[str, Any]) -> DuckDBPyConnection:
    """A connection to a file.

    Raises:
        DataError: It cannot be opened as a DuckDB file.
    """
    import duckdb

    try:
        return duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        cause = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be opened as a database ({cause}); name another file") from error


def check_ours(connection: DuckDBPyConnection, path: Path) -> None:
    """Check that a file was made by us.

    Raises:
        DataError: It is somebody else's, or a newer version of this package made it.
    """
    import duckdb

    try:
        row = connection.execute("SELECT max(schema_version), max_by(package_version, run) FROM runs").fetchone()
    except duckdb.Error:
        row = None
    if row is None or row[0] is None:
        raise DataError(f"{path} is not a database made by `dialogue-cube database`; name another file")
    if row[0] > SCHEMA_VERSION:
        raise DataError(
            f"{path} was made by a newer version of this package ({row[1]}); upgrade it, or name another file"
        )


def is_current(path: str | Path, data: str | Path) -> bool:
    """Whether a database is there and holds what `build_database` would write: nothing would be done.

    Args:
        path: The database.
        data: Dataset folder or Hub repository.

    Raises:
        DataError: The file is not ours, or there is no such data.
    """
    if not Path(path).exists():
        return False
    folder = dataset_folder(data)
    read_built(folder)
    return {name: fingerprint for name, (fingerprint, *_) in read_contents(Path(path)).items()} == fingerprints(folder)


def read_contents(path: Path) -> dict[str, tuple[str, str, int | None]]:
    """Table or view -> its fingerprint, kind and rows; nothing of a file that an older version of this package made.

    Raises:
        DataError: See `open_database`.
    """
    with open_database(path) as connection:
        if connection.execute("SELECT max(schema_version) FROM runs").fetchone() != (SCHEMA_VERSION,):
            return {}
        found = connection.execute("SELECT name, fingerprint, kind, rows FROM contents ORDER BY name").fetchall()
        return {name: (fingerprint, kind, rows) for name, fingerprint, kind, rows in found}


def dataset_folder(data: str | Path) -> Path:
    """The folder itself, or a copy of a Hub dataset repository in the Hub's cache.

    Args:
        data: A folder made by `dialogue-cube build`, or a repository such as `org/dialogue-corpus`.

    Raises:
        DataError: Neither is there.
    """
    path = Path(data)
    if path.exists() or str(data).count("/") != 1 or str(data).startswith((".", "/", "~")):
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(str(data), repo_type="dataset", allow_patterns=_WANTED))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"no folder {data}, and the Hub gives no dataset of that name ({cause[:200]})"
        raise DataError(f"{what}; `dialogue-cube build` makes a folder") from error
