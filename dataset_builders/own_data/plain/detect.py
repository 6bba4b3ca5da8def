"""Detect the form of a text: by its content first, and by the file name if the content is ambiguous."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

from dataset_builders.own_data.containers.inputs import SUPPORTED
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain.plain_text import Style, TextStyle, find_style, named_style
from dataset_builders.own_data.plain.tabular import Table, find_table
from dataset_builders.own_data.rejects import BadRecord

if TYPE_CHECKING:
    from dataset_builders.own_data.containers.rows import Rows

TEXT_FORMS: dict[str, Style] = {
    "prefixed-lines": "prefixed",
    "named-lines": "named",
    "dashed-lines": "dashed",
    "alternating-lines": "bare",
}
"""Name of a form of plain text -> its style. The last two are only read if the user names them."""

PLAIN_FORMS = ("json", "jsonl", "table", *TEXT_FORMS)
"""Forms that are no product's format, as values of `--format`."""

HEAD_CHARACTERS = 1 << 16
"""Number of characters at the beginning of a file that decide its form."""

_JSON = re.compile(r"\s*(\[\s*([\[{\"\]])|\{\s*[\"}])")
_SAMPLE_LINES = 20


@dataclass(frozen=True)
class Form:
    """The form of a file.

    Args:
        name: Form of the records; `format` if a format of `formats` reads them.
        table: Delimiter and columns of a table.
        text: Style of plain text.
        rows: Rows of a parquet file, a spreadsheet or the like.
    """

    name: Literal["json", "jsonl", "table", "text", "rows", "format"]
    table: Table | None = None
    text: TextStyle | None = None
    rows: Rows | None = field(default=None, compare=False, repr=False)


def find_form(head: str, is_whole: bool, extension: str, options: Options) -> Form:
    """Detect the form of a text from its beginning.

    Args:
        head: The first `HEAD_CHARACTERS` characters.
        is_whole: Whether `head` is the whole text.
        extension: Extension of the file name, in lower case.
        options: Columns that the user named.

    Raises:
        BadRecord: The text is in no supported form.
    """
    head = head.lstrip("\ufeff")
    whole_lines = head if is_whole else head[: head.rfind("\n") + 1] or head
    if options.format in TEXT_FORMS:
        return Form("text", text=named_style(whole_lines, TEXT_FORMS[options.format]))
    if options.format in ("json", "jsonl"):
        return Form("jsonl" if options.format == "jsonl" else "json")
    lines_like = extension in (".jsonl", ".ndjson")
    json_like = lines_like or extension == ".json"
    if _JSON.match(head) or (json_like and (head.lstrip()[:1] in "[{" or _parsable(_lines(head, is_whole)))):
        return Form("jsonl" if _is_json_lines(_lines(head, is_whole), lines_like) else "json")
    if json_like:
        raise BadRecord("no JSON in it, despite its name")
    if head.lstrip().startswith("<"):
        raise BadRecord(f"looks like HTML or XML; {SUPPORTED}")
    is_table_by_name = extension in (".csv", ".tsv", ".tab") or options.format == "table"
    table = find_table(whole_lines, options, is_table_by_name)
    if table:
        return Form("table", table=table)
    style = find_style(whole_lines)
    if is_table_by_name and (style is None or style.style not in ("prefixed", "named")):
        raise BadRecord("a table with one column; two or more are needed, separated by , ; | or a tab")
    if style is None or options.columns:
        problem = "no table with the named columns" if options.columns else "neither a table nor one turn per line"
        raise BadRecord(f"{problem}; {SUPPORTED}")
    if style.style in ("dashed", "bare"):
        name = "dashed-lines" if style.style == "dashed" else "alternating-lines"
        raise BadRecord(
            f"it is not evident that its lines are turns, since none names its speaker; if user and system alternate, "
            f"say so: format {name} (--format {name}); {SUPPORTED}"
        )
    return Form("text", text=style)


def _lines(head: str, is_whole: bool) -> list[str]:
    """The first lines that are not blank and, unless there is only one, not cut off."""
    lines = [line for line in head.split("\n")[: 10 * _SAMPLE_LINES] if line.strip(" \t\ufeff")]
    if not is_whole and len(lines) < 10 * _SAMPLE_LINES:
        lines = lines[:-1] or lines
    return lines[:_SAMPLE_LINES]


def _parsable(lines: list[str]) -> int:
    return sum(_parses(line) for line in lines)


def _parses(line: str) -> bool:
    try:
        return isinstance(orjson.loads(line.strip(" \ufeff")), dict | list)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False


def _is_json_lines(lines: list[str], by_name: bool) -> bool:
    """Whether each line is a JSON value, rather than a part of one. A single object on one line is a document."""
    parsed = _parsable(lines)
    if lines[0].strip(" \t\ufeff") in ("[", "{"):
        return False
    if by_name:
        return parsed > 0 or lines[0].lstrip().startswith("{")
    if _parses(lines[0]):
        return len(lines) > 1
    return lines[0].lstrip().startswith("{") and 2 * parsed > len(lines)
