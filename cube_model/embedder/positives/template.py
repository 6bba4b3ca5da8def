"""Turns and their templates: the slots replaced by their names, from the `dialogues` config.

References:
    Oh et al. 2023, template-aware dialogue sentence embedding, https://arxiv.org/abs/2305.14299.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cube_model.data.digest import digest_of
from cube_model.data.turns import filled, read_turns
from cube_model.embedder.positives.group import PairGroup, text_ids
from cube_model.errors import ModelError


def template(
    data: str | os.PathLike[str],
    *,
    sources: Sequence[str] | None = None,
    leave_out: Sequence[str] = (),
    languages: Sequence[str] | None = None,
) -> PairGroup:
    """Read turns with slots whose place in the text is known, each with its template as positive.

    Args:
        data: Folder or Hub repository.
        sources: Sources that are read; None: all.
        leave_out: Sources that are not read.
        languages: BCP 47 tags; None: all.

    Raises:
        ModelError: The dataset has no dialogues, or none with the places of slots.
    """
    turns = read_turns(data, "train", sources=sources, leave_out=leave_out, languages=languages)
    rows = [i for i in range(len(turns)) if turns.spans[i]]
    texts = [turns.texts[i] for i in rows]
    templates = [filled(turns.texts[i], turns.spans[i]) for i in rows]
    distinct = list(dict(zip(zip(texts, templates, strict=True), range(len(rows)), strict=True)).values())
    distinct = [i for i in distinct if texts[i] != templates[i]]
    if not distinct:
        raise ModelError(f"{data}: no turn with the places of its slots in split train; leave out --templates")
    dialogues = [int(turns.dialogues[rows[i]]) for i in distinct]
    positives = [templates[i] for i in distinct]
    return PairGroup(
        kind="template",
        anchors=[texts[i] for i in distinct],
        positives=positives,
        answer_ids=text_ids(positives),
        sources=[turns.sources[d] for d in dialogues],
        licenses=[turns.licenses[d] for d in dialogues],
        languages=[turns.languages[d] for d in dialogues],
        fingerprint=digest_of((texts[i] for i in distinct), positives),
    )
