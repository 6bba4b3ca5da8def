"""Options for own data whose format, columns or roles cannot be recognised."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any, Literal

from dataset_builders.common.errors import DataError
from dataset_builders.common.options import Options as DeclaredOptions
from dataset_builders.common.options import option
from dataset_builders.own_data.turns.times import DateOrder

Kept = Literal["media", "notices", "tools", "prompts"]

ONE_CONVERSATION = "file"
"""Value of `dialogue_column` for files that each hold one conversation."""

_PAIR = ("question_column", "answer_column")
_TURNS = ("dialogue_column", "turn_column", "speaker_column", "time_column", "turns_path")
_COLUMNS = (*_PAIR, "text_column", "label_column", *_TURNS, "split_column")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}

OWN_PANEL = "Your own data"
"""Panel of the options of own data in the help of `build`."""

_COLUMN_PANEL = (
    "Your own data: columns (a name, a dotted path for nested data, or a number from 1 if there is no header)"
)
_TURN_PANEL = "Your own data: what becomes a turn"


def _column(help: str) -> Any:
    return option(None, help, none="recognised", panel=_COLUMN_PANEL)


_ESCAPES = ("raw-unicode-escape", "unicode-escape", "idna", "punycode")
"""Codecs of Python that write characters as other characters."""


@dataclass(frozen=True)
class Options(DeclaredOptions):
    """How to read own data: options of `load` and `dialogue-cube build`, keys of a mapping file and of a pipeline.

    A column is a name, a dotted path for nested data, or a number from 1 in a table without a header.

    Raises:
        DataError: Columns of pairs, intents and turns are mixed, or a value is unknown.
    """

    format: str | None = option(None, "Format, see `dialogue-cube formats`.", none="recognised", panel=OWN_PANEL)
    encoding: str | None = option(None, "Text encoding of the files.", none="detected", panel=OWN_PANEL)
    question_column: str | None = _column("Column of the questions.")
    answer_column: str | None = _column("Column of the answers.")
    text_column: str | None = _column("Column of the intents' texts, or of the turns' texts.")
    label_column: str | None = _column("Column of the intents' labels.")
    dialogue_column: str | None = _column(
        "Column of the dialogue's id, with one row per turn; `file` for one dialogue a file."
    )
    turn_column: str | None = _column("Column of the turn's number.")
    speaker_column: str | None = _column("Column of the turn's speaker.")
    time_column: str | None = _column("Column of the turn's time.")
    split_column: str | None = _column("Column of the split: train, validation or test.")
    turns_path: str | None = _column("Key of the list of turns, such as `data.messages`.")
    system_speaker: tuple[str, ...] = option(
        (), "Name of a speaker who answers; may be repeated. All others are users.", panel=_TURN_PANEL, repeatable=True
    )
    date_order: DateOrder | None = option(
        None,
        "Order of day, month and year in dates such as 3/4/26.",
        none="from all dates of the file",
        panel=_TURN_PANEL,
    )
    session_gap: str | None = option(
        None, "Pause that ends a conversation, such as 30m or 6h.", none="6h in endless chats", panel=_TURN_PANEL
    )
    keep: tuple[Kept, ...] = option((), "Messages to keep as turns instead of leaving them out.", panel=_TURN_PANEL)
    keep_names: bool = option(
        False, "Keep the names of participants in the texts.", flags=("--keep-names",), panel=_TURN_PANEL
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self._names(_PAIR) and (self.text_column or self.label_column)) or (
            self.label_column and self._names(_TURNS)
        ):
            raise DataError("name the question and answer columns, or the text and label columns, not both")
        if self._names(_PAIR) and self._names(_TURNS):
            raise DataError("name the question and answer columns, or the columns of turns, not both")
        _ = self.gap
        if self.encoding:
            try:  # codecs such as base64 and rot13 are no encodings of text
                "a".encode(self.encoding)
                is_known = codecs.lookup(self.encoding).name not in _ESCAPES
            except (LookupError, UnicodeError):
                is_known = False
            if not is_known:
                raise DataError(f"unknown encoding {self.encoding!r}; use, for example, utf-8, cp1251 or latin-1")

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
        return {name: value for name in names if (value := getattr(self, name))}
