"""Read dialogues from plain text: one turn per line or a prefix before each turn, blank lines between dialogues."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns import speakers

Style = Literal["prefixed", "named", "dashed", "bare"]

_STAMP = r"\s*(?:\[[^\]]{1,40}\]\s*)?"  # the time of a turn
# bold marks, a name, a number ("Q1:"), a time or name in brackets, a colon or an arrow
_PREFIX = re.compile(
    rf"{_STAMP}(?:[*_#>]+\s*)?(?P<name>[^\W\d_]+(?:-[^\W\d_]+)?)(?P<number>[ ]?[№#]?\d{{1,6}})?"
    r"(?:\s*\([^()]{1,30}\))?[*_]*\s*[:：>][*_]*\s*"
)
_NAMED = re.compile(rf"{_STAMP}(?P<name>[^\W\d_][\w.()' -]{{0,30}}):\s+(?=\S)")
_DASH = re.compile(r"\s*[-–—•*]\s+")
_RULE = re.compile(r"\s*[-=*_~#]{3,}\s*")

_LOG_LEVELS = {"trace", "debug", "info", "notice", "warn", "warning", "error", "critical", "fatal", "note"}

Line = tuple[int, str]


@dataclass(frozen=True)
class TextStyle:
    """How a text separates turns and dialogues.

    Args:
        style: What a turn begins with: `prefixed` a word for the speaker's role, `named` a person's name, `dashed` a
            dash. `bare` lines alternate between user and system.
        paragraphs: Whether blank lines separate turns. A dialogue then begins where the user speaks after the system.
    """

    style: Style
    paragraphs: bool = False


@dataclass(frozen=True)
class Block:
    """One dialogue.

    Args:
        line: The line it begins on, from 1.
        turns: (speaker, text) of each turn.
        text: The text of the dialogue.
        problem: Why it cannot be used; empty if it can.
    """

    line: int
    turns: list[tuple[str, str]]
    text: str
    problem: str = ""


def find_style(head: str) -> TextStyle | None:
    """Detect the style of a text from its beginning; None if it does not look like dialogues."""
    blocks = [[line for _, line in block] for block in _blocks(enumerate(head.split("\n"), start=1))]
    lines = [line for block in blocks for line in block]
    if not lines:
        return None
    prefixed = sum(1 for line in lines if _side_prefix(line)) / len(lines)
    if prefixed >= 0.5 or (prefixed >= 0.2 and _side_prefix(lines[0])):  # a turn may span several lines
        single = sum(sum(1 for line in b if _side_prefix(line)) < 2 for b in blocks)
        return TextStyle("prefixed", paragraphs=len(blocks) > 1 and single > 0.8 * len(blocks))
    named = [m["name"].casefold() for line in lines if (m := _NAMED.match(line))]
    is_log = bool(named) and set(named) <= _LOG_LEVELS
    if len(named) >= 0.8 * len(lines) and 4 <= 2 * len(set(named)) <= len(named) + 1 and not is_log:
        return TextStyle("named")  # the same people again and again
    if sum(1 for line in lines if _DASH.match(line)) >= 0.5 * len(lines):
        return TextStyle("dashed")
    if sum(len(block) > 1 for block in blocks) * 2 < len(blocks):
        return None  # paragraphs of one line, as in a letter or an article
    return TextStyle("bare")


def named_style(head: str, style: Style) -> TextStyle:
    """The style that the user named, with what the beginning of the text shows of its paragraphs."""
    detected = find_style(head)
    return detected if detected and detected.style == style else TextStyle(style)


def read_blocks(lines: Iterable[str], style: TextStyle) -> Iterator[Block]:
    """The dialogues of a text."""
    numbered = enumerate((line.strip(" \t\r\n\ufeff") for line in lines), start=1)
    blocks = _blocks(numbered)
    for block in _joined(blocks) if style.paragraphs else blocks:
        text = "\n".join(line for _, line in block)
        turns, problem = _turns(block, style)
        yield Block(block[0][0], turns, text, problem)


def turns_of(text: str) -> list[tuple[str, str]]:
    """(speaker, text) of each turn of a dialogue that is one string.

    Raises:
        BadRecord: The string does not have one turn per line.
    """
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    style = find_style("\n".join(line for _, line in lines))
    if style is None or len(lines) < 2:
        raise BadRecord("a dialogue in one text must have one turn a line")
    turns, problem = _turns(lines, style)
    if problem:
        raise BadRecord(problem)
    return turns


def _blocks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    block: list[Line] = []
    for number, line in lines:
        if line and not line.isspace() and not (line.lstrip()[0] in "-=*_~#" and _RULE.fullmatch(line)):
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _joined(blocks: Iterable[list[Line]]) -> Iterator[list[Line]]:
    """Join paragraphs into dialogues: a new one begins where the user speaks after the system."""
    dialogue: list[Line] = []
    answered = False
    for block in blocks:
        if dialogue and answered and _side(block[0][1]) == "user":
            yield dialogue
            dialogue, answered = [], False
        dialogue.extend(block)
        answered = answered or any(_side(line) == "system" for _, line in block)
    if dialogue:
        yield dialogue


def _side(line: str) -> str | None:
    prefix = _side_prefix(line)
    if not prefix:
        return None
    name = prefix[0].casefold()
    return speakers.side(name) or next((couple[name] for couple in speakers.LETTERS if name in couple), None)


def _turns(block: list[Line], style: TextStyle) -> tuple[list[tuple[str, str]], str]:
    if style.style == "bare":
        return [("assistant" if i % 2 else "user", line) for i, (_, line) in enumerate(block)], ""
    find_prefix = _PREFIXES[style.style]
    turns: list[tuple[str, list[str]]] = []
    for _, line in block:
        if prefix := find_prefix(line):
            name, end = prefix
            turns.append((name or ("assistant" if len(turns) % 2 else "user"), [line[end:].strip()]))
        elif turns:
            turns[-1][1].append(line)
        else:
            return [], "its first line names no speaker"
    return [(name, "\n".join(filter(None, lines))) for name, lines in turns], ""


Prefix = tuple[str, int]
"""The speaker's name, and the offset at which the text begins."""


def _side_prefix(line: str) -> Prefix | None:
    match = _PREFIX.match(line)
    if not match:
        return None
    name, number = match.group("name", "number")
    plain = name.casefold()
    is_side = plain in _SIDES if len(name) > 1 else plain in _LETTERS and not (number or "").startswith(" ")
    return (name, match.end()) if is_side else None


def _person_prefix(line: str) -> Prefix | None:
    match = _NAMED.match(line)
    return (match["name"], match.end()) if match else None


def _dash_prefix(line: str) -> Prefix | None:
    match = _DASH.match(line)
    return ("", match.end()) if match else None


_PREFIXES: dict[Style, Callable[[str], Prefix | None]] = {
    "prefixed": _side_prefix,
    "named": _person_prefix,
    "dashed": _dash_prefix,
}
_SIDES = speakers.USER | speakers.SYSTEM | speakers.PROMPT
_LETTERS = frozenset(letter for couple in speakers.LETTERS for letter in couple)
