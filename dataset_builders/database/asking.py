"""Run a query that a user typed: it cannot write anything, and errors are one line with a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from dataset_builders import sql
from dataset_builders.common.errors import DataError
from dataset_builders.common.integrity import check_dataset
from dataset_builders.database.facts import COMMENTS, facts
from dataset_builders.database.fingerprints import FILES
from dataset_builders.database.opening import dataset_folder, open_without_path
from dataset_builders.quality.report.read import read_built
from dataset_builders.sql.read_only_files import ROOT, ReadOnlyFiles, lock
from dataset_builders.sql.run import is_interrupt, open_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def open_any(
    database: str | Path | None = None,
    data: str | Path | None = None,
    *,
    allow_files: bool = False,
    is_open: bool = False,
) -> Iterator[DuckDBPyConnection]:
    """Open a connection to a database or to the parquet files themselves; the same queries run on both.

    Statements cannot open other files or write to this one; see `dataset_builders.sql.read_only_files`. Tables that
    they create are temporary or in memory.

    Args:
        database: A file made by `dialogue-cube database`.
        data: A dataset folder or Hub repository; its metrics are computed by each query.
        allow_files: Whether statements may read and write any file of this process, by its path.
        is_open: Whether this process keeps the database open already; see `open_without_path`.

    Raises:
        DataError: Neither or both are named, the file or folder does not exist, or a file has changed since the build.
    """
    if (database is None) == (data is None):
        raise DataError("name the data: either --database FILE, or --data DIR for the parquet files of a folder")
    if database is not None:
        with open_without_path(database, is_open=is_open) as connection:
            lock(connection, allow_files=allow_files)
            yield connection
        return
    folder = dataset_folder(str(data))
    report = read_built(folder)
    # a flipped bit in a parquet file often gives other rows rather than an error
    check_dataset(folder, report.get("files", {}), [pattern.partition("/")[0] for pattern in FILES.values()])
    parquet = {
        f"dataset/{file.relative_to(folder).as_posix()}": file for p in FILES.values() for file in folder.glob(p)
    }
    with ReadOnlyFiles(parquet) as files, open_folder(folder) as connection:
        for name, table in facts(report).items():
            connection.register(f"report_{name}", table)
            connection.execute(f"CREATE VIEW {name} AS FROM report_{name}")
        connection.register_filesystem(files)
        connection.execute(f"SET VARIABLE folder = '{ROOT}dataset'")  # views read this variable in each query
        lock(connection, allow_files=allow_files)
        yield connection


class Answer:
    """The rows of a query, fetched lazily.

    Attributes:
        columns: Names of the columns.
    """

    def __init__(self, result: DuckDBPyConnection) -> None:
        self.columns = [column[0] for column in result.description or ()]
        self._result = result

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        with _one_line(self._result):
            while batch := self._result.fetchmany(2_000):
                yield from batch


def ask(connection: DuckDBPyConnection, text: str) -> Answer:
    """Run one statement.

    Args:
        connection: Connection from `open_any`.
        text: SQL; may end with a semicolon.

    Raises:
        DataError: The text is not one SQL statement, returns no rows, writes, or names something that does not exist.
    """
    with _one_line(connection):
        statements = connection.extract_statements(text)
        if len(statements) != 1:
            raise DataError(
                f"expected one SQL statement, found {len(statements)}; put it in quotes, or use - for standard input"
            )
        _check_returns_rows(statements[0])
        return Answer(_execute(connection, statements[0]))


def names(connection: DuckDBPyConnection) -> list[str]:
    """Names of the tables and views for users."""
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    return [name for (name,) in rows if not name.startswith(("parquet_", "report_", "no_"))]


def described() -> Iterator[tuple[str, str, str]]:
    """Name, kind and description of each table and view."""
    yield from ((name, "tables", query.comment) for name, query in sql.queries("tables").items())
    yield from ((name, "report", comment) for name, comment in COMMENTS.items())
    for kind in ("aggregates", "metrics", "details"):
        yield from ((name, kind, query.comment) for name, query in sorted(sql.queries(kind).items()))


def _check_returns_rows(statement: Any) -> None:
    """Reject statements that would silently have no effect. This helps the user; safety does not need it."""
    import duckdb

    try:
        kind = statement.type.name
    except ValueError:  # DuckDB has types that its Python package does not know
        kind = "this statement"
    # a PIVOT is a MULTI, because it determines its columns first
    if duckdb.ExpectedResultType.NOTHING in statement.expected_result_type and kind != "MULTI":
        raise DataError(f"{kind} returns no rows, and its effect would not be kept; to change data, copy it first")


def _execute(connection: DuckDBPyConnection, statement: Any) -> DuckDBPyConnection:
    """Execute in a thread, so that Ctrl-C works: DuckDB checks for it only between its tasks, which may take hours."""
    result: Future[DuckDBPyConnection] = Future()

    def execute() -> None:
        try:
            result.set_result(connection.execute(statement))
        except BaseException as error:
            result.set_exception(error)

    try:
        Thread(target=execute, daemon=True).start()
        return result.result()
    except KeyboardInterrupt:
        while not result.done():  # DuckDB ignores an interrupt before the query begins
            connection.interrupt()
            wait([result], timeout=0.1)
        raise


@contextmanager
def _one_line(connection: DuckDBPyConnection) -> Iterator[None]:
    """Raise DuckDB's errors as one line with a hint."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if is_interrupt(error):
            raise
        first, *others = [line.strip() for line in str(error).splitlines() if line.strip()]
        if first.startswith("Traceback"):  # from our file system, which is in Python
            first = others[-1]
        what = re.sub(r"^(\w+ )*\w*Error: ", "", first).rstrip(".!")
        hints = [line for line in others if line.startswith("Candidate")]
        if table := re.match(r"Table with name (\w+)", what):
            similar = get_close_matches(table[1], names(connection))
            hints = [f"did you mean {' or '.join(similar)}?"] if similar else []
            hints.append("`dialogue-cube sql` without a query lists all tables and views")
        elif isinstance(error, duckdb.PermissionException):
            hints = ["`--allow-files` lets a query read and write files"]
        elif "read-only mode" in what:
            hints = ["to change data, copy it first"]
        elif isinstance(error, duckdb.BinderException) and not hints:
            hints = ["`DESCRIBE pairs` lists the columns of pairs"]
        elif isinstance(error, duckdb.ParserException):
            hints = ["the dialect is DuckDB's; put strings in single quotes"]
        raise DataError("; ".join([what, *hints])) from error
