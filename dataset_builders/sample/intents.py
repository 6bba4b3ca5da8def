"""Distinct utterances of an intent from its phrases."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from dataset_builders.sample.grammar import Phrases


def utterances(rng: Random, phrases: Phrases, intent: str, size: int, finish: Callable[[str], str] = str) -> list[str]:
    """So many different utterances of an intent, in random order.

    Args:
        rng: Chooses the phrases.
        phrases: Holds a section with the intent's name.
        intent: The intent.
        size: Number of utterances.
        finish: Changes an utterance before it is compared with the others.

    Raises:
        ValueError: The phrases do not give that many different utterances.
    """
    found: dict[str, None] = {}
    for _ in range(200 * size):
        if len(found) == size:
            return list(found)
        found[finish(phrases.say(rng, intent).text)] = None
    raise ValueError(f"the phrases of {intent!r} give only {len(found)} utterances, {size} are needed")
