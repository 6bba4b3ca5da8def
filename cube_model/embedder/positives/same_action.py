"""Turns in which the same is done: the same speaker, acts and slots, from the `dialogues` config."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cube_model.data.digest import digest_of
from cube_model.data.turns import read_turns
from cube_model.embedder.positives.group import PairGroup, text_ids
from cube_model.embedder.positives.same_label import same_label_pairs
from cube_model.errors import ModelError


def same_action(
    data: str | os.PathLike[str],
    *,
    sources: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    languages: Sequence[str] | None = None,
    any_speaker: bool = False,
    seed: int = 0,
) -> PairGroup:
    """Read pairs of turns with the same action.

    The action is named in the words of the source for English, in common words for other languages. Turns without acts
    and slots are left out.

    Args:
        data: Folder or Hub repository.
        sources: Sources that are read; None: all.
        leave_out: Sources that are not read.
        languages: BCP 47 tags; None: all.
        any_speaker: The speaker is no part of the action.
        seed: Seed of the choice of partners.

    Returns:
        The pairs, with the words of speaker and action as labels, as `user inform area, food`; of the action alone with
        `any_speaker`.

    Raises:
        ModelError: The dataset has no dialogues, or none with acts or slots.
    """
    turns = read_turns(data, "train", sources=sources, leave_out=leave_out, languages=languages)
    rows = [i for i in range(len(turns)) if turns.acts[i] or turns.slots[i]]
    if not rows:
        raise ModelError(f"{data}: no turn with acts or slots in split train; leave out --same-action")
    english = [language.lower().startswith("en") for language in turns.languages]
    labels = [turns.action(i, own=english[turns.dialogues[i]]) for i in rows]
    if not any_speaker:
        labels = [f"{turns.speakers[i]} {label}" for i, label in zip(rows, labels, strict=True)]
    texts = [turns.texts[i] for i in rows]
    anchors, positives = same_label_pairs(texts, labels, seed)
    dialogues = [int(turns.dialogues[rows[i]]) for i in anchors]
    anchor_labels = [labels[i] for i in anchors]
    return PairGroup(
        kind="same_action",
        anchors=[texts[i] for i in anchors],
        positives=[texts[i] for i in positives],
        answer_ids=text_ids(texts[i] for i in positives),
        sources=[turns.sources[d] for d in dialogues],
        licenses=[turns.licenses[d] for d in dialogues],
        languages=[turns.languages[d] for d in dialogues],
        labels=anchor_labels,
        fingerprint=digest_of(texts, labels, anchors, positives),
    )
