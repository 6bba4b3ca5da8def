"""The same sentence in two languages, by `parallel_id`, from labelled utterances and dialogues."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cube_model.data.digest import digest_of
from cube_model.data.hub import MissingColumnsError, read_rows
from cube_model.data.selection import LEAK, is_spoken
from cube_model.embedder.positives.group import PairGroup, text_ids
from cube_model.embedder.positives.same_label import same_label_pairs
from cube_model.errors import ModelError

_COLUMNS = ("parallel_id", "source", "language", "license", "flags")
_TEXTS = {"downstream": "utterance", "pairs": "anchor"}
"""Configs with sentences that have a `parallel_id`, and their column."""


def translation(
    data: str | os.PathLike[str],
    *,
    leave_out: Sequence[str] = (),
    languages: Sequence[str] | None = None,
    seed: int = 0,
) -> PairGroup:
    """Read pairs of translations.

    Args:
        data: Folder or Hub repository.
        leave_out: Sources that are not read.
        languages: BCP 47 tags; None: all.
        seed: Seed of the choice of partners.

    Raises:
        ModelError: The dataset has no translations.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    leaks = 0
    for config, column in _TEXTS.items():
        try:
            table = read_rows(data, config, "train", (column, *_COLUMNS))
        except MissingColumnsError:  # a folder of an older version
            continue
        except ModelError:  # a dataset without labelled utterances
            if config == "downstream":
                continue
            raise
        for text, parallel, source, tag, licence, flags in zip(
            *(table[name].to_pylist() for name in (column, *_COLUMNS)), strict=True
        ):
            if parallel is None or source in leave_out or not is_spoken(tag, languages):
                continue
            if any(flag.startswith(LEAK) for flag in flags or ()):
                leaks += 1
                continue
            rows.append((text, parallel, source, licence, tag))
    texts, ids = [row[0] for row in rows], [row[1] for row in rows]
    anchors, positives = same_label_pairs(texts, ids, seed)
    foreign = [i for i in range(len(anchors)) if rows[anchors[i]][4] != rows[positives[i]][4]]
    anchors, positives = anchors[foreign], positives[foreign]
    if not len(anchors):
        raise ModelError(f"{data}: no sentence in two languages in split train; leave out --translations")
    anchor_rows = [rows[i] for i in anchors]
    return PairGroup(
        kind="translation",
        anchors=[row[0] for row in anchor_rows],
        positives=[texts[i] for i in positives],
        answer_ids=text_ids(row[1] for row in anchor_rows),
        sources=[row[2] for row in anchor_rows],
        licenses=[row[3] for row in anchor_rows],
        languages=[row[4] for row in anchor_rows],
        fingerprint=digest_of(texts, ids, anchors, positives),
        left_out=leaks,
    )
