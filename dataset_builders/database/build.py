"""The dataset folder -> one DuckDB file, written aside and put in place when it is whole.

Rows stream from parquet through DuckDB, within a memory limit. What has not changed since the last build is kept: each
table and view has a fingerprint of the files and of the SQL that it comes from.
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
"""The oldest DuckDB that can read the file: the oldest that this package runs with."""


def _is_duckdb(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(12)[8:] == b"DUCK"


DATABASE = OutputKind("`dialogue-cube database`", "--out", _is_duckdb)
"""What a build may replace; `read_contents` then refuses a DuckDB file of somebody else."""

_BASE_MEMORY = 96 * 1024**2
"""Enough for row groups of parquet on their way, in bytes."""

_MEMORY_PER_ROW = 64
"""The indexes of primary keys, which DuckDB holds in memory: measured, 60 bytes a row of the parquet files."""


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
    data: str | Path, out: str | Path, progress: Progress | None = None, memory: str | None = None, threads: int = 2
) -> DatabaseBuild:
    """Make a database, or bring one up to date.

    Readers of the old file keep it until they open it again; a build that is stopped leaves it as it was.

    Args:
        data: A folder made by `dialogue-cube build`, or a Hub dataset repository.
        out: The file, usually `NAME.duckdb`.
        progress: Called with the part made next, how many are done, and how many there are to make.
        memory: Of DuckDB, such as "1GB"; above it, it goes on in temporary files. Default: what the rows need.
        threads: Threads of DuckDB.

    Raises:
        DataError: No such data, or it cannot be read; `out` is not a database of ours.
    """
    folder, out = dataset_folder(data), Path(out)
    report = read_built(folder)
    wanted = fingerprints(folder)
    with Output(out, DATABASE).claimed(wait=True) as output:
        there = read_contents(output.place) if output.place.exists() else {}
        stale = [name for name, fingerprint in wanted.items() if name not in there or there[name][0] != fingerprint]
        gone = [name for name in there if name not in wanted]
        if stale or gone:
            written = datetime.fromtimestamp(int((folder / REPORT).stat().st_mtime), timezone.utc).replace(tzinfo=None)
            if there:
                shutil.copyfile(output.place, output.new)
            with _open(folder, output.new, memory, threads) as connection:
                Writer(connection, report, wanted, progress).write(stale, gone, written)
            output.put()
            there = read_contents(output.place)
        rows = {name: number or 0 for name, (_, kind, number) in there.items() if kind == "tables"}
        return DatabaseBuild(out, tuple(stale), rows)


@contextmanager
def _open(folder: Path, file: Path, memory: str | None, threads: int) -> Iterator[DuckDBPyConnection]:
    """A connection with views over the folder and the file attached as `built`."""
    quoted = str(file).replace("'", "''")
    with (
        temporary_folder() as spill,
        folder_views(folder, {"threads": threads, "temp_directory": str(spill)}) as connection,
    ):
        memory = memory or f"{_needed(connection) // 1024} KiB"
        with _one_line(folder, memory):
            connection.execute(f"SET memory_limit = '{memory}'")
            connection.execute(f"ATTACH '{quoted}' AS built (STORAGE_VERSION '{STORAGE}')")
            yield connection
            connection.execute("DETACH built")


@contextmanager
def _one_line(folder: Path, memory: str) -> Iterator[None]:
    """DuckDB's errors that have nothing to do with reading the folder."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise DataError(f"DuckDB needs more memory than {memory}; give it more with --memory") from error
    except duckdb.ParserException as error:
        raise DataError(f"--memory {memory}: expected a size such as 512MB or 2GB") from error
    except duckdb.ConstraintException as error:
        twice = re.findall('"(.*)"', str(error)) or [str(error)]
        raise DataError(f"{folder}: the id {twice[0]} stands there twice; build the folder again") from error
    except duckdb.Error as error:  # a full disk has several types
        if written := re.search("Could not write.*", str(error)):
            raise DataError(f"{written[0]}; what stood there before is as it was") from error
        raise


def _needed(connection: DuckDBPyConnection) -> int:
    """Bytes of memory to give DuckDB."""
    counts = (connection.execute(f"SELECT count(*) FROM {view}").fetchone() for view in FILES)
    return _BASE_MEMORY + _MEMORY_PER_ROW * sum(count[0] for count in counts if count)
