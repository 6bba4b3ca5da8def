"""Utterances of the same intent, from the labelled utterances of the `downstream` config."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from cube_model.data.digest import digest_of
from cube_model.data.hub import read_rows
from cube_model.data.selection import LEAK, is_spoken
from cube_model.embedder.positives.group import PairGroup, text_ids
from cube_model.embedder.positives.same_label import same_label_pairs

_COLUMNS = ("utterance", "label", "is_out_of_scope", "source", "language", "license", "flags")


def same_intent(
    data: str | os.PathLike[str],
    *,
    leave_out: Sequence[str] = (),
    languages: Sequence[str] | None = None,
    seed: int = 0,
) -> PairGroup:
    """Read pairs of utterances with the same intent, in any two languages of a source.

    Args:
        data: Folder or Hub repository.
        leave_out: Sources that are not read.
        languages: BCP 47 tags; None: all.
        seed: Seed of the choice of partners.

    Returns:
        The pairs, with the words of their intent as labels; utterances out of scope are left out.

    Raises:
        ModelError: The dataset has no labelled utterances.
    """
    table = read_rows(data, "downstream", "train", _COLUMNS, advice=" from an intent set")
    rows = table.to_pylist()
    leaks = [any(flag.startswith(LEAK) for flag in row["flags"] or ()) for row in rows]
    kept = [
        row
        for row, leak in zip(rows, leaks, strict=True)
        if not (leak or row["is_out_of_scope"] or row["source"] in leave_out) and is_spoken(row["language"], languages)
    ]
    texts, labels = [row["utterance"] for row in kept], [row["label"] for row in kept]
    anchors, positives = same_label_pairs(texts, labels, seed)
    anchor_rows = [kept[i] for i in anchors]
    return PairGroup(
        kind="same_intent",
        anchors=[texts[i] for i in anchors],
        positives=[texts[i] for i in positives],
        answer_ids=text_ids(texts[i] for i in positives),
        sources=[row["source"] for row in anchor_rows],
        licenses=[row["license"] for row in anchor_rows],
        languages=[row["language"] for row in anchor_rows],
        labels=[words_of(row["label"]) for row in anchor_rows],
        fingerprint=digest_of(texts, labels, anchors, positives),
        left_out=int(np.sum(leaks)),
    )


def words_of(label: str) -> str:
    """Return an intent in words.

    >>> words_of("banking77/card_arrival")
    'card arrival'
    """
    return label.partition("/")[2].replace("_", " ").replace("/", " ").strip() or label
