"""Options for own data whose columns or encoding cannot be recognised."""

from __future__ import annotations

import codecs
from dataclasses import asdict, dataclass

from dataset_builders.common.errors import DataError


@dataclass(frozen=True)
class Options:
    """How to read own data. None means: recognise it from the file.

    Args:
        question_column: Column or JSON key of the question. In a table without a header: the column's number, from 1.
        answer_column: The same for the answer.
        text_column: Column or JSON key of a labelled utterance.
        label_column: Column or JSON key of its label.
        encoding: Text encoding, as Python names it.

    Raises:
        DataError: Columns of pairs and of intents are mixed, or the encoding is unknown.
    """

    question_column: str | None = None
    answer_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        pair = self.question_column or self.answer_column
        intent = self.text_column or self.label_column
        if pair and intent:
            raise DataError("name the question and answer columns, or the text and label columns, not both")
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
        return {name: value for name, value in asdict(self).items() if value and name != "encoding"}
