"""The base classes of filters, and the view of rows that filters work on.

A filter is a frozen dataclass: its fields are its action and limits, its method `find` finds the offending rows.
`screen` then flags, masks or drops them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.pairs.encoder import Encoder
from dataset_builders.quality.drops import Findings
from dataset_builders.schema import Config
from dataset_builders.text.normalize import normalize
from dataset_builders.text.words import word_counts

Action = Literal["off", "flag", "mask", "drop"]
"""What to do with offending rows: nothing, flag them, mask their texts, or drop them with a reason."""

Known = TypeVar("Known")

Contexts = Callable[[pa.Table], pa.Array]

_PAIRS_AT_ONCE = 20_000
"""Number of pairs whose embeddings are in memory at once: about 60 MB at 384 dimensions."""


@dataclass(frozen=True)
class Texts:
    """Distinct texts, with what several filters need to know about them: each is computed once.

    Attributes:
        distinct: The texts, string array of shape (n,).
    """

    distinct: pa.Array
    _known: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, texts: pa.Array | pa.ChunkedArray) -> Spoken:
        """The distinct ones of some texts, and which each text is."""
        codes = pc.dictionary_encode(texts, null_encoding="encode")
        codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
        return Spoken(cls(codes.dictionary), codes.indices.to_numpy().astype(np.int64))

    @cached_property
    def normal(self) -> pa.Array:
        """The normalised texts; see `normalize`."""
        return normalize(self.distinct)

    @cached_property
    def normal_words(self) -> np.ndarray:
        """Number of words of each normalised text, shape (n,)."""
        return word_counts(self.normal)

    @cached_property
    def normal_numbers(self) -> np.ndarray:
        """Number of each normalised text, equal for equal ones; shape (n,)."""
        return self.normal.dictionary_encode().indices.to_numpy()

    @cached_property
    def words(self) -> np.ndarray:
        """Number of words of each text, shape (n,)."""
        return word_counts(self.distinct)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Number of characters of each text, int64 of shape (n,)."""
        return pc.utf8_length(self.distinct).to_numpy().astype(np.int64)

    def hits(self, check: TextFilter) -> Findings:
        """The texts that a filter objects to; the quality score needs them, too."""
        return self.once(check.hits, lambda: check.hits(self.distinct))

    def once(self, key: Any, compute: Callable[[], Known]) -> Known:
        """What another module needs to know about the texts, computed at the first call with its key."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


@dataclass(frozen=True)
class Spoken:
    """Occurrences of texts, one after the other.

    Attributes:
        texts: Distinct texts, with those that occur among them.
        codes: Index in `texts.distinct` of each occurrence, int64 of shape (occurrences,).
    """

    texts: Texts
    codes: np.ndarray

    def at(self, places: np.ndarray) -> Spoken:
        """The occurrences at some places."""
        return Spoken(self.texts, self.codes[places])


@dataclass(frozen=True)
class Rows:
    """Rows of one config and their texts: turns, anchor and positive, or utterances.

    Corpora repeat texts and pairs overlap, so filters look at each distinct text once.

    Attributes:
        config: Config of the rows.
        table: The rows.
        texts: Distinct texts.
        text: Index in `texts.distinct` of each occurrence of a text, int64 of shape (occurrences,).
        row: Row number of each occurrence, ascending, int64 of shape (occurrences,).
        by_system: Whether the system is the speaker, bool of shape (occurrences,).
        encoder: Encoder of the texts, if any.
        contexts: Returns the context of some of the pairs; None if the table has it.
    """

    config: Config
    table: pa.Table
    texts: Texts
    text: np.ndarray
    row: np.ndarray
    by_system: np.ndarray
    encoder: Encoder | None = None
    contexts: Contexts | None = None

    @classmethod
    def of(
        cls,
        config: Config,
        table: pa.Table,
        encoder: Encoder | None = None,
        spoken: Spoken | None = None,
        contexts: Contexts | None = None,
    ) -> Rows:
        """The rows of a table of `schema.FEATURES[config]`.

        Args:
            config: Config of the rows.
            table: The rows.
            encoder: Encoder of the texts, if any.
            spoken: The texts of the rows, if they are known, which earlier filters may have judged. An encoder gets the
                rows' own texts, since vectors may differ in the last bit with the texts that are encoded together.
            contexts: See above.
        """
        count = np.arange(len(table))
        if config == "dialogues":
            turns = pc.list_flatten(table["turns"])
            row = np.repeat(count, pc.list_value_length(table["turns"]).to_numpy())
            by_system = _is_system(pc.struct_field(turns, "speaker"))
        elif config == "pairs":  # anchor and positive of each row, one after the other
            row = np.repeat(count, 2)
            by_system = np.stack([_is_system(table[f"{side}_speaker"]) for side in _SIDES], axis=1).ravel()
        else:
            row, by_system = count, np.zeros(len(table), bool)
        if spoken is None or encoder:
            if config == "dialogues":
                spoken = Texts.of(pc.struct_field(turns, "text"))
            elif config == "pairs":
                spoken = Texts.of(pa.chunked_array([c for side in _SIDES for c in table[side].chunks], pa.string()))
                spoken = spoken.at(np.arange(2 * len(table)).reshape(2, -1).T.ravel())
            else:
                spoken = Texts.of(table["utterance"])
        return cls(config, table, spoken.texts, spoken.codes, row, by_system, encoder, contexts)

    def where(self, mask: np.ndarray) -> Rows:
        """The rows where the mask is true, bool of shape (rows,)."""
        here = mask[self.row]
        row = (np.cumsum(mask) - 1)[self.row[here]]
        table = self.table.filter(pa.array(mask))
        return replace(self, table=table, text=self.text[here], row=row, by_system=self.by_system[here])

    @property
    def distinct(self) -> pa.Array:
        """The distinct texts."""
        return self.texts.distinct

    def context(self, numbers: np.ndarray) -> list[list[dict[str, Any]]]:
        """The turns before the anchors of the pairs of these numbers, shape (n,)."""
        pairs = self.table.take(pa.array(numbers))
        return (self.contexts(pairs) if self.contexts else pairs["context"]).to_pylist()

    def with_text(self, hits: Findings) -> Findings:
        """Convert findings among `distinct` to findings among rows; the first hit in a row gives its value."""
        index = np.full(len(self.distinct), -1)
        index[hits.rows] = np.arange(len(hits.rows))
        return self.at(np.flatnonzero(index[self.text] >= 0), hits.values, index[self.text])

    def at(self, occurrences: np.ndarray, values: pa.Array, value_of: np.ndarray) -> Findings:
        """The rows of occurrences; the first occurrence in a row gives its value.

        Args:
            occurrences: Indices of the occurrences, ascending, int64 of shape (n,).
            values: Values to choose from.
            value_of: Index in `values` for each of all occurrences, int64 of shape (occurrences,).
        """
        rows, first = np.unique(self.row[occurrences], return_index=True)
        return Findings(rows, values.take(pa.array(value_of[occurrences[first]])))

    @cached_property
    def cosines(self) -> np.ndarray | None:
        """Cosine of anchor and positive, float32 of shape (rows,); None without an encoder."""
        if self.encoder is None or self.config != "pairs":
            return None
        cosines = np.zeros(len(self.table), np.float32)
        for start in range(0, len(cosines), _PAIRS_AT_ONCE):
            texts = self.text[2 * start : 2 * (start + _PAIRS_AT_ONCE)]
            unique, inverse = np.unique(texts, return_inverse=True)
            vectors = np.asarray(self.encoder.encode(self.distinct.take(pa.array(unique)).to_pylist()))[inverse]
            cosines[start : start + len(texts) // 2] = np.einsum("nd,nd->n", vectors[::2], vectors[1::2])
        return cosines


@dataclass(frozen=True)
class Filter:
    """One check. A subclass has its facts as class variables, its limits as fields, and a method `find`.

    Attributes:
        name: Name in configs, flags, drops and the report.
        description: The reason in drop records, one sentence.
        configs: Configs that it checks.
        actions: Actions to choose from.
        defines_rows: Whether it defines what a row of the config is. Only such filters drop rows of the test split.
        is_overruled: Whether it drops no row that somebody has marked with `keep`.
        action: What to do with offending rows.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    configs: ClassVar[tuple[Config, ...]] = ("dialogues", "pairs", "downstream")
    actions: ClassVar[tuple[Action, ...]] = ("off", "flag", "drop")
    defines_rows: ClassVar[bool] = False
    is_overruled: ClassVar[bool] = True

    action: Action = "flag"

    def find(self, rows: Rows) -> dict[str, Findings]:
        """The offending rows by flag: the filter's name, or `name:kind` for a filter with several kinds."""
        raise NotImplementedError

    def mask(self, rows: Rows, table: pa.Table, matches: dict[str, Findings]) -> pa.Table:
        """Mask the findings; only for filters with the action `mask`.

        Args:
            rows: The rows that `find` searched.
            table: `rows.table`, possibly with a filled `quality` column.
            matches: Result of `find`.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class TextFilter(Filter):
    """A filter that judges each text alone."""

    def find(self, rows: Rows) -> dict[str, Findings]:
        """The rows that contain an offending text."""
        return {self.name: rows.with_text(rows.texts.hits(self))}

    def hits(self, texts: pa.Array) -> Findings:
        """The offending texts; `Findings.rows` are indices of `texts`."""
        raise NotImplementedError


def limit(default: float, low: float = 0, high: float = float("inf")) -> Any:
    """A filter's field for a number from `low` to `high`."""
    return field(default=default, metadata={"low": low, "high": high})


def matching(texts: pa.Array, pattern: str, hint: str = "") -> np.ndarray:
    """Indices of the texts that match an RE2 pattern, int64 of shape (n,).

    Args:
        texts: n texts.
        pattern: The pattern.
        hint: A pattern that every match contains, such as a class of characters: finding it is many times as fast.
    """
    if not hint:
        return np.flatnonzero(pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False))
    rows = matching(texts, hint)
    return rows[matching(texts.take(pa.array(rows)), pattern)]


def findings(rows: Sequence[int] | np.ndarray, values: Sequence[str] | pa.Array) -> Findings:
    """Make findings from plain numbers and strings."""
    strings = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    return Findings(np.asarray(rows, np.int64), strings)


_SIDES = ("anchor", "positive")


def _is_system(speakers: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return pc.equal(speakers, "system").to_numpy(zero_copy_only=False).astype(bool)
