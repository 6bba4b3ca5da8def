"""Which answers may not serve as negatives of which pairs, by 64-bit hashes instead of texts and ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.text.normalize import normalize


@dataclass(frozen=True)
class PairKeys:
    """64-bit hashes of what decides whether a candidate may be used, each uint64 `[pairs]`."""

    group: np.ndarray  # source, language, pair type and speaker
    text: np.ndarray  # of the positive, normalised
    answer: np.ndarray
    place: np.ndarray  # cluster, else dialogue, else the pair itself
    anchor: np.ndarray  # normalised

    @classmethod
    def of(cls, reads: Iterable[Callable[[list[str]], pa.Table]]) -> PairKeys:
        """Keys of the pairs in all tables; each of `reads` gives the named columns of one."""
        columns = ["source", "language", "pair_type", "positive_speaker", "anchor", "positive", "answer_id"]
        columns += ["cluster_id", "dialogue_id", "pair_id"]
        found = [[np.empty(0, np.uint64)] for _ in range(5)]
        for read in reads:
            rows = read(columns).combine_chunks()
            group = pc.binary_join_element_wise(*(rows[name] for name in columns[:4]), "\n")  # not NUL: see `_hashes`
            place = pc.coalesce(rows["cluster_id"], rows["dialogue_id"], rows["pair_id"])
            texts = group, normalize(rows["positive"]), rows["answer_id"], place, normalize(rows["anchor"])
            for hashes, column in zip(found, texts, strict=True):
                hashes.append(_hashes(column))
        return cls(*map(np.concatenate, found))


def _hashes(column: pa.ChunkedArray) -> np.ndarray:
    """Uint64 `[n]`; pandas before 3 reads a string up to its first NUL."""
    from pandas.util import hash_array

    return hash_array(column.to_numpy(zero_copy_only=False).astype(object))


class Barred:
    """Which candidates may not be used for pairs with a given key: those that occur with it."""

    def __init__(self, keys: np.ndarray, candidates: np.ndarray) -> None:
        order = np.lexsort([candidates, keys])
        keys, candidates = keys[order], candidates[order]
        new = np.append(True, (np.diff(candidates) != 0) | (keys[1:] != keys[:-1]))
        self._keys, self._candidates = keys[new], candidates[new]

    def of(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(place in `keys`, candidate) of every pair that is barred."""
        left, right = (np.searchsorted(self._keys, keys, side) for side in ("left", "right"))
        counts = right - left
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(keys)), counts), self._candidates[np.repeat(left, counts) + within]
