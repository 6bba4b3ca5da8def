"""Plain text -> dialogues: a blank line between dialogues, one turn a line or a prefix before each turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from dataset_builders.own_data import speakers
from dataset_builders.own_data.rejects import BadRecord

Style = Literal["prefixed", "dashed", "bare"]

_NAMES = sorted(speakers.USER | speakers.SYSTEM | speakers.PROMPT, key=len, reverse=True)
_LETTERS = sorted({letter for couple in speakers.LETTERS for letter in couple})
# an optional time stamp and bold marks, the name, an optional number ("Q1:"), a colon
_STAMP = r"\s*(?:\[[^\]]{1,40}\]\s*)?"
_PREFIX = re.compile(
    rf"{_STAMP}[*_#>]*\s*(?:(?P<name>{'|'.join(map(re.escape, _NAMES))})(?:[ ]?[№#]?\d{{1,6}})?"
    rf"|(?P<letter>[{''.join(_LETTERS)}])\d{{0,4}})[*_]*\s*[:：][*_]*\s*",
    re.IGNORECASE,
)
_NAMED = re.compile(rf"{_STAMP}(?P<name>[^\W\d_][\w.' -]{{0,30}}):\s+(?=\S)")
_DASH = re.compile(r"\s*[-–—•*]\s+")
_RULE = re.compile(r"\s*[-=*_~#]{3,}\s*")

Line = tuple[int, str]


@dataclass(frozen=True)
class TextStyle:
    """How dialogues are written down.

    Args:
        style: `prefixed` by who speaks, `dashed`, or `bare`: the user and the system by turns.
        prefix: What begins a turn.
        paragraphs: Every turn stands between blank lines: a dialogue begins where the user speaks after the system.
    """

    style: Style
    prefix: re.Pattern[str] | None
    paragraphs: bool = False


@dataclass(frozen=True)
class Block:
    """One dialogue: its turns with the lines they begin on, or what is wrong."""

    line: int
    turns: list[tuple[str, str]]
    text: str
    problem: str = ""


def find_style(head: str) -> TextStyle | None:
    """How the text that begins so is written; None when it does not look like dialogues."""
    blocks = [[line for _, line in block] for block in _blocks(enumerate(head.split("\n"), start=1))]
    lines = [line for block in blocks for line in block]
    if not lines:
        return None
    prefixed = _share(lines, _PREFIX)
    if prefixed >= 0.5 or (prefixed >= 0.2 and _PREFIX.match(lines[0])):  # a turn may go on over several lines
        single = sum(sum(1 for line in b if _PREFIX.match(line)) < 2 for b in blocks)
        return TextStyle("prefixed", _PREFIX, paragraphs=len(blocks) > 1 and single > 0.8 * len(blocks))
    named = [m["name"].casefold() for line in lines if (m := _NAMED.match(line))]
    if len(named) >= 0.8 * len(lines) and len(named) > 1 and 4 * len(set(named)) <= 2 * len(named) + 4:
        return TextStyle("prefixed", _NAMED)
    if _share(lines, _DASH) >= 0.5:
        return TextStyle("dashed", _DASH)
    if sum(len(block) > 1 for block in blocks) * 2 < len(blocks):
        return None  # paragraphs of one line: a letter, an article
    return TextStyle("bare", None)


def read_blocks(lines: Iterable[str], style: TextStyle) -> Iterator[Block]:
    """The dialogues of a text."""
    numbered = enumerate((line.strip(" \t\r\n\ufeff") for line in lines), start=1)
    blocks = _blocks(numbered)
    for block in _joined(blocks, style) if style.paragraphs else blocks:
        text = "\n".join(line for _, line in block)
        turns, problem = _turns(block, style)
        yield Block(block[0][0], turns, text, problem)


def turns_of(text: str) -> list[tuple[str, str]]:
    """Speaker and text of each turn of one dialogue that was written into a single string.

    Raises:
        BadRecord: It is not written as one turn a line.
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
    for blank, block in groupby(lines, key=lambda line: not line[1].strip() or bool(_RULE.fullmatch(line[1]))):
        if not blank:
            yield list(block)


def _joined(blocks: Iterable[list[Line]], style: TextStyle) -> Iterator[list[Line]]:
    """Dialogues of paragraphs: a new one where the user speaks after the system."""
    waiting: list[Line] = []
    answered = False
    for block in blocks:
        name = _side(block[0][1], style)
        if waiting and answered and name == "user":
            yield waiting
            waiting, answered = [], False
        waiting = waiting + block
        answered = answered or any(_side(line, style) == "system" for _, line in block)
    if waiting:
        yield waiting


def _side(line: str, style: TextStyle) -> str | None:
    match = style.prefix.match(line) if style.prefix else None
    if not match:
        return None
    name = _name(match).casefold()
    return speakers.side(name) or next((c[name] for c in speakers.LETTERS if name in c), None)


def _turns(block: list[Line], style: TextStyle) -> tuple[list[tuple[str, str]], str]:
    if style.prefix is None:
        return [("user" if i % 2 == 0 else "assistant", line) for i, (_, line) in enumerate(block)], ""
    turns: list[tuple[str, str]] = []
    for _, line in block:
        match = style.prefix.match(line)
        if match:
            name = _name(match) if style.style == "prefixed" else ("user" if len(turns) % 2 == 0 else "assistant")
            turns.append((name, line[match.end() :].strip()))
        elif turns:
            name, text = turns[-1]
            turns[-1] = (name, f"{text}\n{line}" if text else line)
        else:
            return [], "its first line names no speaker"
    return turns, ""


def _name(match: re.Match[str]) -> str:
    groups = match.groupdict()
    return str(groups["name"] or groups["letter"])


def _share(lines: list[str], pattern: re.Pattern[str]) -> float:
    return sum(1 for line in lines if pattern.match(line)) / len(lines)
