"""Invented chats of any number, with copies, near copies and boilerplate, as `build --own` reads them.

    python tests/benchmarks/chats.py 300000 chats.jsonl
    python tests/benchmarks/chats.py 300000 alike.jsonl 20   # near-duplicates of 20 scripts

Of the dialogues, a tenth is nothing but a greeting and a goodbye, a tenth repeats an earlier one (equal, with a changed
word, or inside a longer one), and one in a hundred begins with the same long notice. The others are sentences of
invented words with the frequencies of a natural language. Equal numbers and seeds give equal bytes.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

SYLLABLES = [a + b for a in "bdgklmnprstv" for b in "aeio"]
OPENINGS = [
    ("hi", "Hello! How can I help you today?"),
    ("hello", "Hi, what can I do for you?"),
    ("good morning", "Welcome!"),
]
CLOSINGS = [
    ("thanks", "You are welcome. Have a nice day!"),
    ("ok bye", "Goodbye!"),
    ("great, that works", "Anything else?"),
]
NOTICE = (
    "This chat is recorded for training and quality. By going on you agree that we keep it for ninety days, that we may "
    "ask you for your customer number, and that we never ask for your password or the number of your card."
)
WORDS = 30_000
KEPT = 4_000
"""Earlier dialogues that may be repeated."""


def chats(count: int, seed: int = 0) -> Iterator[list[str]]:
    """The turns of each chat, by turns of the user and the system."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.choice((1, 2, 2, 3, 3, 4)))) for _ in range(WORDS)]
    weights = list(accumulate(1 / (rank + 20) for rank in range(WORDS)))

    def sentence() -> str:
        return " ".join(rng.choices(words, cum_weights=weights, k=rng.randint(5, 16)))

    kept: list[list[str]] = []
    for number in range(count):
        kind = rng.random()
        if kept and kind < 0.1:
            turns = list(rng.choice(kept))
            if kind > 0.04:  # a near copy
                place = rng.randrange(len(turns))
                turns[place] += f" {rng.choice(words)}"
            if kind > 0.08:  # inside a longer one
                turns += [sentence() for _ in range(4)]
        else:
            turns = list(rng.choices(OPENINGS, weights=(8, 2, 1))[0])
            if kind < 0.8:
                turns += [sentence() for _ in range(2 * rng.choice((1, 1, 1, 2, 2, 3, 5)))]
            if 0.1 < kind < 0.11:
                turns[1] = NOTICE
            turns += rng.choices(CLOSINGS, weights=(8, 2, 1))[0]
        if len(kept) < KEPT:
            kept.append(turns)
        elif number % 20 == 0:
            kept[rng.randrange(KEPT)] = turns
        yield turns


def alike(count: int, templates: int = 1, seed: int = 0) -> Iterator[list[str]]:
    """The turns of chats that are near-duplicates of each other, about 1,000 characters each.

    Args:
        count: Number of chats.
        templates: Number of scripts; the chats of each differ in a few words only.
        seed: Random seed.
    """
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.choice((1, 2, 2, 3, 3, 4)))) for _ in range(WORDS)]
    scripts = [[" ".join(rng.choices(words, k=25)) for _ in range(6)] for _ in range(templates)]
    for number in range(count):
        turns = list(scripts[number % templates])
        turns[rng.randrange(6)] += f" {rng.choice(words)} {rng.choice(words)}"
        yield [*turns, f"order {number}"]


def write_chats(count: int, path: Path, seed: int = 0, templates: int = 0) -> None:
    """Write chats as JSON lines: those of `chats`, or with `templates` those of `alike`."""
    with path.open("w", encoding="utf-8") as file:
        for number, turns in enumerate(alike(count, templates, seed) if templates else chats(count, seed)):
            speakers = ("user", "system")
            rows = [{"speaker": speakers[place % 2], "text": text} for place, text in enumerate(turns)]
            file.write(json.dumps({"id": f"c{number}", "turns": rows}) + "\n")


if __name__ == "__main__":
    write_chats(int(sys.argv[1]), Path(sys.argv[2]), templates=int(*sys.argv[3:]))
