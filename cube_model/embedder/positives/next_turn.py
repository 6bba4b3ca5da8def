"""A turn and the turn after it, from the `pairs` config."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cube_model.data.pairs import COLUMNS, NO_TURN, QuestionAnswerPairs, joined_turns, pairs_of_table, read_pairs_table
from cube_model.data.selection import flagged_as_leaks, is_spoken
from cube_model.embedder.positives.choices import Negatives
from cube_model.embedder.positives.group import PairGroup
from cube_model.embedder.positives.mixture import mixed_rows
from cube_model.errors import ModelError

CONSECUTIVE = "consecutive"
"""`pair_type` of these pairs."""


@dataclass(frozen=True)
class NextTurnOptions:
    """What `next_turn` reads.

    Attributes:
        direction: Speakers of anchor and positive.
        sources: Sources; None: all.
        leave_out: Sources that are not read.
        languages: BCP 47 tags; None: all.
        limit: Maximum number of pairs; None: all.
        temperature: Of the sources' shares, see `mixture.quotas`.
        context_turns: Maximum number of earlier turns that are joined to the anchor.
        vary_context: Join a random number of them.
        hard_negatives: Mined negatives of each pair.
        negatives: Whose pairs a batch holds.
        smallest_part: Parts with fewer pairs are put together.
        separator: Text between joined turns.
        seed: Seed of all choices.
    """

    direction: tuple[str, str]
    sources: Sequence[str] | None
    leave_out: Sequence[str]
    languages: Sequence[str] | None
    limit: int | None
    temperature: float
    context_turns: int
    vary_context: bool
    hard_negatives: int
    negatives: Negatives
    smallest_part: int
    separator: str
    seed: int


def next_turn(data: str | os.PathLike[str], options: NextTurnOptions) -> PairGroup:
    """Read the pairs of one direction.

    Raises:
        ModelError: No such dataset, column or source; or no pair is left.
    """
    columns = (*COLUMNS, "domains", "pair_type", "flags", *(("negatives",) if options.hard_negatives else ()))
    table, rows = read_pairs_table(data, "train", columns, options.sources, options.direction)
    columns_of_rows = (table[name].take(rows).to_pylist() for name in ("pair_type", "language", "source"))
    keep = [
        kind == CONSECUTIVE and is_spoken(tag, options.languages) and source not in options.leave_out
        for kind, tag, source in zip(*columns_of_rows, strict=True)
    ]
    rows = rows[np.asarray(keep, dtype=bool)]
    leaks = flagged_as_leaks(table.take(rows))
    rows = rows[~leaks]
    if not len(rows):
        languages = f" in {', '.join(options.languages)}" if options.languages else ""
        raise ModelError(f"{data}: no {' -> '.join(options.direction)} pair is left in split train{languages}")
    rows = rows[mixed_rows(table["source"].take(rows).to_pylist(), options.limit, options.temperature, options.seed)]
    table = table.take(rows).combine_chunks()
    pairs = pairs_of_table(table, options.context_turns, options.hard_negatives)
    rng = np.random.default_rng(options.seed)
    negatives = _filled(pairs, options.hard_negatives, rng)
    if options.vary_context:
        backs = np.arange(1 + options.context_turns)
        turns = rng.integers(options.context_turns + 1, size=len(pairs))
        pairs = replace(pairs, questions=np.where(backs > turns[:, None], NO_TURN, pairs.questions))
    return PairGroup(
        kind="next_turn",
        anchors=joined_turns(pairs, options.separator),
        positives=[pairs.texts[i] for i in pairs.answers],
        negatives=negatives,
        mined=0 if pairs.negatives is None else int((pairs.negatives != NO_TURN).sum()),
        answer_ids=pairs.labels,
        sources=list(pairs.sources),
        licenses=list(pairs.licenses),
        languages=list(pairs.languages),
        fingerprint=pairs.fingerprint,
        dialogues=pairs.dialogues,
        part=_parts(pairs, table["domains"].to_pylist(), options),
        left_out=int(leaks.sum()),
    )


def _parts(pairs: QuestionAnswerPairs, domains: list[list[str] | None], options: NextTurnOptions) -> np.ndarray | None:
    """The part of each pair, int64 `[n]`, None for one part; 0 is the part of those that are too few."""
    if options.negatives == "all":
        return None
    by_domain = options.negatives == "domain"
    keys = [
        (source, *(sorted(names or ()) if by_domain else ()))
        for source, names in zip(pairs.sources, domains, strict=True)
    ]
    numbers: dict[tuple[str, ...], int] = {}
    parts = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    return np.where(np.bincount(parts)[parts] < options.smallest_part, 0, parts + 1)


def _filled(pairs: QuestionAnswerPairs, count: int, rng: np.random.Generator) -> list[list[str]]:
    """`count` columns of negatives: mined ones, else answers of other pairs."""
    if not count:
        return []
    rows = pairs.negatives if pairs.negatives is not None else np.full((len(pairs), count), NO_TURN, dtype=np.int32)
    others = rng.integers(len(pairs), size=rows.shape)
    for _ in range(100):  # an equal answer is no negative; frequent answers need a few draws
        equal = pairs.labels[others] == pairs.labels[:, None]
        if not equal.any():
            break
        others[equal] = rng.integers(len(pairs), size=int(equal.sum()))
    rows = np.where(rows == NO_TURN, pairs.answers[others], rows)
    return [[pairs.texts[i] for i in column] for column in rows.T]
