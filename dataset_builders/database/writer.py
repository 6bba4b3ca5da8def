"""Write the tables and views of a database that is attached as `built`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dataset_builders import sql
from dataset_builders.database import facts
from dataset_builders.database.opening import SCHEMA_VERSION

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str, int, int], None]
"""Called before each part with its name, the number of finished parts and the number of parts to write."""

_ABOUT = """
CREATE TABLE IF NOT EXISTS contents (
    name VARCHAR PRIMARY KEY,
    kind VARCHAR NOT NULL,
    rows BIGINT,  -- of a table
    fingerprint VARCHAR NOT NULL,
    description VARCHAR
);
COMMENT ON TABLE contents IS 'Every table and view; fingerprint: digest of the files and the SQL that it is made from';
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY,
    schema_version INTEGER NOT NULL,
    package_version VARCHAR NOT NULL,
    dataset_version VARCHAR,
    dataset_fingerprint VARCHAR,
    dataset_written TIMESTAMP,
    options JSON,
    written VARCHAR[],
    rows MAP(VARCHAR, BIGINT)
);
COMMENT ON TABLE runs IS 'Builds of this file: versions of the packages that wrote the database and the dataset, time '
    '(UTC) and options of the dataset; written: tables and views that the run wrote; rows: of each table after the run';
"""

VIEWS = ("metrics", "details")
"""Kinds of queries that become views; the others become tables."""


class Writer:
    """Updates the attached database `built`.

    Args:
        connection: Connection that also has the views over the parquet files.
        report: Content of `quality/report.json`.
        fingerprints: New fingerprints of all tables and views.
        progress: Called before each table or view.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        report: dict[str, Any],
        fingerprints: dict[str, str],
        progress: Progress | None,
    ) -> None:
        self.connection, self.report, self.fingerprints = connection, report, fingerprints
        self.progress = progress or (lambda *_: None)

    def write(self, stale: Sequence[str], obsolete: Sequence[str], dataset_written: datetime) -> None:
        """Write tables and views.

        Args:
            stale: Tables and views that are missing or made from other data.
            obsolete: Tables and views to remove.
            dataset_written: Time when the dataset was written, UTC, for the table `runs`.
        """
        run = self.connection.execute
        run("SET search_path = 'built.main,memory.main'")
        run(_ABOUT)
        run(sql.MACROS.replace("MACRO ", "MACRO built.main."))
        for name, kind in run("SELECT name, kind FROM contents").fetchall():
            if name in stale or name in obsolete:
                run(f"DROP {'VIEW' if kind in VIEWS else 'TABLE'} {name}")
                run("DELETE FROM contents WHERE name = ?", [name])
        run("CHECKPOINT built")  # to reuse the space of dropped tables
        for done, name in enumerate(stale):
            self.progress(name, done, len(stale))
            kind, rows, description = self._fact(name) if name in facts.SCHEMAS else self._query(sql.queries()[name])
            run(f"COMMENT ON {'VIEW' if kind in VIEWS else 'TABLE'} {name} IS {_literal(description)}")
            run("INSERT INTO contents VALUES (?, ?, ?, ?, ?)", [name, kind, rows, self.fingerprints[name], description])
            if kind == "tables":
                run("CHECKPOINT built")  # to free memory
        run(
            "INSERT INTO runs SELECT (SELECT coalesce(max(run), 0) + 1 FROM runs), ?, ?, ?, ?, ?, ?, ?, "
            "(SELECT map(list(name ORDER BY name), list(rows ORDER BY name)) FROM contents WHERE kind = 'tables')",
            [
                SCHEMA_VERSION,
                version("dialogue-cube"),
                self.report.get("version"),
                self.report.get("fingerprint"),
                dataset_written,
                json.dumps(self.report.get("options")),
                list(stale),
            ],
        )
        run("SET search_path = 'memory.main'")

    def _query(self, query: sql.Query) -> tuple[str, int | None, str]:
        run = self.connection.execute
        if query.kind in VIEWS:
            run(query.view)
            return query.kind, None, query.comment
        columns = {name: kind for name, kind, *_ in run(f"DESCRIBE {query.text}").fetchall()}
        definitions = [f"{name} {kind}" for name, kind in columns.items()]
        for name, column in sql.ALIASES.get(query.name, {}).items():
            definitions.append(f"{name} {columns[column]} GENERATED ALWAYS AS ({column}) VIRTUAL")
        if query.name in sql.KEYS:
            definitions.append(f"PRIMARY KEY ({', '.join(sql.KEYS[query.name])})")
        run(f"CREATE TABLE {query.name} ({', '.join(definitions)})")
        (rows,) = run(f"INSERT INTO {query.name} {query.text}").fetchone() or (0,)
        return query.kind, rows, query.comment

    def _fact(self, name: str) -> tuple[str, int, str]:
        table = facts.facts(self.report)[name]
        self.connection.register("fact", table)
        self.connection.execute(f"CREATE TABLE {name} AS FROM fact")
        self.connection.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(facts.KEYS[name])})")
        self.connection.unregister("fact")
        return "report", len(table), facts.COMMENTS[name]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
