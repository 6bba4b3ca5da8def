"""Every word of the page, in two languages: `texts/en.yaml`, `texts/ru.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = {"en": "English", "ru": "Русский"}
"""Languages of the interface, as they call themselves."""

_SEPARATORS = {"en": (",", "."), "ru": ("\u00a0", ",")}
"""Between thousands, and before decimals."""


@dataclass(frozen=True)
class Texts:
    """The texts of one language: `texts("pairs.count", n=3)`."""

    language: str
    entries: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with `values` put in; numbers are written as the language does.

        Raises:
            KeyError: There is no such text.
        """
        shown = {
            name: self.number(value) if isinstance(value, int | float) else value for name, value in values.items()
        }
        return self.entries[key].format(**shown) if shown else self.entries[key]

    def number(self, value: float | None, decimals: int | None = None) -> str:
        """`1234.5` -> `"1,234.5"`; a dash where there is no number.

        Args:
            value: Any number.
            decimals: Places after the point; none for whole numbers and one for others when not given.
        """
        if value is None or value != value:
            return "–"
        if decimals is None:
            decimals = 0 if float(value).is_integer() else 1
        thousands, point = _SEPARATORS[self.language]
        return f"{value:,.{decimals}f}".translate(str.maketrans(",.", thousands + point))

    def percent(self, share: float | None, decimals: int = 1) -> str:
        """`0.123` -> `"12.3%"`."""
        if share is None or share != share:
            return "–"
        return self.number(100 * share, decimals) + ("%" if self.language == "en" else "\u00a0%")

    @property
    def chart_locale(self) -> dict[str, Any]:
        """The same for numbers in charts: a d3 format locale."""
        thousands, point = _SEPARATORS[self.language]
        return {"decimal": point, "thousands": thousands, "grouping": [3], "currency": ["", ""]}


@cache
def load_texts(language: str) -> Texts:
    """The texts of `"en"` or `"ru"`."""
    content = yaml.safe_load(Path(__file__).with_name("texts").joinpath(f"{language}.yaml").read_text(encoding="utf-8"))
    return Texts(language, dict(_flat(content)))


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested keys as dotted ones."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + str(key), str(value)
