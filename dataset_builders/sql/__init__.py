"""The SQL queries of the project, one per file, which run on parquet files and in a database alike.

There are four kinds, each in a folder. Queries may read those of earlier kinds:

- `tables`: rows of the dataset, from the views that `parquet.sql` creates;
- `aggregates`: additive counts by source, split and language, from one pass over the tables;
- `metrics`: numbers for reports, from aggregates and small tables;
- `details`: data for single rows or charts, too long for a report.

The comment at the beginning of a file explains its columns and their units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Literal

Kind = Literal["tables", "aggregates", "metrics", "details"]

KINDS: tuple[Kind, ...] = ("tables", "aggregates", "metrics", "details")

FOLDER = Path(__file__).parent

MACROS = (FOLDER / "macros.sql").read_text(encoding="utf-8")
"""SQL that defines the functions of the queries."""

PARQUET = (FOLDER / "parquet.sql").read_text(encoding="utf-8")
"""SQL that creates views over the parquet files of the folder in the variable `folder`, or the current folder."""

KEYS = {
    "dialogs": ("dialogue_id",),
    "turns": ("dialogue_id", "turn_index"),
    "pairs": ("pair_id",),
    "downstream": ("utterance_id",),
    "drops": ("drop_id",),
    "clusters": ("dialogue_id",),
}
"""Primary key of each table."""

ALIASES = {
    "dialogs": {"split_name": "split", "dataset_name": "source"},
    "pairs": {
        "first_utterance": "anchor",
        "second_utterance": "positive",
        "split_name": "split",
        "dataset_name": "source",
    },
    "downstream": {"dataset_name": "source"},
}
"""Second names of columns, which take no space: {second name: column} by table."""


@dataclass(frozen=True)
class Query:
    """One query.

    Attributes:
        name: Name of the file, and of the table or view made from it.
        kind: Folder of the file.
        text: SQL of the query, with its comment.
        reads: Tables and views that it reads.
    """

    name: str
    kind: Kind
    text: str
    reads: tuple[str, ...]

    @property
    def comment(self) -> str:
        """The comment at the beginning, which explains the columns."""
        lines = self.text.splitlines()
        return "\n".join(line.removeprefix("--").strip() for line in _leading_comment(lines))

    @property
    def view(self) -> str:
        """The statement that creates a view of the query."""
        aliases = "".join(f", {column} AS {name}" for name, column in ALIASES.get(self.name, {}).items())
        body = f"SELECT *{aliases} FROM (\n{self.text})" if aliases else self.text
        return f"CREATE OR REPLACE VIEW {self.name} AS\n{body};\n"


@cache
def queries(*kinds: Kind) -> dict[str, Query]:
    """The queries of these kinds, by default all, by name; queries come after those that they read."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(MACROS)
        by_name = {}
        for kind in kinds or KINDS:
            for path in sorted((FOLDER / kind).glob("*.sql")):
                text = path.read_text(encoding="utf-8")
                reads = tuple(sorted(connection.get_table_names(text)))
                by_name[path.stem] = Query(path.stem, kind, text, reads)
    order = TopologicalSorter({name: [n for n in query.reads if n in by_name] for name, query in by_name.items()})
    return {name: by_name[name] for name in order.static_order()}


def script() -> str:
    """A script for the DuckDB command line that creates all views over the parquet files of the current folder."""
    return "\n".join([MACROS, PARQUET, *(query.view for query in queries().values())])


def _leading_comment(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("--"):
            return
        yield line
