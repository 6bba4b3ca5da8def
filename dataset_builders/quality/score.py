"""A quality score for every pair, with the parts it is made of.

Each part lies in [0, 1]; the score is their product, so that one bad part is enough to lower it and no part hides
another. The formulas are plain on purpose: a score can be recomputed by hand from the row.

| part | formula |
|---|---|
| length | the lower of the two sides; a side of w words has min(1, w / 5, 100 / w) |
| cleanness | 0.5 ** n, where n counts what `encoding`, `markup` and `glued_sentences` find on the two sides |
| novelty | 1 - Jaccard similarity of the sets of normalised words of the two sides |
| relatedness | the encoder's cosine, negative ones as 0; null without an encoder |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dataset_builders import schema
from dataset_builders.quality.filters.base import Rows, TextFilter, word_counts

ENOUGH_WORDS = 5
"""From here on a side says enough: task corpora have a median of 7 to 12 words an utterance, thanks and yes 1 to 4."""

MANY_WORDS = 100
"""Beyond the longest utterance of the task corpora."""

DAMAGED = 0.5
"""What one kind of damage on one side leaves of `cleanness`."""

_PAIRS_AT_ONCE = 50_000


def score_pairs(rows: Rows, checks: Sequence[TextFilter]) -> pa.StructArray:
    """The scores of pairs.

    Args:
        rows: Rows of the `pairs` config; their encoder, where there is one, gives `relatedness`.
        checks: Text filters whose hits lower `cleanness`.

    Returns:
        One struct of `schema.QUALITY` a row.
    """
    parts: dict[str, np.ndarray | None] = {
        "length": _length(rows),
        "cleanness": _cleanness(rows, checks),
        "novelty": _novelty(rows),
        "relatedness": None if rows.cosines is None else np.clip(rows.cosines, 0, 1),
    }
    score = np.prod([part for part in parts.values() if part is not None], axis=0)
    columns = {"score": score, **parts}
    arrays = [
        pa.nulls(len(rows.table), pa.float32()) if columns[name] is None else pa.array(columns[name], pa.float32())
        for name in schema.QUALITY
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(schema.ARROW_SCHEMAS["pairs"].field("quality").type))


def _length(rows: Rows) -> np.ndarray:
    words = np.maximum(word_counts(rows.distinct), 1e-9)
    side = np.minimum.reduce([np.ones(len(words)), words / ENOUGH_WORDS, MANY_WORDS / words])[rows.text]
    return np.minimum(side[::2], side[1::2])


def _cleanness(rows: Rows, checks: Sequence[TextFilter]) -> np.ndarray:
    damage = np.zeros(len(rows.distinct))
    for check in checks:
        damage[check.hits(rows.distinct).rows] += 1
    sides = damage[rows.text]
    return DAMAGED ** (sides[::2] + sides[1::2])


def _novelty(rows: Rows) -> np.ndarray:
    novelty = np.empty(len(rows.table))
    for start in range(0, len(novelty), _PAIRS_AT_ONCE):
        sides = rows.text[2 * start : 2 * (start + _PAIRS_AT_ONCE)]
        needed, where = np.unique(sides, return_inverse=True)
        words = [set(text.split()) for text in rows.normal.take(pa.array(needed)).to_pylist()]
        pairs = zip(where[::2].tolist(), where[1::2].tolist(), strict=True)
        novelty[start : start + len(sides) // 2] = [_distance(words[a], words[b]) for a, b in pairs]
    return novelty


def _distance(first: set[str], second: set[str]) -> float:
    common = len(first & second)
    return 1 - common / ((len(first) + len(second) - common) or 1)
