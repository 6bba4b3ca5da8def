"""All texts of the page in two languages: `texts/en.yaml` and `texts/ru.yaml`, and those of single tabs beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = {"en": "English", "ru": "Русский"}
"""Languages of the page, each by its own name."""

_SEPARATORS = {"en": (",", "."), "ru": ("\u00a0", ",")}
"""Separators of thousands and of decimals."""


@dataclass(frozen=True)
class Texts:
    """The texts of one language: `texts("pairs.count", n=3)`."""

    language: str
    entries: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with `values` inserted; numbers have the language's format.

        Raises:
            KeyError: There is no such text.
        """
        inserts = {
            name: self.number(value) if isinstance(value, int | float) else value for name, value in values.items()
        }
        return self.entries[key].format(**inserts) if inserts else self.entries[key]

    def number(self, value: float | None, decimals: int | None = None) -> str:
        """Format a number: `1234.5` -> `"1,234.5"`; a dash for None and NaN.

        Args:
            value: The number.
            decimals: Number of decimals; None takes 0 for whole numbers and 1 for others.
        """
        if value is None or value != value:
            return "–"
        if decimals is None:
            decimals = 0 if float(value).is_integer() else 1
        thousands, point = _SEPARATORS[self.language]
        return f"{value:,.{decimals}f}".translate(str.maketrans(",.", thousands + point))

    def percent(self, share: float | None, decimals: int = 1) -> str:
        """Format a share: `0.123` -> `"12.3%"`; a dash for None and NaN."""
        if share is None or share != share:
            return "–"
        return self.number(100 * share, decimals) + ("%" if self.language == "en" else "\u00a0%")

    @property
    def chart_locale(self) -> dict[str, Any]:
        """Format of numbers in charts, a d3 locale."""
        thousands, point = _SEPARATORS[self.language]
        return {"decimal": point, "thousands": thousands, "grouping": [3], "currency": ["", ""]}


@cache
def load_texts(language: str) -> Texts:
    """The texts of `"en"` or `"ru"`.

    Raises:
        ValueError: A key occurs twice, so that one text would hide another one.
    """
    files = sorted(Path(__file__).with_name("texts").glob(f"*{language}.yaml"))
    contents = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    entries: dict[str, str] = {}
    for key, text in (pair for content in contents for pair in _flat(content)):
        if entries.setdefault(key, text) is not text:
            raise ValueError(f"two texts have the key {key}")
    return Texts(language, entries)


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested keys to dotted ones."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), str(value)
