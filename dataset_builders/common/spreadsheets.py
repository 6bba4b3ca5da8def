"""Cells of CSV files that people open in a spreadsheet: no text in them is run as a formula.

>>> as_cell("=HYPERLINK(A1)"), as_cell(-5), as_cell("a-b")
("'=HYPERLINK(A1)", -5, 'a-b')
>>> of_cell("'=HYPERLINK(A1)"), of_cell("'tis")
('=HYPERLINK(A1)', "'tis")
"""

from __future__ import annotations

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def as_cell(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula: it gets an apostrophe in front, as OWASP advises.

    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def of_cell(text: str) -> str:
    """The text of `as_cell`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
