"""Leaderboards of one teacher as one Markdown table, as the READMEs show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cube_model.evaluation.leaderboard.tables import Line, lines, sources

_METRIC = "accuracy_1_of_100"

_Column = dict[str, Line]
"""Method -> its line at one training size."""


def markdown_table(boards: Sequence[Mapping[str, Any]]) -> str:
    """1-of-100 accuracy of all methods, means over the seeds: a row a method, a column a tested corpus and size.

    The best of a column is bold; `=` stands behind a figure whose paired difference to the core could be zero (95 %
    interval). What does not learn has one figure for all sizes. Rows are in the order of the first board's largest
    training size.

    Args:
        boards: JSON objects of `dialogue-cube leaderboard`, of one teacher.
    """
    columns = [column for board in boards for column in _columns(board)]
    first = columns[len(_columns(boards[0])) - 1][1]
    names = sorted(
        {name for _, column, _ in columns for name in column},
        key=lambda name: -first[name].mean(_METRIC) if name in first else 0.0,
    )
    heads = ["method", "parameters", *(head for head, *_ in columns)]
    rows = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for name in names:
        parameters = next(column[name].parameters for _, column, _ in columns if name in column)
        figures = [_figure(name, column, level) for _, column, level in columns]
        rows.append([f"**{name}**" if name == "core" else name, f"{parameters:,}", *figures])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _columns(board: Mapping[str, Any]) -> list[tuple[str, _Column, set[str]]]:
    """Head, lines, and the methods that may be level with the core, of each tested corpus and training size."""
    tested = sources(board["results"])
    # several corpora together are in the file
    return [column for source in tested if source != "all" for column in _columns_of(board, source)]


def _columns_of(board: Mapping[str, Any], source: str) -> list[tuple[str, _Column, set[str]]]:
    found = lines(board["results"], source)
    columns = []
    for size in sorted({line.train_size for line in found if line.train_size is not None}):
        level = {
            each["method"]
            for each in board["differences"]
            if each["source"] == source and each["train_size"] == size and each["ci95"][0] <= 0 <= each["ci95"][1]
        }
        column = {line.method: line for line in found if line.train_size in (None, size)}
        columns.append((f"{source}, {size:,} pairs", column, level))
    return columns


def _figure(name: str, column: _Column, level: set[str]) -> str:
    if name not in column:
        return ""
    shown = {method: f"{line.mean(_METRIC):.3f}".lstrip("0") for method, line in column.items()}
    figure = f"**{shown[name]}**" if shown[name] == max(shown.values()) else shown[name]
    return f"{figure} =" if name in level else figure
