"""The SQL of the project: one query a file, run over parquet files and inside a database alike.

Four kinds, each a folder whose files may read those before it:

- `tables`: rows of the dataset as the database keeps them, from the views that `parquet.sql` makes;
- `aggregates`: counts by source, split and language that can be added up; made once from a pass over the tables;
- `metrics`: the numbers that reports show, out of aggregates and small tables;
- `details`: what a single row or chart asks for, too long for a report.

The first lines of a file say what its columns are and their units.
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
"""Functions that the queries call."""

PARQUET = (FOLDER / "parquet.sql").read_text(encoding="utf-8")
"""Makes the views over the parquet files of a folder; they read it from the variable `folder`, else from here."""

KEYS = {
    "dialogs": ("dialogue_id",),
    "turns": ("dialogue_id", "turn_index"),
    "pairs": ("pair_id",),
    "downstream": ("utterance_id",),
    "drops": ("drop_id",),
    "clusters": ("dialogue_id",),
}
"""Primary keys."""

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
"""Columns of a table under a second name, which takes no space: table -> {second name: column}."""


@dataclass(frozen=True)
class Query:
    """One file.

    Attributes:
        name: Its name: that of the table or view it makes.
        kind: Its folder.
        text: The query, with its comment.
        reads: Tables and views that it reads.
    """

    name: str
    kind: Kind
    text: str
    reads: tuple[str, ...]

    @property
    def comment(self) -> str:
        """What its columns are."""
        lines = self.text.splitlines()
        return "\n".join(line.removeprefix("--").strip() for line in _leading_comment(lines))

    @property
    def view(self) -> str:
        """The statement that makes it a view."""
        aliases = "".join(f", {column} AS {name}" for name, column in ALIASES.get(self.name, {}).items())
        body = f"SELECT *{aliases} FROM (\n{self.text})" if aliases else self.text
        return f"CREATE OR REPLACE VIEW {self.name} AS\n{body};\n"


@cache
def queries(*kinds: Kind) -> dict[str, Query]:
    """All files of some kinds (all when none is named) by name, those first that others read."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(MACROS)
        found = {}
        for kind in kinds or KINDS:
            for path in sorted((FOLDER / kind).glob("*.sql")):
                text = path.read_text(encoding="utf-8")
                reads = tuple(sorted(connection.get_table_names(text)))
                found[path.stem] = Query(path.stem, kind, text, reads)
    order = TopologicalSorter({name: [n for n in query.reads if n in found] for name, query in found.items()})
    return {name: found[name] for name in order.static_order()}


def script() -> str:
    """All as one script for the DuckDB command line: views over the parquet files of the folder it is started in."""
    return "\n".join([MACROS, PARQUET, *(query.view for query in queries().values())])


def _leading_comment(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("--"):
            return
        yield line
