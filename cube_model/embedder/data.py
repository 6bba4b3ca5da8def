"""Training texts of the dialogue embedder: anchors, positives, hard negatives, and which of them share no batch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from cube_model.data.pairs import COLUMNS, NO_TURN, QuestionAnswerPairs, joined_turns, pairs_of_table, read_pairs_table
from cube_model.data.selection import chosen_rows, flagged_as_leaks
from cube_model.embedder.config import DIRECTIONS, EmbedderConfig
from cube_model.errors import ModelError

logger = logging.getLogger(__name__)

CONSECUTIVE, SAME_INTENT = "consecutive", "same_intent"


@dataclass(frozen=True)
class EmbedderData:
    """n training pairs.

    Attributes:
        anchors, positives: n texts each.
        negatives: k columns of n texts each.
        answer_ids: int64 `[n]`, equal for equal answers and for utterances of the same intent.
        groups: int8 `[n]`; a batch holds pairs of one group (dialogue, reversed dialogue, intents).
        sources, licenses, languages: Distinct values, sorted.
        fingerprint: sha256 over everything above that training sees.
        left_out: Number of pairs skipped as leaks from a test split.
    """

    anchors: list[str]
    positives: list[str]
    negatives: list[list[str]]
    answer_ids: np.ndarray
    groups: np.ndarray
    sources: list[str]
    licenses: list[str]
    languages: list[str]
    fingerprint: str
    left_out: int

    def __len__(self) -> int:
        return len(self.anchors)

    def texts(self, rows: np.ndarray) -> list[str]:
        """The anchors and positives of some pairs."""
        return [column[i] for column in (self.anchors, self.positives) for i in rows]

    def columns(self) -> dict[str, list[str]]:
        """The columns in the order that the losses of sentence-transformers expect."""
        wrong = {f"negative_{i + 1}": texts for i, texts in enumerate(self.negatives)}
        return {"anchor": self.anchors, "positive": self.positives, **wrong}

    def describe(self) -> dict[str, Any]:
        """The facts about the data for the record and the card."""
        names = ("fingerprint", "sources", "licenses", "languages", "left_out")
        return {"pairs": len(self), **{name: getattr(self, name) for name in names}}


def load_embedder_data(config: EmbedderConfig, separator: str) -> EmbedderData:
    """Read the training pairs of a run.

    Args:
        config: The run.
        separator: Text between the anchor and its earlier turns.

    Raises:
        ModelError: No such dataset, column or source; no pair is left; or the data lack negatives or intent pairs.
    """
    groups, left_out = [], 0
    for direction in DIRECTIONS[config.direction]:
        pairs, flagged = _pairs(config, direction)
        groups.append(pairs)
        left_out += flagged
    if config.hard_negatives and all(pairs.negatives is None or (pairs.negatives < 0).all() for pairs in groups):
        raise ModelError(f"{config.data}: no pair has mined negatives; build it with them, or drop --hard-negatives")
    if config.intent_positives:
        pairs, flagged = _pairs(config, ("user", "user"), SAME_INTENT)
        groups.append(pairs)
        left_out += flagged
    warn_of_leaks(config, left_out)
    rng = np.random.default_rng(config.seed)
    negatives = [_filled(pairs, config.hard_negatives, rng) for pairs in groups]
    return EmbedderData(
        anchors=[text for pairs in groups for text in joined_turns(pairs, separator)],
        positives=[pairs.texts[i] for pairs in groups for i in pairs.answers],
        negatives=[list(chain.from_iterable(column)) for column in zip(*negatives, strict=True)],
        answer_ids=np.concatenate([pairs.labels for pairs in groups]),
        groups=np.repeat(np.arange(len(groups), dtype=np.int8), [len(pairs) for pairs in groups]),
        sources=_distinct(pairs.sources for pairs in groups),
        licenses=_distinct(pairs.licenses for pairs in groups),
        languages=_distinct(pairs.languages for pairs in groups),
        fingerprint=fingerprint_of(config, separator, [pairs.fingerprint for pairs in groups]),
        left_out=left_out,
    )


def fingerprint_of(config: EmbedderConfig, separator: str, fingerprints: Sequence[str]) -> str:
    """Return the fingerprint of training texts, from those of the groups of pairs."""
    digest = hashlib.sha256(repr((separator, config.hard_negatives)).encode())
    for fingerprint in fingerprints:
        digest.update(fingerprint.encode())
    return digest.hexdigest()


def warn_of_leaks(config: EmbedderConfig, left_out: int) -> None:
    """Warn of pairs that are skipped as leaks."""
    if left_out:
        logger.warning("%s: %d pairs skipped, as they also occur in a test split", config.data, left_out)


def _pairs(
    config: EmbedderConfig, direction: tuple[str, str], pair_type: str = CONSECUTIVE
) -> tuple[QuestionAnswerPairs, int]:
    """The pairs of one direction and type, and the number of pairs skipped as leaks."""
    import pyarrow.compute as pc

    intents = pair_type == SAME_INTENT
    columns = (*COLUMNS, "pair_type", "flags", *(("negatives",) if config.hard_negatives else ()))
    sources = None if intents else config.sources  # intents have sources of their own
    try:
        table, rows = read_pairs_table(config.data, "train", columns, sources, direction)
    except ModelError as error:
        if intents:
            raise ModelError(_no_intents(config)) from error
        raise
    rows = rows[np.asarray([kind == pair_type for kind in table["pair_type"].take(rows).to_pylist()], dtype=bool)]
    leaks = flagged_as_leaks(table.take(rows))
    rows = rows[~leaks]
    if not len(rows):
        what = "" if not intents else _no_intents(config)
        raise ModelError(what or f"{config.data}: no {' -> '.join(direction)} pair is left in split train")
    rows = chosen_rows(rows, config.max_pairs, config.seed)
    turns, wrong = (0, 0) if intents else (config.context_turns, config.hard_negatives)
    table = table.take(rows)
    if intents:  # utterances of one intent belong to no dialogue
        at = table.column_names.index("dialogue_id")
        table = table.set_column(at, "dialogue_id", pc.fill_null(table["dialogue_id"], ""))
    return pairs_of_table(table.combine_chunks(), turns, wrong), int(leaks.sum())


def _no_intents(config: EmbedderConfig) -> str:
    return (
        f"{config.data}: no pair of type same_intent in split train; build it with intent positives, or drop "
        "--intent-positives"
    )


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


def _distinct(columns: Iterator[Sequence[str]]) -> list[str]:
    return sorted(set(chain.from_iterable(columns)))
