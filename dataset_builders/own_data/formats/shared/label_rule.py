"""Whether the second value of pairs is a label of the first, rather than an answer to it."""

from __future__ import annotations

from collections.abc import Sequence

from dataset_builders.own_data.turns import speakers

MIN_ROWS = 10
MAX_CHARACTERS, MAX_WORDS = 40, 4
ROWS_PER_LABEL = 3
"""Smallest mean number of rows for each label."""

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")


def are_labelled(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the pairs are texts with labels.

    There are at least `MIN_ROWS` pairs and two labels; every label has at most `MAX_CHARACTERS` characters and
    `MAX_WORDS` words and does not end like a sentence; each label occurs `ROWS_PER_LABEL` times on average; and the
    texts differ: at least half of them are distinct, and there are at least twice as many as labels. Answers to
    questions fail this, since they are sentences or do not repeat. Labels that are all words for speakers are none.

    >>> are_labelled([(f"play song {n}", "music") for n in range(9)] + [("hello", "greet")])
    True
    >>> are_labelled([(f"question {n}", f"answer {n}") for n in range(20)])
    False
    """
    labels = {label for _, label in pairs}
    texts = {text for text, _ in pairs}
    return (
        len(pairs) >= MIN_ROWS
        and 2 <= len(labels) <= len(pairs) / ROWS_PER_LABEL
        and len(texts) >= max(len(pairs) / 2, 2 * len(labels))
        and all(map(_is_label, labels))
        and not all(map(_is_speaker, labels))
    )


def _is_speaker(value: str) -> bool:
    name = value.strip().rstrip("0123456789").rstrip("_-# :").casefold()
    return speakers.side(name) is not None or name in speakers.PROMPT | speakers.TOOL


def _is_label(value: str) -> bool:
    value = value.strip()
    return 0 < len(value) <= MAX_CHARACTERS and len(value.split()) <= MAX_WORDS and not value.endswith(_SENTENCE_ENDS)
