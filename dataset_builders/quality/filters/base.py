"""What every filter shares: the rows as it sees them, and the two base classes.

A filter IS its settings: a frozen dataclass whose fields are its action and its limits, with a method that finds the
rows it objects to. `screen` decides what happens to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.pairs.encoder import Encoder
from dataset_builders.quality.drops import Findings
from dataset_builders.schema import Config
from dataset_builders.text.normalize import normalize

Action = Literal["off", "flag", "mask", "drop"]
"""What happens to the rows a filter objects to: nothing, a flag, masked texts, or out with a reason."""

_PAIRS_AT_ONCE = 20_000
"""Pairs whose embeddings are held at once: some 60 MB at 384 dimensions."""


@dataclass(frozen=True)
class Rows:
    """Rows of one config with their texts: turns, anchor and positive, or the utterance.

    Corpora repeat themselves and pairs overlap, so each distinct text stands once in `distinct` and is looked at once.

    Attributes:
        config: Which config the rows belong to.
        table: The rows.
        distinct: Distinct texts, string array.
        text: For every occurrence of a text its number in `distinct`, int64 of shape (occurrences,).
        row: Its row, ascending; int64 of shape (occurrences,).
        by_system: Whether the system says it; bool of shape (occurrences,).
        encoder: Gives embeddings; None when there is none.
    """

    config: Config
    table: pa.Table
    distinct: pa.Array
    text: np.ndarray
    row: np.ndarray
    by_system: np.ndarray
    encoder: Encoder | None = None
    _hits: dict[TextFilter, Findings] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, config: Config, table: pa.Table, encoder: Encoder | None = None) -> Rows:
        """The rows of a table of `schema.FEATURES[config]`."""
        count = np.arange(len(table))
        if config == "dialogues":
            turns = pc.list_flatten(table["turns"])
            texts, speakers = pc.struct_field(turns, "text"), pc.struct_field(turns, "speaker")
            row = np.repeat(count, pc.list_value_length(table["turns"]).to_numpy())
        elif config == "pairs":  # both sides of a row one after the other
            texts, speakers = (
                _interleave(table, "anchor", "positive"),
                _interleave(table, "anchor_speaker", "positive_speaker"),
            )
            row = np.repeat(count, 2)
        else:
            texts, speakers, row = table["utterance"], pa.repeat(pa.scalar("user"), len(table)), count
        distinct = pc.unique(texts)
        text = pc.index_in(texts, distinct).to_numpy().astype(np.int64)
        by_system = pc.equal(speakers, "system").to_numpy(zero_copy_only=False).astype(bool)
        return cls(config, table, distinct, text, row, by_system, encoder)

    def with_text(self, found: Findings) -> Findings:
        """Rows that hold a found text (`found.rows` number `distinct`); the first one in a row gives the value."""
        which = np.full(len(self.distinct), -1)
        which[found.rows] = np.arange(len(found.rows))
        return self.at(np.flatnonzero(which[self.text] >= 0), found.values, which[self.text])

    def at(self, occurrences: np.ndarray, values: pa.Array, value_of: np.ndarray) -> Findings:
        """Rows of the occurrences (ascending), each with the value `values[value_of[its first occurrence]]`."""
        rows, first = np.unique(self.row[occurrences], return_index=True)
        return Findings(rows, values.take(pa.array(value_of[occurrences[first]])))

    @cached_property
    def normal(self) -> pa.Array:
        """`distinct` as `normalize` makes it."""
        return normalize(self.distinct)

    @cached_property
    def words(self) -> np.ndarray:
        """`word_counts` of `distinct`."""
        return word_counts(self.distinct)

    def hits(self, check: TextFilter) -> Findings:
        """What a filter objects to among `distinct`; filter and quality score ask, it is looked for once."""
        if check not in self._hits:
            self._hits[check] = check.hits(self.distinct)
        return self._hits[check]

    @cached_property
    def cosines(self) -> np.ndarray | None:
        """Cosine of the two sides of each pair, float32 of shape (rows,); None without an encoder."""
        if self.encoder is None or self.config != "pairs":
            return None
        cosines = np.zeros(len(self.table), np.float32)
        for start in range(0, len(cosines), _PAIRS_AT_ONCE):
            sides = self.text[2 * start : 2 * (start + _PAIRS_AT_ONCE)]
            needed, where = np.unique(sides, return_inverse=True)
            vectors = np.asarray(self.encoder.encode(self.distinct.take(pa.array(needed)).to_pylist()))[where]
            cosines[start : start + len(sides) // 2] = np.einsum("nd,nd->n", vectors[::2], vectors[1::2])
        return cosines


@dataclass(frozen=True)
class Filter:
    """One check. A subclass adds its limits as fields, its facts as class variables, and `find`.

    Attributes:
        name: Its name in configs, flags, drops and the report.
        description: One sentence for a person.
        configs: The configs it looks at.
        actions: What it may be told to do.
        defines_rows: It says what a row of the config IS, so it also drops in the test split, where judgement may not.
        action: What happens to the rows it finds.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    configs: ClassVar[tuple[Config, ...]] = ("dialogues", "pairs", "downstream")
    actions: ClassVar[tuple[Action, ...]] = ("off", "flag", "drop")
    defines_rows: ClassVar[bool] = False

    action: Action = "flag"

    def find(self, rows: Rows) -> dict[str, Findings]:
        """What it objects to, by flag: its name, or `name:kind` where it tells kinds apart."""
        raise NotImplementedError

    def mask(self, rows: Rows, table: pa.Table, found: dict[str, Findings]) -> pa.Table:
        """`table`, which is `rows.table` with more columns filled, with what was found masked.

        Only for filters that have the action `mask`.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class TextFilter(Filter):
    """A filter that judges every text by itself."""

    def find(self, rows: Rows) -> dict[str, Findings]:
        """The rows that hold a text of `hits`."""
        return {self.name: rows.with_text(rows.hits(self))}

    def hits(self, texts: pa.Array) -> Findings:
        """Which of the texts it objects to."""
        raise NotImplementedError


def limit(default: float, low: float = 0, high: float = float("inf")) -> Any:
    """A field of a filter: a number from `low` to `high`."""
    return field(default=default, metadata={"low": low, "high": high})


def matching(texts: pa.Array, pattern: str) -> np.ndarray:
    """Numbers of the texts with a match of an RE2 pattern, int64 of shape (n,)."""
    return np.flatnonzero(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False))


def findings(rows: Sequence[int] | np.ndarray, values: Sequence[str] | pa.Array) -> Findings:
    """Findings from plain numbers and strings."""
    strings = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return Findings(np.asarray(rows, np.int64), strings)


def word_counts(texts: pa.Array) -> np.ndarray:
    """Words of each text as separated by white space, int64 of shape (n,)."""
    trimmed = pc.utf8_trim_whitespace(texts)
    words = pc.list_value_length(pc.utf8_split_whitespace(trimmed)).to_numpy()
    return np.where(pc.equal(trimmed, "").to_numpy(zero_copy_only=False), 0, words)  # "" splits into one empty word


def _interleave(table: pa.Table, first: str, second: str) -> pa.ChunkedArray:
    """first[0], second[0], first[1], ..."""
    both = pa.chunked_array([*table[first].chunks, *table[second].chunks], pa.string())
    return both.take(pa.array(np.arange(len(both)).reshape(2, -1).T.ravel()))
