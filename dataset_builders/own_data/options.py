"""Options for own data whose format, columns or roles cannot be recognised."""

from __future__ import annotations

import codecs
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.times import DATE_ORDERS, DateOrder

Kept = Literal["media", "notices", "tools", "prompts"]
KEPT = get_args(Kept)

ONE_CONVERSATION = "file"
"""Value of `dialogue_column` for files that each hold one conversation."""

_PAIR = ("question_column", "answer_column")
_TURNS = ("dialogue_column", "turn_column", "speaker_column", "time_column", "turns_path")
_COLUMNS = (*_PAIR, "text_column", "label_column", *_TURNS, "split_column")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Options:
    """How to read own data. None means: recognise it from the file.

    A column is the name of a column or a key; a dotted path for nested data; in a table without a header its number,
    from 1.

    Args:
        format: Name of the format (`formats.registry`).
        question_column: Column of the question.
        answer_column: Column of the answer.
        text_column: Column of a labelled utterance, or of a turn's text.
        label_column: Column of the utterance's label.
        dialogue_column: Column of the dialogue's id, in a file with one row per turn; `file` for one dialogue a file.
        turn_column: Column of the turn's number.
        speaker_column: Column of the turn's speaker.
        time_column: Column of the turn's time.
        split_column: Column of the split.
        turns_path: Key of the list of turns.
        system_speaker: Names of the speakers that answer; all others are users.
        date_order: Order of day, month and year in local dates.
        session_gap: Length of the pause that ends a conversation, such as `6h`; None cuts only chats, at six hours.
        keep: Kinds of messages that are kept as turns instead of being left out.
        keep_names: Whether names of participants in the texts are kept.
        encoding: Text encoding, as Python names it.

    Raises:
        DataError: Columns of pairs, intents and turns are mixed, or a value is unknown.
    """

    format: str | None = None
    question_column: str | None = None
    answer_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    dialogue_column: str | None = None
    turn_column: str | None = None
    speaker_column: str | None = None
    time_column: str | None = None
    split_column: str | None = None
    turns_path: str | None = None
    system_speaker: tuple[str, ...] = ()
    date_order: DateOrder | None = None
    session_gap: str | None = None
    keep: tuple[Kept, ...] = ()
    keep_names: bool = False
    encoding: str | None = None

    def __post_init__(self) -> None:
        if (self._names(_PAIR) and (self.text_column or self.label_column)) or (
            self.label_column and self._names(_TURNS)
        ):
            raise DataError("name the question and answer columns, or the text and label columns, not both")
        if self._names(_PAIR) and self._names(_TURNS):
            raise DataError("name the question and answer columns, or the columns of turns, not both")
        if self.date_order is not None and self.date_order not in DATE_ORDERS:
            raise DataError(f"date_order is {self.date_order!r}; expected one of {', '.join(DATE_ORDERS)}")
        if unknown := [kind for kind in self.keep if kind not in KEPT]:
            raise DataError(f"keep is {unknown[0]!r}; expected some of {', '.join(KEPT)}")
        _ = self.gap
        if self.encoding:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise DataError(
                    f"unknown encoding {self.encoding!r}; use, for example, utf-8, cp1251 or latin-1"
                ) from None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the user named, by option name."""
        return self._names(_COLUMNS)

    @property
    def of_turns(self) -> dict[str, str]:
        """The columns of turns that the user named, by option name."""
        return self._names(_TURNS)

    @property
    def answering(self) -> frozenset[str]:
        """The names in `system_speaker`, case-folded."""
        return frozenset(name.strip().casefold() for name in self.system_speaker)

    @property
    def gap(self) -> float | None:
        """`session_gap` in seconds; None if it is not set."""
        if self.session_gap is None:
            return None
        match = _DURATION.fullmatch(self.session_gap.strip().lower())
        if match is None or not float(match[1]):
            raise DataError(f"session_gap is {self.session_gap!r}; expected a duration such as 30m, 6h or 2d")
        return float(match[1]) * _SECONDS[match[2]]

    def _names(self, names: tuple[str, ...]) -> dict[str, str]:
        values: dict[str, Any] = asdict(self)
        return {name: values[name] for name in names if values[name]}
