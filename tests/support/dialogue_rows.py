"""Invented turns with acts and slots, in memory and as the `dialogues` config of `dialogue-cube build`."""

import numpy as np

from cube_model.data.turns import Turns


def invented_turns(dialogues, sources=None, domains=None, languages=None) -> Turns:
    """Make turns from dialogues of (speaker, text, acts, slots)."""
    rows = [turn for dialogue in dialogues for turn in dialogue]
    lengths, count = [len(dialogue) for dialogue in dialogues], len(dialogues)
    return Turns(
        texts=[text for _, text, *_ in rows],
        speakers=[speaker for speaker, *_ in rows],
        acts=[tuple(sorted(acts)) for *_, acts, _ in rows],
        slots=[tuple(sorted(slots)) for *_, slots in rows],
        own_slots=[tuple(sorted(slots)) for *_, slots in rows],
        spans=[()] * len(rows),
        dialogues=np.repeat(np.arange(count), lengths),
        positions=np.concatenate([np.arange(length) for length in lengths]),
        dialogue_ids=[str(number) for number in range(count)],
        sources=sources or ["invented"] * count,
        languages=languages or ["en"] * count,
        licenses=["CC0-1.0"] * count,
        domains=domains or [()] * count,
        fingerprint="invented",
    )
