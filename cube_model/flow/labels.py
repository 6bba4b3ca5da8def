"""Texts of the boxes of a flow, in lines that fit."""

from __future__ import annotations

import unicodedata

from cube_model.flow.trajectories import Step

_COLUMNS = 38
"""Width of a line, in Latin letters; a Chinese or Japanese one takes two."""

_LINES = 2
"""Largest number of lines of an utterance."""


def box_lines(step: Step, dialogues: int) -> tuple[str, list[str], str]:
    """Return the heading of a box, the lines of its utterance, and its small print.

    Args:
        step: The step.
        dialogues: Number of dialogues of the flow.
    """
    heading = step.actions[0][0] if step.actions else ""
    small = f"{step.name} · {step.count:,} turns · {step.dialogues / dialogues:.0%} of dialogues"
    lines = wrapped(step.examples[0], _COLUMNS, _LINES if heading else _LINES + 1)
    return shortened(heading, _COLUMNS - 4), lines, small


def wrapped(text: str, columns: int, most: int) -> list[str]:
    """Break a text into lines; what does not fit into the last line is replaced by dots."""
    lines, words = [""], text.split()
    while words:
        word = words.pop(0)
        joined = f"{lines[-1]} {word}".lstrip()
        if _width(joined) <= columns:
            lines[-1] = joined
        elif not lines[-1]:  # a word that is longer than a line
            head = _head(word, columns)
            lines[-1] = head
            words.insert(0, word[len(head) :])
        elif len(lines) < most:
            lines.append("")
            words.insert(0, word)
        else:
            lines[-1] = shortened(f"{lines[-1]} {word} {' '.join(words)}", columns)
            break
    return lines


def shortened(text: str, columns: int) -> str:
    """Cut a text to a width, with dots in place of the rest."""
    return text if _width(text) <= columns else _head(text, columns - 1).rstrip() + "…"


def _head(text: str, columns: int) -> str:
    width = 0
    for number, letter in enumerate(text):
        width += _width(letter)
        if width > columns:
            return text[:number] or letter
    return text


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
