"""SQL on the points of a map: places and groups, the rows in an area, and those with some words; nothing here draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dataset_builders.dashboard.filters import COLUMNS, Filters
from dataset_builders.dashboard.map.config import Kind
from dataset_builders.dashboard.search.full_text import Terms, pattern_of

GROUPS = ("source", "split", "language", "domain", "intent", "flag")
"""What the colours of the points can show."""

MAPS = "SELECT kind, facts FROM maps ORDER BY kind DESC"

HAS_MAPS = "SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = 'maps'"
"""Whether the database has maps; one that `dialogue-cube map` has not read has no table of them."""

REGIONS = "SELECT level, x, y, points, words FROM map_clusters WHERE kind = ? ORDER BY level, points DESC, cluster"

_POINTS = """
SELECT
    point, x, y, rows, config, row_id, turn_index, source, split, language, domains[1] AS domain, intents[1] AS intent,
    flags[1] AS flag, dialogue_id, {dialogue} AS text
FROM map_points JOIN dialogs ON dialogue_id = row_id {turns}
WHERE kind = '{kind}' AND config = 'dialogues'
UNION ALL
SELECT
    point, x, y, rows, config, row_id, NULL, source, split, language, scenario, label, flags[1], NULL, utterance
FROM map_points JOIN downstream ON utterance_id = row_id
WHERE kind = '{kind}' AND config = 'downstream'
"""

Corners = Sequence[tuple[int, int]]
"""Corners of an area, each in ten-thousandths of the width and height of the map."""

UNIT = 9_999


def points_of(kind: Kind, *, with_texts: bool = False) -> str:
    """SQL of the points of a map, as a table with the columns of `GROUPS` and `text`."""
    if kind == "dialogues":
        return _POINTS.format(kind=kind, dialogue="dialog_text" if with_texts else "NULL", turns="")
    if not with_texts:
        return _POINTS.format(kind=kind, dialogue="NULL", turns="")
    turns = "JOIN (SELECT dialogue_id AS spoken_in, turn_index AS turn, text FROM turns) AS spoken"
    turns += " ON spoken_in = row_id AND turn = map_points.turn_index"
    return _POINTS.format(kind=kind, dialogue="spoken.text", turns=turns)


def placed(kind: Kind, group: str, filters: Filters) -> tuple[str, list[Any]]:
    """SQL and parameters of `point`, `x`, `y` and the group (`name`) of the points that match the filters."""
    where, parameters = filters.where(COLUMNS)
    return f"SELECT point, x, y, {group} AS name FROM ({points_of(kind)}) {where} ORDER BY point", parameters


def lit(kind: Kind, terms: Terms) -> tuple[str, list[Any]]:
    """SQL and parameters of the points whose text has all the terms."""
    tests = ["regexp_matches(text, ?)"] * len(terms.wanted) + ["NOT regexp_matches(text, ?)"] * len(terms.excluded)
    texts = points_of(kind, with_texts=True)
    return (
        f"SELECT point FROM ({texts}) WHERE {' AND '.join(tests) or 'false'}",
        [pattern_of(term) for term in (*terms.wanted, *terms.excluded)],
    )


def near(kind: Kind, keys: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL and parameters of the points whose text has one of the keys of `embed`."""
    texts = points_of(kind, with_texts=True)
    return (
        f"SELECT point FROM ({texts}) WHERE left(sha256(text), 32) IN (SELECT unnest(?::VARCHAR[]))",
        [list(keys)],
    )


AMONG = "point IN (SELECT unnest(string_split(?, ','))::INTEGER)"
"""Condition that a point is one of many; its parameter is their numbers with commas, read faster than a list."""


def inside(
    kind: Kind,
    area: Corners,
    filters: Filters,
    condition: str = "",
    values: Sequence[Any] = (),
    *,
    most: int | None = None,
    first: int = 0,
) -> tuple[str, list[Any]]:
    """SQL and parameters of the rows of the points in an area, in the order of the draw.

    Args:
        kind: What the points are.
        area: Corners of the area; empty for the whole map.
        filters: Filters of the page.
        condition: One more condition, on a point without its text.
        values: Its parameters.
        most: Largest number of rows; None for all.
        first: Number of rows before them.
    """
    where, parameters = _within(area, filters, condition)
    picked = f"SELECT * FROM ({points_of(kind)}) {where} ORDER BY point"
    if most is not None:
        picked += f" LIMIT {most} OFFSET {first}"
    # texts only of these rows, since reading those of all would take most of the time
    return _WITH_TEXTS[kind].format(picked=picked), [*parameters, *values]


def number_inside(
    kind: Kind, area: Corners, filters: Filters, condition: str = "", values: Sequence[Any] = ()
) -> tuple[str, list[Any]]:
    """SQL and parameters of the number of rows of `inside`."""
    where, parameters = _within(area, filters, condition)
    return f"SELECT count(*) FROM ({points_of(kind)}) {where}", [*parameters, *values]


def _within(area: Corners, filters: Filters, condition: str) -> tuple[str, list[Any]]:
    tests = [in_area(area)] if area else []
    return filters.where(COLUMNS, *tests, *([condition] if condition else []))


_WITH_TEXTS: dict[Kind, str] = {
    "utterances": "SELECT picked.* REPLACE (coalesce(turns.text, picked.text) AS text) FROM ({picked}) AS picked "
    "LEFT JOIN turns ON turns.dialogue_id = picked.dialogue_id AND turns.turn_index = picked.turn_index ORDER BY point",
    "dialogues": "SELECT picked.* REPLACE (dialog_text AS text) FROM ({picked}) AS picked "
    "LEFT JOIN dialogs ON dialogs.dialogue_id = picked.dialogue_id ORDER BY point",
}


def in_area(area: Corners) -> str:
    """Whether a point is inside a polygon: a ray from it crosses the border an odd number of times."""
    crossings = []
    # the outermost corners are a little outside, so that the points on the edge of the map are inside
    places = [tuple(value / UNIT if value < UNIT else 1.001 for value in corner) for corner in area]
    for (x, y), (next_x, next_y) in zip(places, [*places[1:], places[0]], strict=True):
        if y != next_y:
            low, high = sorted((y, next_y))
            slope = (next_x - x) / (next_y - y)
            crossings.append(
                f"(y >= {low:.6f} AND y < {high:.6f} AND x < {x:.6f} + {slope:.8f} * (y - {y:.6f}))::INTEGER"
            )
    return f"({' + '.join(crossings) or '0'}) % 2 = 1"


MOST_CORNERS = 200


def read_area(text: str) -> list[tuple[int, int]]:
    """The corners that an address names, such as `100.100~900.100~900.900`; none if it names no area."""
    corners = []
    for part in text.split("~")[:MOST_CORNERS]:
        x, _, y = part.partition(".")
        if not (x.isascii() and x.isdecimal() and y.isascii() and y.isdecimal()):
            return []
        corners.append((min(int(x[:5]), UNIT), min(int(y[:5]), UNIT)))
    return corners if len(corners) > 2 else []
