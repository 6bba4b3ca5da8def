"""Exclusion of wrong negatives by 64-bit hashes, which need less memory than texts and ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.text.normalize import normalize


@dataclass(frozen=True)
class PairKeys:
    """Hashes of n pairs that decide which candidates a pair may have; each uint64 of shape (n,).

    Attributes:
        group: Source, language, pair type and speaker of the positive.
        text: Normalised positive.
        answer: Answer id.
        origin: Cluster, or else dialogue, or else the pair itself.
        anchor: Normalised anchor.
    """

    group: np.ndarray
    text: np.ndarray
    answer: np.ndarray
    origin: np.ndarray
    anchor: np.ndarray

    @classmethod
    def of(cls, readers: Iterable[Callable[[list[str]], pa.Table]]) -> PairKeys:
        """Keys of the pairs of several tables.

        Args:
            readers: For each table, a function that reads the named columns.
        """
        columns = ["source", "language", "pair_type", "positive_speaker", "anchor", "positive", "answer_id"]
        columns += ["cluster_id", "dialogue_id", "pair_id"]
        keys = [[np.empty(0, np.uint64)] for _ in range(5)]
        for read in readers:
            rows = read(columns).combine_chunks()
            group = pc.binary_join_element_wise(*(rows[name] for name in columns[:4]), "\n")  # not NUL: see `_hashes`
            origin = pc.coalesce(rows["cluster_id"], rows["dialogue_id"], rows["pair_id"])
            texts = group, normalize(rows["positive"]), rows["answer_id"], origin, normalize(rows["anchor"])
            for hashes, column in zip(keys, texts, strict=True):
                hashes.append(_hashes(column))
        return cls(*map(np.concatenate, keys))


def _hashes(column: pa.ChunkedArray) -> np.ndarray:
    """Hashes of n strings, uint64 of shape (n,); pandas before 3 hashes a string only up to its first NUL."""
    from pandas.util import hash_array

    return hash_array(column.to_numpy(zero_copy_only=False).astype(object))


class Exclusions:
    """Candidates that pairs with the same key may not use: those that occur with the key.

    Args:
        keys: Keys, shape (m,).
        candidates: Candidate that occurs with each key, shape (m,).
    """

    def __init__(self, keys: np.ndarray, candidates: np.ndarray) -> None:
        order = np.lexsort([candidates, keys])
        keys, candidates = keys[order], candidates[order]
        new = np.append(True, (np.diff(candidates) != 0) | (keys[1:] != keys[:-1]))
        self._keys, self._candidates = keys[new], candidates[new]

    def of(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All exclusions of some pairs: indices in `keys`, and the candidate excluded for each."""
        start, end = np.searchsorted(self._keys, keys, "left"), np.searchsorted(self._keys, keys, "right")
        counts = end - start
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(keys)), counts), self._candidates[np.repeat(start, counts) + within]
