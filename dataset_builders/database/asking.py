"""Run one query that somebody typed: nothing but reading, errors as one line that says what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders import sql
from dataset_builders.database.facts import COMMENTS, facts
from dataset_builders.database.opening import open_database
from dataset_builders.database.source_folder import dataset_folder
from dataset_builders.errors import DataError
from dataset_builders.quality.report import read_built
from dataset_builders.statistics import open_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_READING = {"SELECT", "EXPLAIN", "RELATION"}
"""Types of statements that read; DESCRIBE, SHOW and SUMMARIZE are SELECT to DuckDB."""


@contextmanager
def open_any(database: str | Path | None = None, data: str | Path | None = None) -> Iterator[DuckDBPyConnection]:
    """A connection on which the same queries run, whether to a database or to the parquet files themselves.

    Args:
        database: A file made by `dialogue-cube database`.
        data: A dataset folder or Hub repository; its numbers are counted when they are asked for.

    Raises:
        DataError: None or both are given, or what is given is not there.
    """
    if (database is None) == (data is None):
        raise DataError("name what to ask: --database FILE, or --data DIR for the parquet files of a dataset folder")
    if database is not None:
        with open_database(database) as connection:
            yield connection
        return
    folder = dataset_folder(str(data))
    report = read_built(folder)
    with open_folder(folder) as connection:
        for name, table in facts(report).items():
            connection.register(f"report_{name}", table)
            connection.execute(f"CREATE VIEW {name} AS FROM report_{name}")
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
        DataError: It is not SQL, not one statement, does more than read, or names what is not there.
    """
    with _one_line(connection):
        statements = connection.extract_statements(text)
        if len(statements) != 1:
            raise DataError(
                f"expected one SQL statement, found {len(statements)}; put it in quotes, or use - for standard input"
            )
        if (kind := statements[0].type.name) not in _READING:
            raise DataError(f"{kind} is not run here: only SELECT and what else reads; to change things, copy the data")
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


def _stopped_by_ctrl_c(connection: DuckDBPyConnection, statement: Any) -> DuckDBPyConnection:
    """Execute in a second thread: DuckDB looks for Ctrl-C between its tasks only, and one may take hours."""
    with ThreadPoolExecutor(1) as second:
        executed = second.submit(connection.execute, statement)
        try:
            return executed.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


@contextmanager
def _one_line(connection: DuckDBPyConnection) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        first, *others = [line.strip() for line in str(error).splitlines() if line.strip()]
        what = re.sub(r"^[A-Z]\w+ Error: ", "", first).rstrip(".!")
        hints = [line for line in others if line.startswith("Candidate")]
        if wanted := re.match(r"Table with name (\w+)", what):
            likely = get_close_matches(wanted[1], names(connection))
            hints = [f"did you mean {' or '.join(likely)}?"] if likely else []
            hints.append("`dialogue-cube sql` without a query lists all tables and views")
        elif isinstance(error, duckdb.BinderException) and not hints:
            hints = ["`DESCRIBE pairs` names the columns of pairs"]
        elif isinstance(error, duckdb.ParserException):
            hints = ["the dialect is DuckDB's; texts stand in single quotes"]
        raise DataError("; ".join([what, *hints])) from error
