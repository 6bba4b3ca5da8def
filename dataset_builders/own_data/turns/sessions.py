"""Division of a long chat: in the order of its turns, into one dialogue for each split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from dataset_builders.common.choices import SHARES, Split
from dataset_builders.schema import Dialogue, Turn


def cut_by_time(dialogue: Dialogue, shares: Mapping[Split, float] = SHARES) -> list[Dialogue]:
    """Divide a dialogue: train has its beginning, validation and test have its end.

    Every part but the first begins with a question, so that no exchange is divided.

    Args:
        dialogue: Dialogue in the order spoken.
        shares: Share of the exchanges of each split, in the order of time; in any unit.

    Returns:
        A dialogue for each split, with the ids `<id>.1`, `.2` and `.3`; none for a split without an exchange. The
        first of a few exchanges are in train.

    >>> turns = [Turn(speaker, f"turn {number}") for number in range(10) for speaker in ("user", "system")]
    >>> [(part.id, part.split, len(part.turns)) for part in cut_by_time(Dialogue("chat", "all", turns))]
    [('chat.1', 'train', 16), ('chat.2', 'validation', 2), ('chat.3', 'test', 2)]
    """
    bounds = [*_exchanges(dialogue.turns), len(dialogue.turns)]
    original_id = dialogue.original_id or dialogue.id
    parts, first, left = [], 0, float(sum(shares.values()))
    for number, (split, share) in enumerate(shares.items(), start=1):
        rest = len(bounds) - 1 - first
        last = first + math.ceil(rest * share / left - 0.5)  # the split of an exchange is that of its middle
        if turns := dialogue.turns[bounds[first] : bounds[last]]:
            part_id = f"{dialogue.id}.{number}"
            parts.append(replace(dialogue, id=part_id, original_id=original_id, split=split, turns=turns))
        first, left = last, left - share
    return parts


def _exchanges(turns: list[Turn]) -> list[int]:
    """Indices where exchanges begin: at 0, and at a user's turn after the system's that an answer follows."""
    starts = [index for index, turn in enumerate(turns) if index and turn.speaker == "user" != turns[index - 1].speaker]
    if starts and all(turn.speaker == "user" for turn in turns[starts[-1] :]):
        starts.pop()
    return [0, *starts]
