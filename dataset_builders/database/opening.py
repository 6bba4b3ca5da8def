"""Find dataset folders and open databases read-only; check that a file is a database and up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.locations import A_DATASET, is_folder
from dataset_builders.common.patience import explain_fault, read_hub
from dataset_builders.database.fingerprints import fingerprints
from dataset_builders.quality.report.read import read_built
from dataset_builders.sql.read_only_files import ROOT, ReadOnlyFiles
from dataset_builders.sql.run import stoppable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA_VERSION = 1
"""Version of the tables `runs` and `contents`; increased when their columns change."""

_DOWNLOADED = ["dialogues/*.parquet", "pairs/*.parquet", "downstream/*.parquet", "quality/*"]


@contextmanager
def open_database(path: str | Path, memory: str = "1GB", threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """Open a read-only connection. Many processes can have one, even while the database is rebuilt.

    Args:
        path: A file made by `dialogue-cube database`.
        memory: Memory limit of DuckDB, such as "1GB"; beyond it, DuckDB uses temporary files.
        threads: Number of DuckDB threads; None takes the number of cores.

    Raises:
        DataError: The file does not exist, is not made by `dialogue-cube database`, or is of a newer version.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a database file, such as {path / 'data.duckdb'}")
    if not path.exists():
        raise DataError(f"no database {path}; make it with `dialogue-cube database --data DIR --out {path}`")
    with _settings(memory, threads) as config, connect(path, read_only=True, config=config) as connection, stoppable():
        connection.execute("SET enable_progress_bar = false")  # DuckDB prints it to standard output
        check_ours(connection, path)
        yield connection


@contextmanager
def open_without_path(path: str | Path, memory: str = "1GB", *, is_open: bool = False) -> Iterator[DuckDBPyConnection]:
    """Open a read-only connection in which DuckDB does not know the file's path, for queries that a user typed.

    Args:
        path: A file made by `dialogue-cube database`.
        memory: Memory limit of DuckDB, such as "1GB"; beyond it, DuckDB uses temporary files.
        is_open: Whether this process keeps the file open with `open_database`; DuckDB opens it once per process.

    Raises:
        DataError: As in `open_database`.
    """
    import duckdb

    parts = {f"corpus.duckdb{end}": file for end in ("", ".wal") if (file := Path(f"{path}{end}")).exists()}
    # the ordinary connection checks the file, and locks out writers of other programs while it is open
    with (
        nullcontext() if is_open else open_database(path, memory),
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
    """Open a connection to a DuckDB file.

    Raises:
        DataError: The file cannot be opened as a DuckDB file.
    """
    import duckdb

    try:
        return duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        cause = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be opened as a database ({cause}); name another file") from error


def check_ours(connection: DuckDBPyConnection, path: Path) -> None:
    """Check that a database was made by `dialogue-cube database`.

    Raises:
        DataError: It is a foreign file, or a newer version of this package made it.
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
    """Whether a database exists and is up to date, so that `build_database` would write nothing.

    Args:
        path: The database.
        data: Dataset folder or Hub repository.

    Raises:
        DataError: The file is not made by `dialogue-cube database`, or the data does not exist.
    """
    if not Path(path).exists():
        return False
    folder = dataset_folder(data)
    read_built(folder)
    return {name: fingerprint for name, (fingerprint, *_) in read_contents(Path(path)).items()} == fingerprints(folder)


def read_contents(path: Path) -> dict[str, tuple[str, str, int | None]]:
    """Fingerprint, kind and number of rows of each table or view; empty if the database has an older schema version.

    Raises:
        DataError: As in `open_database`.
    """
    with open_database(path) as connection:
        if connection.execute("SELECT max(schema_version) FROM runs").fetchone() != (SCHEMA_VERSION,):
            return {}
        parts = connection.execute("SELECT name, fingerprint, kind, rows FROM contents ORDER BY name").fetchall()
        return {name: (fingerprint, kind, rows) for name, fingerprint, kind, rows in parts}


def dataset_folder(data: str | Path) -> Path:
    """The folder itself, or a copy of a Hub dataset repository in the Hub's cache.

    Args:
        data: A folder made by `dialogue-cube build`, or a repository such as `org/dialogue-corpus`.

    Raises:
        DataError: There is no such folder, or the repository cannot be downloaded.
    """
    if is_folder(data, A_DATASET):
        return Path(data)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, HTTPError

    try:
        return Path(read_hub(lambda: snapshot_download(str(data), repo_type="dataset", allow_patterns=_DOWNLOADED)))
    except (HfHubHTTPError, HFValidationError, OSError, HTTPError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        cause = explain_fault(error, str(data)) or lines[0][:200]
        raise DataError(
            f"no folder {data}, and no such dataset on the Hub ({cause}); make a folder with `dialogue-cube build`"
        ) from error
