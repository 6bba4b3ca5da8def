"""Write a dataset folder as one DuckDB file, atomically.

Rows stream from parquet through DuckDB within a memory limit. Each table and view has a fingerprint of the files and
the SQL that it is made from; a build writes only those whose fingerprint has changed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.integrity import check_dataset
from dataset_builders.common.outputs import Output, OutputKind
from dataset_builders.database.fingerprints import FILES, fingerprints
from dataset_builders.database.opening import dataset_folder, read_contents
from dataset_builders.database.writer import Progress, Writer
from dataset_builders.folder.layout import REPORT
from dataset_builders.quality.report.read import read_built
from dataset_builders.sql.run import folder_views

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE = "v1.4.0"
"""Oldest version of DuckDB that can read the file, which is the oldest that this package supports."""


def _is_duckdb(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(12)[8:] == b"DUCK"


DATABASE = OutputKind("`dialogue-cube database`", "--out", _is_duckdb)
"""Files that a build may replace; `read_contents` also rejects foreign DuckDB files."""

_BASE_MEMORY = 96 * 1024**2
"""Memory for the parquet row groups in flight, in bytes."""

_MEMORY_PER_ROW = 64
"""Memory for the indexes of primary keys, in bytes per row of the parquet files; 60 were measured."""


@dataclass(frozen=True)
class DatabaseBuild:
    """Result of a build.

    Attributes:
        path: Path of the database.
        written: Tables and views that the build wrote; empty if all were up to date.
        rows: Number of rows of every table.
    """

    path: Path
    written: tuple[str, ...]
    rows: dict[str, int]


def build_database(
    data: str | Path, out: str | Path, progress: Progress | None = None, memory: str | None = None, threads: int = 2
) -> DatabaseBuild:
    """Make or update a database.

    Processes that have the old file open keep it until they open it again. An interrupted build leaves it unchanged.

    Args:
        data: A folder made by `dialogue-cube build`, or a Hub dataset repository.
        out: Path of the database, usually `NAME.duckdb`.
        progress: Called before each table or view with its name, the number done and the number to write.
        memory: Memory limit of DuckDB, such as "1GB"; beyond it, DuckDB uses temporary files. None: by the number of
            rows.
        threads: Number of DuckDB threads.

    Raises:
        DataError: The data does not exist or cannot be read, or `out` is a foreign file.
    """
    folder, out = dataset_folder(data), Path(out)
    report = read_built(folder)
    check_dataset(folder, report.get("files", {}), [pattern.partition("/")[0] for pattern in FILES.values()])
    digests = fingerprints(folder)
    with Output(out, DATABASE).claimed(wait=True) as output:
        contents = read_contents(output.place) if output.place.exists() else {}
        stale = [name for name, digest in digests.items() if name not in contents or contents[name][0] != digest]
        obsolete = [name for name in contents if name not in digests]
        if stale or obsolete:
            written = datetime.fromtimestamp(int((folder / REPORT).stat().st_mtime), timezone.utc).replace(tzinfo=None)
            if contents:
                shutil.copyfile(output.place, output.new)
            with _open(folder, output.new, memory, threads) as connection:
                Writer(connection, report, digests, progress).write(stale, obsolete, written)
            output.put()
            contents = read_contents(output.place)
        rows = {name: number or 0 for name, (_, kind, number) in contents.items() if kind == "tables"}
        return DatabaseBuild(out, tuple(stale), rows)


@contextmanager
def _open(folder: Path, file: Path, memory: str | None, threads: int) -> Iterator[DuckDBPyConnection]:
    """Open a connection with views over the folder, and with the file attached as `built`."""
    quoted = str(file).replace("'", "''")
    with (
        temporary_folder() as spill,
        folder_views(folder, {"threads": threads, "temp_directory": str(spill)}) as connection,
    ):
        memory = memory or f"{_default_memory(connection) // 1024} KiB"
        with _one_line(folder, memory):
            connection.execute(f"SET memory_limit = '{memory}'")
            connection.execute(f"ATTACH '{quoted}' AS built (STORAGE_VERSION '{STORAGE}')")
            yield connection
            connection.execute("DETACH built")


@contextmanager
def _one_line(folder: Path, memory: str) -> Iterator[None]:
    """Raise DuckDB's errors that do not come from reading the folder as one line with advice."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise DataError(f"DuckDB needs more memory than {memory}; give it more with --memory") from error
    except duckdb.ParserException as error:
        raise DataError(f"--memory {memory}: expected a size such as 512MB or 2GB") from error
    except duckdb.ConstraintException as error:
        ids = re.findall('"(.*)"', str(error)) or [str(error)]
        raise DataError(f"{folder}: two rows have the id {ids[0]}; build the folder again") from error
    except duckdb.Error as error:  # a full disk raises several types
        if cause := re.search("Could not write.*", str(error)):
            raise DataError(f"{cause[0]}; the old database is unchanged") from error
        raise


def _default_memory(connection: DuckDBPyConnection) -> int:
    """Default memory limit of DuckDB, in bytes."""
    counts = (connection.execute(f"SELECT count(*) FROM {view}").fetchone() for view in FILES)
    return _BASE_MEMORY + _MEMORY_PER_ROW * sum(count[0] for count in counts if count)
