"""What a user may say about own data when its columns or encoding do not speak for themselves."""

from __future__ import annotations

import codecs
from dataclasses import asdict, dataclass

from dataset_builders.common.errors import DataError


@dataclass(frozen=True)
class Options:
    """How to read own data. Everything may stay None.

    Args:
        question_column: Column, or key of a JSON object, that holds the question; `answer_column` likewise. A number
            is a column of a table without a header, from 1.
        text_column: Column or key of an own intent's utterance; `label_column` of its label.
        encoding: Of the text, instead of detecting it.

    Raises:
        DataError: The columns do not go together, or there is no such encoding.
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
            raise DataError("give a question and an answer column, or a text and a label column, not both")
        if self.encoding:
            try:
                codecs.lookup(self.encoding)
            except LookupError:
                raise DataError(f"no encoding {self.encoding!r}; for example utf-8, cp1251, latin-1") from None

    @property
    def columns(self) -> dict[str, str]:
        """The columns that were given, by option name."""
        return {name: value for name, value in asdict(self).items() if value and name != "encoding"}
