"""The rows behind a count: which rows a bar, flag, filter, cluster or leak counts, as a part of the address and as SQL.

>>> counted = Behind("pairs", (("flag", "wrong_language"), ("split", "train")))
>>> counted.to_address()
['pairs', 'flag=wrong_language', 'split=train']
>>> Behind.of_address(counted.to_address()) == counted
True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataset_builders.dashboard.filters import COLUMNS, Filters
from dataset_builders.dashboard.search.explorer import Query

PARAMETER = "rows"
"""Name of the parameter in the address."""

_SPACED = "' ' || regexp_replace(lower(replace(text, '’', chr(39))), '[^\\pL\\pN\\pM'']+', ' ', 'g') || ' '"
"""A text in lower case, with one blank around each word."""

_EQUAL = {
    **{name: f"{name} = ?" for name in (*COLUMNS, "license", "speaker", "cluster_id")},
    "filter": '"filter" = ?',
    "config": "config = ?",
    "domain": "list_contains(domains, ?)",
    "intent": "list_contains(intents, ?)",
    "label": "list_contains(coalesce(labels, [label]), ?)",
    "flag": "list_contains(flags, ?)",
    "word": f"contains(lower(text), ?) AND contains({_SPACED}, ?)",
}
"""Condition by name, with one parameter."""

_NUMBERS = {
    **{name: name for name in ("words", "characters")},
    "turns": "turn_count",
    **{f"{side}_{unit}": f"{side}_{unit}" for side in ("anchor", "positive") for unit in ("words", "characters")},
    "score": "quality.score::DOUBLE",  # as in `score_counts`
}
"""SQL of a number that a range limits, by the name of the condition."""

_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Chinese and Japanese, which have no blanks between words."""

NO_DOMAIN = "–"
"""Value of the condition `domain` for dialogues that name none."""

_TEXTS = "source, split, language, array_to_string(flags, ', ') AS flags, license"

_SELECTS = {
    "dialogues": f"""
        SELECT dialog_text AS text, turn_count, array_to_string(domains, ', ') AS domains, {_TEXTS},
            dialogue_id
        FROM dialogs {{where}} ORDER BY dialogue_id""",
    "pairs": f"""
        SELECT anchor, positive, quality.score AS score, {_TEXTS}, pair_id, dialogue_id, turn_index
        FROM pairs {{where}} ORDER BY pair_id""",
    "downstream": f"""
        SELECT utterance, label, {_TEXTS}, utterance_id
        FROM (SELECT *, utterance AS text FROM downstream) {{where}} ORDER BY utterance_id""",
    "turns": """
        SELECT text, speaker, words, characters, source, split, language, dialogue_id, turn_index
        FROM turns {where} ORDER BY dialogue_id, turn_index""",
    "drops": """
        SELECT text, reason, "value", source, split, license, row_id, dialogue_id, "filter", config
        FROM drops {where} ORDER BY drop_id""",
    "clusters": """
        SELECT text, source, kind, similarity, nearest_id, dialogue_id
        FROM (
            SELECT clusters.*, coalesce(dialog_text, text) AS text FROM clusters
            LEFT JOIN (SELECT dialogue_id, dialog_text FROM dialogs) USING (dialogue_id)
            LEFT JOIN (SELECT row_id AS dialogue_id, text FROM drops WHERE config = 'dialogues') USING (dialogue_id)
        ) {where} ORDER BY cluster_id, dialogue_id""",
}
"""The rows of each kind, with the place of the WHERE clause."""

_CONDITIONS = {
    "dialogues": {*COLUMNS, "license", "domain", "intent", "flag", "turns", "words", "characters"},
    "pairs": {*COLUMNS, "license", "domain", "flag", "score", *(name for name in _NUMBERS if "_" in name)},
    "downstream": {*COLUMNS, "license", "flag", "label", "words", "characters", "word"},
    "turns": {*COLUMNS, "speaker", "words", "characters", "word"},
    "drops": {"source", "split", "license", "filter", "config"},
    "clusters": {"cluster_id"},
}
"""Names of the conditions that the rows of each kind can have."""

_LEAKS = {
    "dialogue": ("dialogues", "leak"),
    "translated dialogue": ("dialogues", "leak"),
    "pair": ("pairs", "leak"),
    "text": ("downstream", "leak"),
    "translated text": ("downstream", "leak"),
    "benchmark": (None, "benchmark"),
}
"""Config of the leaking rows of each kind, None for all, and the filter that drops them."""

_KEPT = {
    "dialogues": ("dialog_text", "dialogue_id", "dialogue_id", "dialogs"),
    "pairs": ("concat(anchor, ' -> ', positive)", "pair_id", "dialogue_id", "pairs"),
    "downstream": ("utterance", "utterance_id", "NULL", "downstream"),
}
"""Text, id and dialogue of the rows that stay in the dataset, and their table, by config."""

_SAME = "regexp_replace(lower(utterance), '[^\\pL\\pN]+', '', 'g')"
"""A text without case, punctuation and spacing."""


@dataclass(frozen=True)
class Behind:
    """The rows that a count is about.

    Attributes:
        kind: What the rows are: a key of `_SELECTS`, or `leaks` or `duplicates`.
        conditions: (name, value) of each condition; a range of numbers is `10..19` or `10..`.
    """

    kind: str
    conditions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_address(cls, values: Sequence[str]) -> Behind | None:
        """Read the parameter of an address; None for one that names no such rows."""
        if not values:
            return None
        conditions = tuple((name, value) for name, _, value in (part.partition("=") for part in values[1:]))
        behind = cls(values[0], conditions)
        return behind if behind._is_valid() else None

    def to_address(self) -> list[str]:
        """The values of the parameter of the address."""
        return [self.kind, *(f"{name}={value}" for name, value in self.conditions)]

    def get(self, name: str) -> str:
        """The value of a condition; empty if there is none."""
        return dict(self.conditions).get(name, "")

    def query(self, filters: Filters) -> Query:
        """The rows that also match the filters of the page, as far as they have the columns."""
        if self.kind == "leaks":
            return self._leaks(filters)
        if self.kind == "duplicates":
            return self._duplicates(filters)
        conditions, parameters = [], []
        for name, value in self.conditions:
            condition, values = _condition(name, value)
            conditions.append(condition)
            parameters += values
        where, values = filters.where(self.columns, *conditions)
        return Query(_SELECTS[self.kind].format(where=where), (*values, *parameters))

    @property
    def columns(self) -> tuple[str, ...]:
        """The filters of the page that apply to these rows."""
        return {"drops": ("source", "split"), "leaks": ("source", "split"), "clusters": (), "duplicates": ()}.get(
            self.kind, COLUMNS
        )

    def _is_valid(self) -> bool:
        names = dict(self.conditions)
        if self.kind == "leaks":
            return self.get("leak") in _LEAKS and set(names) <= {"leak", "source"}
        if self.kind == "duplicates":
            return self.get("config") in ("dialogues", "downstream") and {"source", "also_in"} <= set(names)
        ranges = (value for name, value in self.conditions if name in _NUMBERS)
        condition = _CONDITIONS.get(self.kind)
        return condition is not None and set(names) <= condition and all(map(_range, ranges))

    def _leaks(self, filters: Filters) -> Query:
        """Leaking rows: those that were dropped, and those that stay with a flag."""
        kind, source = self.get("leak"), self.get("source")
        config, check = _LEAKS[kind]
        tests = ["source = ?"] if source else []
        drops = [*tests, f"\"filter\" = '{check}'", *([f"config = '{config}'"] if config else [])]
        where, values = filters.where(("source", "split"), *drops)
        parts = [f"SELECT 'dropped' AS fate, text, source, split, \"value\", row_id, dialogue_id FROM drops {where}"]
        flag = f"leak:{kind.removeprefix('translated ')}"
        where, values = filters.where(("source", "split"), *tests, f"list_contains(flags, '{flag}')")
        for name, (text, row_id, dialogue_id, table) in _KEPT.items():
            if config in (None, name):
                parts.append(
                    f"SELECT 'flagged', {text}, source, split, NULL, {row_id}, {dialogue_id} FROM {table} {where}"
                )
        values = [*values, *([source] if source else [])]
        return Query(" UNION ALL ".join(parts) + " ORDER BY fate, source, row_id", tuple(values * len(parts)))

    def _duplicates(self, filters: Filters) -> Query:
        """Rows of one source that another source has, too; on the diagonal, those that occur twice in it."""
        pair = [self.get("source"), self.get("also_in")]
        most = 1 if pair[0] == pair[1] else 0
        if self.get("config") == "dialogues":
            twice = f"SELECT cluster_id FROM clusters WHERE source = ? GROUP BY ALL HAVING count(*) > {most}"
            return Query(
                _SELECTS["clusters"].format(where=f"WHERE source = ? AND cluster_id IN ({twice})"), tuple(pair)
            )
        twice = f"SELECT {_SAME} FROM downstream WHERE source = ? GROUP BY ALL HAVING count(*) > {most}"
        return Query(_SELECTS["downstream"].format(where=f"WHERE source = ? AND {_SAME} IN ({twice})"), tuple(pair))


Opens = Callable[[Mapping[str, Any]], Behind | None]
"""The rows behind a part of a chart or table, by its values; None if it has none."""


def by(kind: str, *names: str, **fixed: str) -> Opens:
    """The rows of a kind by the values that a part of a chart or table has under these names.

    Args:
        kind: See `Behind`.
        names: Names of conditions, which are also those of the values.
        fixed: More conditions.
    """
    return lambda values: Behind(kind, (*fixed.items(), *((name, str(values[name])) for name in names)))


def between(low: float, high: float | None) -> str:
    """The value of a condition on a number, both ends included; None for no upper end."""
    return f"{low:g}.." + ("" if high is None else f"{high:g}")


def _condition(name: str, value: str) -> tuple[str, list[Any]]:
    """A condition in SQL with its parameters."""
    if name in _EQUAL:
        if name == "domain" and value == NO_DOMAIN:
            return "len(coalesce(domains, [])) = 0", []
        if name == "word":
            return _EQUAL[name], [value, value if _UNSPACED.search(value) else f" {value} "]
        return _EQUAL[name], [value]
    low, high = _range(value) or (0, None)
    column = _NUMBERS[name]
    if high is None:
        return f"{column} >= ?", [low]
    return (f"{column} >= ? AND {column} < ?" if name == "score" else f"{column} BETWEEN ? AND ?"), [low, high]


def _range(value: str) -> tuple[float, float | None] | None:
    """The ends of `10..19`; the second is None for `10..`, and all is None for a text that is no range."""
    low, dots, high = value.partition("..")
    try:
        return (float(low), float(high) if high else None) if dots else None
    except ValueError:
        return None
