"""Turns of dialogues with what is done in them: the acts and slots of the `dialogues` config.

>>> from cube_model.data.turns import read_turns
>>> turns = read_turns("my-corpus", "test", sources=["sgd"])  # a folder or a Hub repository
>>> turns.texts[0], turns.action(0)
('I want to find a restaurant in San Jose.', 'inform inform intent city')
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cube_model.data.digest import digest_of
from cube_model.data.hub import read_rows
from cube_model.data.selection import LEAK, is_spoken
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("dialogue_id", "source", "language", "license", "common_domains", "turns", "flags")

_NOT_A_SLOT = {"intent"}
"""Slots of SGD that only repeat what the act says: that it informs of an intent."""

_KINDS_OF_SLOTS = frozenset(
    ("date", "description", "duration", "name", "num", "price", "rating", "review", "time", "type")
)
"""First parts of slots in Taskmaster-3, which names no tasks: `time.showing` and `date.showing` are two slots."""

Words = tuple[str, ...]
Span = tuple[int, int, str]
"""A slot value in a text: its first character, the character after it, and the slot in the words of the source."""


@dataclass(frozen=True)
class Turns:
    """n turns of d dialogues, dialogue by dialogue and in the order spoken.

    Attributes:
        texts: n utterances.
        speakers: n of `user` and `system`.
        acts: The distinct acts of each turn, in common words, sorted; empty where the source gives none.
        slots: The distinct slots that each turn is about, in common words, sorted.
        own_slots: The same in the words of the source.
        spans: The slot values of each turn whose place in the text is known, in their order.
        dialogues: int64 `[n]`, the dialogue of each turn, from 0 to d - 1.
        positions: int64 `[n]`, the place of each turn in its dialogue, from 0.
        dialogue_ids, sources, languages, licenses: d strings each.
        domains: The domains of each dialogue, in common words, sorted; d tuples.
        fingerprint: SHA-256 of all of that.
    """

    texts: list[str]
    speakers: list[str]
    acts: list[Words]
    slots: list[Words]
    own_slots: list[Words]
    spans: list[tuple[Span, ...]]
    dialogues: np.ndarray
    positions: np.ndarray
    dialogue_ids: list[str]
    sources: list[str]
    languages: list[str]
    licenses: list[str]
    domains: list[Words]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.texts)

    def action(self, row: int, *, own: bool = False) -> str:
        """Return the acts and the slots of a turn as words, without its speaker: `inform area, food`.

        Args:
            row: Number of the turn.
            own: Slots in the words of the source, not in common ones.

        Returns:
            `""` if the source says neither. A turn with slots but without acts, as in Taskmaster, informs of them.
        """
        slots = [slot for slot in (self.own_slots if own else self.slots)[row] if slot not in _NOT_A_SLOT]
        acts = self.acts[row] or (("inform",) if slots else ())
        return " ".join([*(act.replace("_", " ") for act in acts), ", ".join(slots)]).strip()


def read_turns(
    data: str | os.PathLike[str],
    split: str,
    *,
    sources: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    languages: Sequence[str] | None = None,
    revision: str | None = None,
) -> Turns:
    """Read the turns of a split, without dialogues that are flagged as leaks.

    Args:
        data: Folder or Hub repository.
        split: `train`, `validation` or `test`.
        sources: Sources. None: all.
        leave_out: Sources that are not read.
        languages: BCP 47 tags; `en` includes `en-US`. None: all.
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        ModelError: The dataset, the split or a source does not exist, or no dialogue is left.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    table = read_rows(data, "dialogues", split, _COLUMNS, revision=revision)
    available = pc.unique(table["source"]).to_pylist()
    if missing := sorted(set(sources or ()) - set(available)):
        choices = ", ".join(sorted(available))
        raise ModelError(f"{data}: no source {', '.join(missing)} in split {split}; choose from {choices}")
    keep = np.array([not any(flag.startswith(LEAK) for flag in flags or ()) for flags in table["flags"].to_pylist()])
    if sources is not None:
        keep &= np.asarray(pc.is_in(table["source"], value_set=pa.array(list(sources), table["source"].type)))
    keep &= [source not in leave_out for source in table["source"].to_pylist()]
    keep &= [is_spoken(language, languages) for language in table["language"].to_pylist()]
    table = table.filter(pa.array(keep)) if len(table) else table
    if not len(table):
        raise ModelError(f"{data}: no dialogue in split {split}" + (f" in {', '.join(languages)}" if languages else ""))
    return _turns_of_table(table.combine_chunks())


def filled(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Return a text with names in place of spans; of spans that overlap, the first is taken.

    >>> filled("Italian food in San Jose", [(0, 7, "cuisine"), (16, 24, "city")])
    '[cuisine] food in [city]'
    """
    parts, at = [], 0
    for start, end, name in sorted(spans):
        if start < at or end > len(text) or start >= end:
            continue
        parts += [text[at:start], f"[{name}]"]
        at = end
    return "".join([*parts, text[at:]])


def _turns_of_table(table: pa.Table) -> Turns:
    lists = _chunk(table["turns"])
    lengths, turns = np.diff(np.asarray(lists.offsets)), lists.flatten()
    annotations = turns.field("annotations")
    acts, spans = (_Lists(annotations.field(name)) for name in ("acts", "slots"))
    act_slots, span_slots = acts.words("common_slot"), spans.words("common_slot")
    own_act_slots, own_span_slots = acts.words("slot"), spans.words("slot")
    columns = {
        "texts": turns.field("text").to_pylist(),
        "speakers": turns.field("speaker").to_pylist(),
        "acts": acts.words("common_act"),
        "slots": [_merged(*both) for both in zip(act_slots, span_slots, strict=True)],
        "own_slots": [_merged(*both, plain=True) for both in zip(own_act_slots, own_span_slots, strict=True)],
        "spans": spans.spans(),
    }
    rows = {
        "dialogue_ids": table["dialogue_id"].to_pylist(),
        "sources": table["source"].to_pylist(),
        "languages": table["language"].to_pylist(),
        "licenses": table["license"].to_pylist(),
        "domains": [tuple(sorted(set(names or ()))) for names in table["common_domains"].to_pylist()],
    }
    starts = np.cumsum(lengths) - lengths
    return Turns(
        **columns,
        **rows,
        dialogues=np.repeat(np.arange(len(table)), lengths),
        positions=np.arange(len(columns["texts"])) - np.repeat(starts, lengths),
        fingerprint=digest_of(*columns.values(), *rows.values(), lengths.tolist()),
    )


class _Lists:
    """A column of n lists of structs."""

    def __init__(self, column: pa.ListArray) -> None:
        import pyarrow.compute as pc

        lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0))
        self._ends, self._values = np.cumsum(lengths), column.flatten()
        self._starts = self._ends - lengths

    def words(self, field: str) -> list[Words]:
        """The distinct values of a field in each list, sorted; none if the rows lack the field."""
        if field not in [self._values.type.field(i).name for i in range(self._values.type.num_fields)]:
            return [()] * len(self._ends)  # a folder of an older version
        values = self._values.field(field).to_pylist()
        return [tuple(sorted(set(filter(None, values[start:end])))) for start, end in self._places()]

    def spans(self) -> list[tuple[Span, ...]]:
        """The values with a place in the text, by place."""
        columns = (self._values.field(name).to_pylist() for name in ("start", "end", "slot"))
        values = [
            (start, end, plain_slot(slot)) if None not in (start, end, slot) else None
            for start, end, slot in zip(*columns, strict=True)
        ]
        return [tuple(sorted(filter(None, values[start:end]))) for start, end in self._places()]

    def _places(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts.tolist(), self._ends.tolist(), strict=True)


def _merged(first: Words, second: Words, *, plain: bool = False) -> Words:
    """The distinct words of both, sorted; `plain`: as `plain_slot`."""
    words = (*first, *second)
    return tuple(sorted({plain_slot(word) for word in words} if plain else set(words)))


def plain_slot(name: str) -> str:
    """Return a source's own name of a slot in words: `movie_ticket.name.movie.accept` is `name movie`.

    >>> plain_slot("movie_ticket.name.movie.accept"), plain_slot("restaurant-book day"), plain_slot("price_range")
    ('name movie', 'book day', 'price range')
    >>> plain_slot("time.showing"), plain_slot("date.showing")
    ('time showing', 'date showing')
    """
    parts = [part for part in name.split(".") if part not in ("accept", "reject")]
    if len(parts) > 1 and parts[0] not in _KINDS_OF_SLOTS:  # the task in Taskmaster 1 and 2
        parts = parts[1:]
    words = re.sub(r"[_\s]+", " ", " ".join(parts)).strip().lower()
    return words if "." in name else words.partition("-")[2] or words  # the domain in MultiWOZ


def _chunk(column: pa.ChunkedArray) -> pa.ListArray:
    array = column.combine_chunks()
    return array.chunk(0) if hasattr(array, "num_chunks") else array
