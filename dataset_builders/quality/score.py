"""The quality score of each pair, and its parts.

Each part is in [0, 1]. The score is their product, so a single bad part lowers it. The formulas are deliberately
simple: anyone can compute a score by hand from the row.

| part | formula |
|---|---|
| length | the minimum over anchor and positive of min(1, w / 5, 100 / w), for w words |
| cleanness | 0.5 ** n, where n counts the hits of `encoding`, `markup` and `glued_sentences` in anchor and positive |
| novelty | 1 - Jaccard similarity of the sets of normalised words of anchor and positive |
| relatedness | the encoder's cosine, at least 0; null without an encoder |

See `text.words` for the words of scripts without blanks. In their texts, pairs of adjacent characters take the place of
words in `novelty`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders import schema
from dataset_builders.quality.filters.base import Rows, TextFilter
from dataset_builders.text.near_duplicates import intersections, shingle_sets
from dataset_builders.text.ragged import Ragged
from dataset_builders.text.words import unspaced

ENOUGH_WORDS = 5
"""Texts from this length on are not penalised: utterances of task corpora have a median of 7 to 12 words, thanks and
yes have 1 to 4."""

MANY_WORDS = 100
"""Texts up to this length are not penalised: no utterance of the task corpora is much longer."""

DAMAGED = 0.5
"""Factor of `cleanness` for each kind of damage in anchor or positive."""

_PAIR = 2
"""Number of characters that take the place of a word in scripts without blanks."""


def score_pairs(rows: Rows, checks: Sequence[TextFilter]) -> pa.StructArray:
    """The quality scores of pairs.

    Args:
        rows: Rows of the `pairs` config; `relatedness` needs their encoder.
        checks: Text filters whose hits lower `cleanness`.

    Returns:
        Structs of `schema.QUALITY`, shape (rows,).
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
    words = np.maximum(rows.texts.words, 1e-9)
    scores = np.minimum.reduce([np.ones(len(words)), words / ENOUGH_WORDS, MANY_WORDS / words])[rows.text]
    return np.minimum(scores[::2], scores[1::2])


def _cleanness(rows: Rows, checks: Sequence[TextFilter]) -> np.ndarray:
    damage = np.zeros(len(rows.distinct))
    for check in checks:
        damage[rows.texts.hits(check).rows] += 1
    counts = damage[rows.text]
    return DAMAGED ** (counts[::2] + counts[1::2])


def _novelty(rows: Rows) -> np.ndarray:
    sets = rows.texts.once(_word_sets, lambda: _word_sets(rows.texts.normal))
    first, second = rows.text[::2], rows.text[1::2]
    common = intersections(sets, first, second)
    return 1 - common / np.maximum(sets.sizes[first] + sets.sizes[second] - common, 1)


def _word_sets(texts: pa.Array) -> Ragged:
    """The distinct words of each normalised text, as numbers; the pairs of characters in scripts without blanks."""
    split = pc.utf8_split_whitespace(texts)
    words = split.flatten()
    sizes = pc.list_value_length(split).to_numpy() - np.asarray(pc.equal(texts, ""))  # "" splits into ""
    codes = words.filter(pc.not_equal(words, "")).dictionary_encode().indices.to_numpy()
    sets = Ragged.of(codes.astype(np.uint32), sizes.astype(np.int64)).as_sets()
    rows = unspaced(texts)
    return sets.replaced(rows, shingle_sets(texts.take(pa.array(rows)), _PAIR)) if len(rows) else sets
