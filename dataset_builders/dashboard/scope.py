"""Queries on only the rows with some metadata.

The database has its aggregates by source, split and language, not by the keys of the metadata, which each user has of
their own. So a query reads, in place of a table, the rows of it that match, and in place of an aggregate or a metric,
its SQL on these rows.
"""

from __future__ import annotations

import re

from dataset_builders import sql
from dataset_builders.dashboard.filters import Metadata

_WITH = re.compile(r"\s*WITH\b", re.IGNORECASE)


def on_rows(query: str, metadata: Metadata) -> str:
    """A query on the rows that have this metadata.

    Args:
        query: SQL on the tables and views of the database. Tables of the report (`sources`, `drops`, ...) stay whole.
        metadata: Condition of the rows.
    """
    condition = f"WHERE {metadata.condition}"
    parts = {name: f"FROM main.{name} {condition}" for name in ("dialogs", "pairs", "downstream")}
    parts["turns"] = "FROM main.turns WHERE dialogue_id IN (SELECT dialogue_id FROM dialogs)"
    parts |= {name: part.text for name, part in sql.queries().items() if part.kind != "tables"}
    used = set(re.findall(r"\w+", query))
    for name in reversed(parts):  # each part reads only earlier ones
        if name in used:
            used.update(re.findall(r"\w+", parts[name]))
    tables = ",\n".join(f"{name} AS (\n{part}\n)" for name, part in parts.items() if name in used)
    if not tables:
        return query
    return f"WITH {tables}, {query[match.end() :]}" if (match := _WITH.match(query)) else f"WITH {tables}\n{query}"
