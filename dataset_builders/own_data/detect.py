"""Which form a text is in: by its content first, and by its name where the content allows several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import orjson

from dataset_builders.own_data.inputs import UNDERSTOOD
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain_text import TextStyle, find_style
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.tabular import Table, find_table

HEAD_CHARACTERS = 1 << 16
"""How much of a file is looked at to tell its form."""

_JSON = re.compile(r"\s*(\[\s*([\[{\"\]])|\{\s*[\"}])")
_LINES_LOOKED_AT = 20


@dataclass(frozen=True)
class Form:
    """How a file is written: `table` and `text` say more for those two."""

    name: Literal["json", "jsonl", "table", "text"]
    table: Table | None = None
    text: TextStyle | None = None


def find_form(head: str, is_whole: bool, extension: str, options: Options) -> Form:
    """The form of the text that begins so.

    Args:
        head: The first `HEAD_CHARACTERS`.
        is_whole: It is the whole text.
        extension: Of the file's name.
        options: Columns that the user named.

    Raises:
        BadRecord: It is in none of the forms; says why.
    """
    head = head.lstrip("\ufeff")
    lines_like = extension in (".jsonl", ".ndjson")
    json_like = lines_like or extension == ".json"
    if _JSON.match(head) or (json_like and (head.lstrip()[:1] in "[{" or _parsable(_lines(head, is_whole)))):
        return Form("jsonl" if _is_json_lines(_lines(head, is_whole), lines_like) else "json")
    if json_like:
        raise BadRecord("no JSON in it, whatever its name says")
    if head.lstrip().startswith("<"):
        raise BadRecord(f"looks like HTML or XML; {UNDERSTOOD}")
    whole_lines = head if is_whole else head[: head.rfind("\n") + 1] or head
    is_table_by_name = extension in (".csv", ".tsv", ".tab")
    table = find_table(whole_lines, options, is_table_by_name)
    if table:
        return Form("table", table=table)
    style = find_style(whole_lines)
    if is_table_by_name and (style is None or style.style == "bare"):
        raise BadRecord("a table of one column; two are needed, separated by one of , ; | or a tab")
    if style is None or options.columns:
        named = "no column that was named" if options.columns else "neither a table nor turns by lines"
        raise BadRecord(f"{named}; {UNDERSTOOD}")
    return Form("text", text=style)


def _lines(head: str, is_whole: bool) -> list[str]:
    lines = [line for line in head.split("\n")[: 10 * _LINES_LOOKED_AT] if line.strip(" \t\ufeff")]
    if not is_whole and len(lines) < 10 * _LINES_LOOKED_AT:
        lines = lines[:-1] or lines
    return lines[:_LINES_LOOKED_AT]


def _parsable(lines: list[str]) -> int:
    return sum(_parses(line) for line in lines)


def _parses(line: str) -> bool:
    try:
        return isinstance(orjson.loads(line.strip(" \ufeff")), dict | list)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False


def _is_json_lines(lines: list[str], by_name: bool) -> bool:
    """One value a line: not the lines of a single value. A lone object on one line is a document."""
    parsed = _parsable(lines)
    if lines[0].strip(" \t\ufeff") in ("[", "{"):
        return False
    if by_name:
        return parsed > 0 or lines[0].lstrip().startswith("{")
    if _parses(lines[0]):
        return len(lines) > 1
    return lines[0].lstrip().startswith("{") and 2 * parsed > len(lines)
