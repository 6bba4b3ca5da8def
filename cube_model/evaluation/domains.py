"""Which domains the dialogue of each pair is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cube_model.data.pairs import read_pairs_table, string_hashes
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.data.pairs import QuestionAnswerPairs


def domains_of(data: str | os.PathLike[str], split: str, pairs: QuestionAnswerPairs) -> list[list[str]] | None:
    """Domains of the dialogue of each of n pairs, as the corpus names them.

    Args:
        data: Where `pairs` were read from.
        split: Their split.
        pairs: The pairs.

    Returns:
        n lists; None where the dataset has no column `domains`, or none of the pairs has a domain.
    """
    columns = ("source", "dialogue_id", "domains", "anchor_speaker", "positive_speaker")
    try:
        table, rows = read_pairs_table(data, split, columns, sorted(set(pairs.sources)))
    except ModelError:
        return None
    table = table.take(rows).combine_chunks()
    known = dict(zip(string_hashes(table["dialogue_id"]).tolist(), table["domains"].to_pylist(), strict=True))
    found = [known.get(dialogue) or [] for dialogue in pairs.dialogues.tolist()]
    return found if any(found) else None
