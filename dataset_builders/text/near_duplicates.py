"""Near-duplicate texts: MinHash-LSH finds candidate pairs, and each is verified by its exact similarity.

    texts -> sets of shingles -> MinHash signatures (rensa) -> bands -> candidate pairs -> exact Jaccard similarity

Two MinHash signatures (Broder 1997) agree in a slot with probability J, the Jaccard similarity of the sets. With b
bands of r slots, a pair becomes a candidate with probability 1 - (1 - J^r)^b (Leskovec et al., "Mining of Massive
Datasets", section 3.4). 25 bands of 5 slots find 99.0 % of the pairs at J = 0.7 and more above it; 32 bands of 4 would
find the last percent at the cost of 3.4 times as many candidates.

The functions here need the sets of all their texts in memory, 4 bytes per character. The survey of a build, which
compares millions of dialogues, combines them in stages (`survey.similar`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.text.normalize import normalize
from dataset_builders.text.ragged import Ragged, distinct, keyed, pack, sets_of_keys, unpack

SHINGLE = 5
PERMUTATIONS = 128
BANDS = 25
THRESHOLD = 0.7

_ROWS_AT_ONCE = 1024
"""Sets hashed at once: their keys fit into the processor's cache."""
_CHARACTERS_AT_ONCE = 1 << 18
"""Characters hashed at once: each takes 60 bytes, and 1,000 meetings have six million of them."""
_SIGNATURES_AT_ONCE = 32
"""Signatures that are Python ints at once: more do not fit into the processor's cache, and take three times as long."""
_PAIRS_AT_ONCE = 1 << 18
"""Pairs compared at once, without their texts."""
_KEYS_AT_ONCE = 1 << 19

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: Fibonacci hashing


@dataclass(frozen=True)
class Matches:
    """Pairs of similar rows, sorted.

    Attributes:
        left: Row number of one, int64 of shape (n,).
        right: Row number of the other, larger than `left`, int64 of shape (n,).
        similarity: Exact Jaccard similarity, float32 of shape (n,).
    """

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.left)


def similar_texts(
    texts: pa.Array | pa.ChunkedArray | Sequence[str],
    threshold: float = THRESHOLD,
    *,
    shingle: int = SHINGLE,
    permutations: int = PERMUTATIONS,
    bands: int = BANDS,
    seed: int = 0,
) -> Matches:
    """Find the pairs of distinct texts whose sets of shingles have at least `threshold` Jaccard similarity.

    Texts with the same normal form (`normalize`) count once, at their first row; otherwise a text that occurs a
    thousand times would give half a million pairs. Use `text_ids` to match the other rows.

    Args:
        texts: n texts.
        threshold: Minimum Jaccard similarity, in (0, 1].
        shingle: Number of characters of a shingle; a shorter text is one shingle.
        permutations: Number of slots of a MinHash signature.
        bands: Number of bands of `permutations // bands` slots each; more bands find more pairs at a higher cost.
        seed: Random seed of the signatures.

    Example:
        >>> matches = similar_texts(["I need a cheap hotel, please", "need a cheap hotel please!", "Hello"])
        >>> matches.left, matches.right
        (array([0]), array([1]))
    """
    if not 0 < threshold <= 1 or not 0 < bands <= permutations:
        raise ValueError(f"threshold {threshold} must be in (0, 1] and bands {bands} in 1..{permutations}")
    rows = texts if isinstance(texts, (pa.Array, pa.ChunkedArray)) else pa.array(texts, pa.string())
    encoded = pc.dictionary_encode(normalize(rows))
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    first = np.unique(encoded.indices.to_numpy(), return_index=True)[1]  # codes are numbered by first occurrence
    sets = shingle_sets(encoded.dictionary, shingle)
    candidates = np.zeros(0, np.int64)
    for keys in band_keys(sets, permutations, bands, seed):
        chunks = [pack(left, right) for left, right in equal_pairs(keys)]
        candidates = distinct(np.concatenate([candidates, *chunks]))  # a similar pair shares many bands
    left, right = unpack(candidates)
    similarity = similarities(sets, left, right)
    keep = similarity >= threshold
    return Matches(first[left[keep]], first[right[keep]], similarity[keep].astype(np.float32))


def shingle_sets(texts: pa.Array | pa.ChunkedArray, size: int = SHINGLE) -> Ragged:
    """The distinct runs of `size` characters in each text, as 32-bit hashes; a shorter text is one run.

    Among the m shingles of a pair, two collide with probability m^2 / 2^33 (3e-7 for utterances, 1e-4 for a long
    dialogue). A collision changes the similarity by 1 / m.
    """
    values, sizes = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    ends, start = np.cumsum(pc.utf8_length(texts).to_numpy().astype(np.int64)), 0
    while start < len(texts):
        done = ends[start - 1] if start else 0
        fitting = int(np.searchsorted(ends, done + _CHARACTERS_AT_ONCE, "right"))
        stop = min(start + _ROWS_AT_ONCE, max(start + 1, fitting))
        chunk = _shingles(texts.slice(start, stop - start), size)
        values.append(chunk.values)
        sizes.append(chunk.sizes)
        start = stop
    return Ragged.of(np.concatenate(values), np.concatenate(sizes))


def similarities(sets: Ragged, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Exact Jaccard similarity of the sets of each pair.

    Args:
        sets: n sets.
        left: Number of the first set of each pair, shape (m,).
        right: Number of the second set of each pair, shape (m,).

    Returns:
        float64 of shape (m,).
    """
    common = intersections(sets, left, right)
    return common / np.maximum(sets.sizes[left] + sets.sizes[right] - common, 1)


def intersections(sets: Ragged, left: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Number of values that the sets of each pair share, or the sum of their weights.

    Args:
        sets: n sets.
        left: Number of the first set of each pair, shape (m,).
        right: Number of the second set of each pair, shape (m,).
        weights: Weight of each value, indexed by the value.

    Returns:
        float64 of shape (m,).
    """
    shared = np.zeros(len(left), np.float64)
    ends = np.cumsum(sets.sizes[left] + sets.sizes[right])
    start = 0
    while start < len(left):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _KEYS_AT_ONCE, "right")))
        both = [keyed(*sets.gather(rows[start:stop])) for rows in (left, right)]
        keys = np.sort(np.concatenate(both))
        twice = keys[1:][keys[1:] == keys[:-1]]  # a value occurs twice if and only if both sets contain it
        weight = None if weights is None else weights[twice & np.uint64(0xFFFFFFFF)]
        shared[start:stop] = np.bincount((twice >> np.uint64(32)).astype(np.int64), weight, stop - start)
        start = stop
    return shared


Bitmaps = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Sizes of n sets, numbers of their values that no bit of their own shows, and bitmaps, uint64 of shape (n, bits / 64).
"""


def bitmaps(sets: Ragged, bits: int) -> Bitmaps:
    """A Bloom-like bitmap of each set, which rejects most candidates without their values; see `possible`.

    Args:
        sets: n sets.
        bits: Number of bits, a power of two from 64.
    """
    maps, hidden = [np.zeros((0, bits // 64), np.uint64)], [np.zeros(0, np.int64)]
    for start in range(0, len(sets), _ROWS_AT_ONCE):
        chunk = sets.slice(start, _ROWS_AT_ONCE)
        flags = np.zeros((len(chunk), bits), np.bool_)
        flags[np.repeat(np.arange(len(chunk)), chunk.sizes), chunk.values & np.uint32(bits - 1)] = True
        maps.append(np.packbits(flags, axis=1).view(np.uint64))
        hidden.append(chunk.sizes - np.bitwise_count(maps[-1]).sum(axis=1, dtype=np.int64))
    return sets.sizes, np.concatenate(hidden), np.concatenate(maps)


def folded(maps: Bitmaps, bits: int) -> Bitmaps:
    """Bitmaps of fewer bits, of the same sets."""
    sizes, hidden, words = maps
    while words.shape[1] * 64 > bits:
        half = words.shape[1] // 2
        words = words[:, :half] | words[:, half:]
        hidden = sizes - np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return sizes, hidden, words


def possible(left: Bitmaps, right: Bitmaps, threshold: float) -> np.ndarray:
    """Whether the Jaccard similarity of each pair may reach a threshold, bool of shape (n,).

    A bit that A has and B lacks comes from a value that A has and B lacks, hence
    |A and B| <= |A| - bits(A) + bits(A and B). A pair whose bound is below the threshold can be rejected safely.

    Args:
        left: The first set of each of n pairs.
        right: The second one.
        threshold: Similarity, in (0, 1].
    """
    part = threshold / (1 + threshold)  # J >= t  <=>  |A and B| >= t / (1 + t) * (|A| + |B|)
    needed = part * (left[0] + right[0]) - 1e-6
    bits = np.bitwise_count(left[2] & right[2]).sum(axis=1, dtype=np.int64)
    bound = np.minimum(bits + np.minimum(left[1], right[1]), np.minimum(left[0], right[0]))
    return bound >= needed


def _shingles(texts: pa.Array | pa.ChunkedArray, size: int) -> Ragged:
    """Sets of shingles of a few texts."""
    lengths = pc.utf8_length(texts).to_numpy().astype(np.int64)
    # code points of all texts in one array, padded with zeros for the runs that begin near the end
    joined = "".join(texts.to_pylist()) + "\0" * size
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    runs = len(points) - size
    keys = points[:runs].copy()
    for step in range(1, size):
        keys *= _MULTIPLIER
        keys += points[step : step + runs]
    keys ^= keys >> np.uint64(31)
    keys *= _MULTIPLIER
    keys >>= np.uint64(32)
    keys |= np.repeat(np.arange(len(lengths), dtype=np.uint64) << np.uint64(32), lengths)  # as `keyed`
    is_whole, ends = np.ones(runs, bool), np.cumsum(lengths)
    for left in range(1, size):  # a run that begins at one of the last characters goes on in the next text
        is_whole[ends[lengths >= left] - left] = False
    keys = keys[is_whole]
    short = np.flatnonzero(lengths < size)
    if len(short):
        tokens = np.array([_hash_text(texts[row].as_py()) for row in short.tolist()], np.uint64)
        keys = np.concatenate([keys, keyed(tokens, short)])
    return sets_of_keys(keys, len(lengths))


def _hash_text(text: str) -> int:
    """A 32-bit hash of a text, the same in every process."""
    value = 0
    for character in text:
        value = ((value + ord(character) + 1) * int(_MULTIPLIER)) & 0xFFFFFFFFFFFFFFFF
    return value >> 32


def band_keys(sets: Ragged, permutations: int, bands: int, seed: int) -> np.ndarray:
    """Hash of each band of each set's signature, uint64 of shape (bands, n)."""
    from rensa import RMinHash

    slots = permutations // bands
    tokens = sets.values.astype(np.uint64) * _MULTIPLIER  # rensa expects hashes that use all 64 bits
    rows = np.empty((len(sets), permutations), np.uint32)
    for start in range(0, len(sets), _SIGNATURES_AT_ONCE):
        offsets = sets.offsets[start : start + _SIGNATURES_AT_ONCE + 1]
        signatures = RMinHash.digest_matrix_from_flat_token_hashes(
            tokens[offsets[0] : offsets[-1]], (offsets - offsets[0]).astype(np.uint64), permutations, seed
        ).to_rows()
        flat = array("I")
        for row in signatures:  # twice as fast as one array of all rows, which are lists of ints
            flat.fromlist(row)
        rows[start : start + _SIGNATURES_AT_ONCE] = np.frombuffer(flat, np.uint32).reshape(-1, permutations)
    parts = rows[:, : bands * slots].reshape(-1, bands, slots)
    keys = np.zeros(parts.shape[:2], np.uint64)
    for slot in range(slots):
        keys = (keys ^ parts[:, :, slot]) * _MULTIPLIER
        keys ^= keys >> np.uint64(29)
    return keys.T


def equal_pairs(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of rows with the same key, in chunks of limited size.

    Args:
        keys: Key of each of n rows.

    Yields:
        Numbers of the rows of each pair, the smaller ones and the larger ones.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    several = np.append(same, False)[: len(order)] | np.append(False, same)[: len(order)]
    order, ordered = order[several], ordered[several]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0)) + 1
    followers = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(order)) - 1
    first = np.flatnonzero(followers)
    followers = followers[first]
    total = np.cumsum(followers)
    start = 0
    while start < len(first):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + _PAIRS_AT_ONCE, "right")))
        count = followers[start:stop]
        left = np.repeat(first[start:stop], count)
        step = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count)
        yield order[left], order[left + 1 + step]
        start = stop
