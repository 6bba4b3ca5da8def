"""Make distinct utterances of an intent from its phrases."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from dataset_builders.sample.grammar import Phrases


def utterances(rng: Random, phrases: Phrases, intent: str, size: int, finish: Callable[[str], str] = str) -> list[str]:
    """Distinct utterances of an intent, in random order.

    Args:
        rng: Random generator that chooses the phrases.
        phrases: Phrases with a section named after the intent.
        intent: Name of the intent.
        size: Number of utterances.
        finish: Function that changes an utterance before it is compared with the others.

    Raises:
        ValueError: The phrases give fewer distinct utterances.
    """
    texts: dict[str, None] = {}
    for _ in range(200 * size):
        if len(texts) == size:
            return list(texts)
        texts[finish(phrases.say(rng, intent).text)] = None
    raise ValueError(f"the phrases of {intent!r} give only {len(texts)} utterances; expected {size}")
