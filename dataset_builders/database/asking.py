"""Run one query that somebody typed: it can write nothing, and errors are one line that says what there is."""

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
    database: str | Path | None = None, data: str | Path | None = None, *, allow_files: bool = False
) -> Iterator[DuckDBPyConnection]:
    """A connection on which the same queries run, whether to a database or to the parquet files themselves.

    No statement can open another file or write this one, see `dataset_builders.sql.read_only_files`. What it makes is
    temporary or in memory.

    Args:
        database: A file made by `dialogue-cube database`.
        data: A dataset folder or Hub repository; its numbers are counted when they are asked for.
        allow_files: Let statements read and write every file that this process may, by its path.

    Raises:
        DataError: None or both are given, or what is given is not there.
    """
    if (database is None) == (data is None):
        raise DataError("name what to ask: --database FILE, or --data DIR for the parquet files of a dataset folder")
    if database is not None:
        with open_without_path(database) as connection:
            lock(connection, allow_files=allow_files)
            yield connection
        return
    folder = dataset_folder(str(data))
    report = read_built(folder)
    parquet = {
        f"dataset/{file.relative_to(folder).as_posix()}": file for p in FILES.values() for file in folder.glob(p)
    }
    with ReadOnlyFiles(parquet) as files, open_folder(folder) as connection:
        for name, table in facts(report).items():
            connection.register(f"report_{name}", table)
            connection.execute(f"CREATE VIEW {name} AS FROM report_{name}")
        connection.register_filesystem(files)
        connection.execute(f"SET VARIABLE folder = '{ROOT}dataset'")  # a view looks for its files each time
        lock(connection, allow_files=allow_files)
        yield connection


class Answer:
    """The rows of a query, as they come.

    Attributes:
        columns: Their names.
    """

    def __init__(self, executed: DuckDBPyConnection) -> None:
        self.columns = [column[0] for column in executed.description or ()]
        self._executed = executed

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        with _one_line(self._executed):
            while batch := self._executed.fetchmany(2_000):
                yield from batch


def ask(connection: DuckDBPyConnection, text: str) -> Answer:
    """Run one statement.

    Args:
        connection: Of `open_any`.
        text: SQL; a semicolon at its end is allowed.

    Raises:
        DataError: It is not SQL, not one statement, has no answer, writes, or names what is not there.
    """
    with _one_line(connection):
        statements = connection.extract_statements(text)
        if len(statements) != 1:
            raise DataError(
                f"expected one SQL statement, found {len(statements)}; put it in quotes, or use - for standard input"
            )
        _check_answers(statements[0])
        return Answer(_stopped_by_ctrl_c(connection, statements[0]))


def names(connection: DuckDBPyConnection) -> list[str]:
    """Tables and views that may be asked."""
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
    ).fetchall()
    return [name for (name,) in found if not name.startswith(("parquet_", "report_", "no_"))]


def described() -> Iterator[tuple[str, str, str]]:
    """Name, kind and description of every table and view."""
    yield from ((name, "tables", query.comment) for name, query in sql.queries("tables").items())
    yield from ((name, "report", comment) for name, comment in COMMENTS.items())
    for kind in ("aggregates", "metrics", "details"):
        yield from ((name, kind, query.comment) for name, query in sorted(sql.queries(kind).items()))


def _check_answers(statement: Any) -> None:
    """Refuse what would end without a word and leave nothing behind. A courtesy: safety does not need it."""
    import duckdb

    try:
        kind = statement.type.name
    except ValueError:  # DuckDB has types that its Python package does not know
        kind = "this statement"
    # a PIVOT is a MULTI: it finds its columns first
    if duckdb.ExpectedResultType.NOTHING in statement.expected_result_type and kind != "MULTI":
        raise DataError(f"{kind} answers nothing, and what it does would not be kept; to change things, copy the data")


def _stopped_by_ctrl_c(connection: DuckDBPyConnection, statement: Any) -> DuckDBPyConnection:
    """Execute in a second thread: DuckDB looks for Ctrl-C between its tasks only, and one may take hours."""
    executed: Future[DuckDBPyConnection] = Future()

    def execute() -> None:
        try:
            executed.set_result(connection.execute(statement))
        except BaseException as error:
            executed.set_exception(error)

    try:
        Thread(target=execute, daemon=True).start()
        return executed.result()
    except KeyboardInterrupt:
        while not executed.done():  # an interrupt before the query begins is lost
            connection.interrupt()
            wait([executed], timeout=0.1)
        raise


@contextmanager
def _one_line(connection: DuckDBPyConnection) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if is_interrupt(error):
            raise
        first, *others = [line.strip() for line in str(error).splitlines() if line.strip()]
        if first.startswith("Traceback"):  # of our file system, in Python
            first = others[-1]
        what = re.sub(r"^(\w+ )*\w*Error: ", "", first).rstrip(".!")
        hints = [line for line in others if line.startswith("Candidate")]
        if wanted := re.match(r"Table with name (\w+)", what):
            likely = get_close_matches(wanted[1], names(connection))
            hints = [f"did you mean {' or '.join(likely)}?"] if likely else []
            hints.append("`dialogue-cube sql` without a query lists all tables and views")
        elif isinstance(error, duckdb.PermissionException):
            hints = ["`--allow-files` lets a query read and write files"]
        elif "read-only mode" in what:
            hints = ["to change things, copy the data"]
        elif isinstance(error, duckdb.BinderException) and not hints:
            hints = ["`DESCRIBE pairs` names the columns of pairs"]
        elif isinstance(error, duckdb.ParserException):
            hints = ["the dialect is DuckDB's; write texts in single quotes"]
        raise DataError("; ".join([what, *hints])) from error
