"""Texts that say almost the same: MinHash-LSH finds candidates, every one of them is verified exactly.

    texts -> sets of shingles -> MinHash signatures (rensa) -> bands -> candidate pairs -> true Jaccard

MinHash (Broder 1997) makes two signatures agree in a slot with the probability of the Jaccard similarity J; with b
bands of r slots a pair becomes a candidate with probability 1 - (1 - J^r)^b (Leskovec et al., "Mining of Massive
Datasets", section 3.4). 25 bands of 5 slots find 99.0 % of the pairs at J = 0.7 and more above it; 32 bands of 4 give
3.4 times the candidates for the last percent. A pair that is found has its true similarity, no estimate.

Memory, beside the texts: `8 * bands` + 32 to 512 bytes a text, 34 bytes a match, and about 50 MB for the chunk at work:
sets of shingles are made for a chunk, and made again for the texts that are candidates. Those are few in real corpora;
where all are, 4 bytes a character of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.text.normalize import normalize

SHINGLE = 5
PERMUTATIONS = 128
BANDS = 25
THRESHOLD = 0.7

_ROWS_AT_ONCE = 1024
"""Sets that are hashed at once: their keys stay in the processor's cache, their signatures as Python ints are 5 MB."""
_PAIRS_AT_ONCE = 1 << 18
_KEYS_AT_ONCE = 1 << 19

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: Fibonacci hashing


@dataclass(frozen=True)
class Ragged:
    """Rows of differing length, one after the other; where they stand for sets, ascending and distinct in each row.

    Attributes:
        values: uint32 of shape (sum of sizes,).
        offsets: Where each row begins, and the end, int64 of shape (n + 1,).
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, values: np.ndarray, sizes: np.ndarray) -> Ragged:
        """From the number of values in each row."""
        return cls(values, np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]))

    @property
    def sizes(self) -> np.ndarray:
        """Number of values of each row, int64 of shape (n,)."""
        return np.diff(self.offsets)

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All values of `rows`, and for each value its position in `rows`."""
        sizes = self.sizes[rows]
        owner = np.repeat(np.arange(len(rows)), sizes)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.values[np.repeat(self.offsets[:-1][rows], sizes) + within], owner

    def take(self, rows: np.ndarray) -> Ragged:
        """The rows of these numbers."""
        return Ragged.of(self.gather(rows)[0], self.sizes[rows])

    def where(self, wanted: np.ndarray) -> Ragged:
        """The rows where the booleans `wanted` are true; needs less memory than `take`."""
        return Ragged.of(self.values[np.repeat(wanted, self.sizes)], self.sizes[wanted])

    def as_sets(self) -> Ragged:
        """Each row's distinct values, ascending."""
        return _sets(self.values, np.repeat(np.arange(len(self)), self.sizes), len(self))


@dataclass(frozen=True)
class Matches:
    """Pairs of similar rows, sorted.

    Attributes:
        left: Row number of one, int64 of shape (n,).
        right: Row number of the other, above `left`.
        similarity: True Jaccard similarity, float32.
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
    """Pairs of distinct texts whose sets of shingles have at least `threshold` Jaccard similarity.

    Texts that `normalize` makes equal are taken once, at their first row: a text that stands there a thousand times
    gives no half a million pairs. Join the others to it by `text_ids`.

    Args:
        texts: n texts.
        threshold: In (0, 1].
        shingle: Characters of a shingle; a shorter text is one shingle.
        permutations: Slots of a MinHash signature.
        bands: Groups of `permutations // bands` slots; more bands find more and cost more.
        seed: Of the signatures.

    Example:
        >>> matches = similar_texts(["I need a cheap hotel, please", "need a cheap hotel please!", "Hello"])
        >>> matches.left, matches.right
        (array([0]), array([1]))
    """
    rows = texts if isinstance(texts, (pa.Array, pa.ChunkedArray)) else pa.array(texts, pa.string())
    encoded = pc.dictionary_encode(normalize(rows))
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    first = np.unique(encoded.indices.to_numpy(), return_index=True)[1]  # codes count from 0 in order of appearance
    sets = ShingledTexts(len(encoded.dictionary), lambda rows: encoded.dictionary.take(pa.array(rows)), shingle)
    found = SimilarSets(sets, threshold, permutations=permutations, bands=bands, seed=seed).matches()
    return Matches(first[found.left], first[found.right], found.similarity)


@dataclass(frozen=True)
class ShingledTexts:
    """The sets of shingles of n texts, made when they are asked for.

    Attributes:
        count: n.
        texts: Gives the texts of some rows.
        size: Characters of a shingle.
    """

    count: int
    texts: Callable[[np.ndarray], pa.Array]
    size: int = SHINGLE

    def __len__(self) -> int:
        return self.count

    def take(self, rows: np.ndarray) -> Ragged:
        """The sets of the rows of these numbers."""
        return shingle_sets(self.texts(rows), self.size)


def shingle_sets(texts: pa.Array | pa.ChunkedArray, size: int = SHINGLE) -> Ragged:
    """The distinct runs of `size` characters of each text as 32-bit hashes; a shorter text is one run.

    Two of m shingles of a pair collide with probability m^2 / 2^33: 3e-7 for utterances, 1e-4 for a long dialogue, and
    then change its similarity by one part in m.
    """
    values, sizes = [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
    for start in range(0, len(texts), _ROWS_AT_ONCE):
        chunk = _shingles(texts.slice(start, _ROWS_AT_ONCE), size)
        values.append(chunk.values)
        sizes.append(chunk.sizes)
    return Ragged.of(np.concatenate(values), np.concatenate(sizes))


class SimilarSets:
    """Finds the similar ones among n sets.

    Args:
        sets: Looked at in chunks, and again those that are candidates.
        threshold, permutations, bands, seed: As of `similar_texts`.

    Attributes:
        sizes: Of the sets, int64 of shape (n,).
    """

    def __init__(
        self,
        sets: Ragged | ShingledTexts,
        threshold: float = THRESHOLD,
        *,
        permutations: int = PERMUTATIONS,
        bands: int = BANDS,
        seed: int = 0,
    ) -> None:
        if not 0 < threshold <= 1 or not 0 < bands <= permutations:
            raise ValueError(f"threshold {threshold} must be in (0, 1] and bands {bands} in 1..{permutations}")
        self.sets, self.threshold = sets, threshold
        sizes = [np.zeros(0, np.int64)]
        self._keys, self._sketch = np.zeros((bands, len(sets)), np.uint64), _Sketch(sets, threshold)
        for start in range(0, len(sets), _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(sets)))
            chunk = sets.take(rows)
            sizes.append(chunk.sizes)
            self._sketch.add(rows, chunk)
            self._keys[:, rows] = _band_keys(chunk, permutations, bands, seed)
        self.sizes = np.concatenate(sizes)

    def matches(self, among: np.ndarray | None = None) -> Matches:
        """Pairs of sets with at least the threshold's Jaccard similarity.

        Args:
            among: Ascending numbers of the sets that are compared; all when not given. Of the matches, too.
        """
        among = np.arange(len(self.sets)) if among is None else among
        found = np.zeros(0, np.int64)
        for keys in self._keys:
            fresh = [self._sketch.possible(among[left], among[right]) for left, right in equal_pairs(keys[among])]
            found = distinct(np.concatenate([found, *fresh]))  # a similar pair meets in many bands
        parts = [found[start : start + _PAIRS_AT_ONCE] for start in range(0, len(found), _PAIRS_AT_ONCE)]
        true = [self._true(*unpack(part)) for part in parts or [found]]
        return Matches(*(np.concatenate(columns) for columns in zip(*true, strict=True)))

    def _true(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = np.unique(np.concatenate([left, right]))
        sets = self.sets.take(rows)
        common = intersections(sets, np.searchsorted(rows, left), np.searchsorted(rows, right))
        similarity = common / np.maximum(self.sizes[left] + self.sizes[right] - common, 1)
        true = similarity >= self.threshold
        return left[true], right[true], similarity[true].astype(np.float32)


def intersections(sets: Ragged, left: np.ndarray, right: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Number of values, or sum of their weights, that the sets of each pair share.

    Args:
        sets: n sets.
        left: Row numbers, shape (m,).
        right: Row numbers, shape (m,).
        weights: Weight of each value, indexed by the value.
    """
    shared = np.zeros(len(left), np.float64)
    ends = np.cumsum(sets.sizes[left] + sets.sizes[right])
    start = 0
    while start < len(left):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _KEYS_AT_ONCE, "right")))
        both = [_keyed(*sets.gather(rows[start:stop])) for rows in (left, right)]
        keys = np.sort(np.concatenate(both))
        twice = keys[1:][keys[1:] == keys[:-1]]  # a value is there twice exactly if both sets hold it
        weight = None if weights is None else weights[twice & np.uint64(0xFFFFFFFF)]
        shared[start:stop] = np.bincount((twice >> np.uint64(32)).astype(np.int64), weight, stop - start)
        start = stop
    return shared


class _Sketch:
    """A Bloom-like bitmap of each set, to refuse most candidates without looking at their values.

    A bit of A that B has not stands for a value of A that B has not, hence
    |A and B| <= |A| - bits(A) + bits(A and B): a pair under the threshold by this bound is surely under it.
    """

    def __init__(self, sets: Ragged | ShingledTexts, threshold: float) -> None:
        some = np.unique(np.linspace(0, len(sets) - 1, min(len(sets), _ROWS_AT_ONCE)).astype(np.int64))
        mean = sets.take(some).sizes.mean() if len(some) else 0
        self.bits = int(np.clip(1 << int(np.ceil(np.log2(max(4 * mean, 1)))), 256, 4096))
        self.maps = np.zeros((len(sets), self.bits // 64), np.uint64)
        self.sizes, self.hidden = np.zeros(len(sets), np.int32), np.zeros(len(sets), np.int32)
        self.part = threshold / (1 + threshold)  # J >= t  <=>  |A and B| >= t / (1 + t) * (|A| + |B|)

    def add(self, rows: np.ndarray, sets: Ragged) -> None:
        """Take the sets of these rows."""
        flags = np.zeros((len(rows), self.bits), np.bool_)
        flags[np.repeat(np.arange(len(rows)), sets.sizes), sets.values & np.uint32(self.bits - 1)] = True
        self.maps[rows] = np.packbits(flags, axis=1).view(np.uint64)
        self.sizes[rows] = sets.sizes
        self.hidden[rows] = sets.sizes - np.bitwise_count(self.maps[rows]).sum(axis=1, dtype=np.int32)

    def possible(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The pairs that may reach the threshold, packed."""
        needed = self.part * (self.sizes[left] + self.sizes[right]) - 1e-6
        keep = np.minimum(self.sizes[left], self.sizes[right]) >= needed
        left, right, needed = left[keep], right[keep], needed[keep]
        bits = np.bitwise_count(self.maps[left] & self.maps[right]).sum(axis=1, dtype=np.int32)
        keep = bits + np.minimum(self.hidden[left], self.hidden[right]) >= needed
        left, right = left[keep], right[keep]
        return pack(left, right)


def _shingles(texts: pa.Array | pa.ChunkedArray, size: int) -> Ragged:
    """The sets of a few texts."""
    lengths = pc.utf8_length(texts).to_numpy().astype(np.int64)
    # code points of all texts in one array; the zeros let the last runs reach over the end
    joined = "".join(texts.to_pylist()) + "\0" * size
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    runs = len(points) - size
    hashes = np.zeros(runs, np.uint64)
    for step in range(size):
        hashes = hashes * _MULTIPLIER + points[step : step + runs]
    hashes = ((hashes ^ (hashes >> np.uint64(31))) * _MULTIPLIER) >> np.uint64(32)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(runs)  # characters of the text from here on
    whole = left >= size
    hashes, owner = hashes[whole], owner[whole]
    short = np.flatnonzero(lengths < size)
    if len(short):
        tokens = [_hash_text(texts[row].as_py()) for row in short.tolist()]
        hashes = np.concatenate([hashes, np.array(tokens, np.uint64)])
        owner = np.concatenate([owner, short])
    return _sets(hashes, owner, len(lengths))


def _hash_text(text: str) -> int:
    """32 bits of a text, the same in every process."""
    value = 0
    for character in text:
        value = ((value + ord(character) + 1) * int(_MULTIPLIER)) & 0xFFFFFFFFFFFFFFFF
    return value >> 32


def _band_keys(sets: Ragged, permutations: int, bands: int, seed: int) -> np.ndarray:
    """A 64-bit hash of each band of each set's signature, shape (bands, n)."""
    from rensa import RMinHash

    slots = permutations // bands
    tokens = sets.values.astype(np.uint64) * _MULTIPLIER  # rensa expects hashes that use all 64 bits
    signatures = RMinHash.digest_matrix_from_flat_token_hashes(
        tokens, sets.offsets.astype(np.uint64), permutations, seed
    )
    rows = np.array(signatures.to_rows(), np.uint32)[:, : bands * slots].reshape(-1, bands, slots)
    keys = np.zeros(rows.shape[:2], np.uint64)
    for slot in range(slots):
        keys = (keys ^ rows[:, :, slot]) * _MULTIPLIER
        keys ^= keys >> np.uint64(29)
    return keys.T


def equal_pairs(keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of rows with the same key, a bounded number at a time."""
    order = np.argsort(keys)
    ordered = keys[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0)) + 1
    followers = np.repeat(ends, np.diff(ends, prepend=0)) - np.arange(len(keys)) - 1
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


def pack(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pairs of rows as one number each, the smaller row first: equal for a pair and its mirror."""
    return (np.minimum(left, right) << 32) | np.maximum(left, right)


def unpack(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of packed pairs."""
    return pairs >> 32, pairs & 0xFFFFFFFF


def distinct(keys: np.ndarray) -> np.ndarray:
    """The distinct numbers, ascending: `np.unique` without its hash table, which is 20 times slower than this sort."""
    keys = np.sort(keys)
    return keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]


def _keyed(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Values that sort by their owner first."""
    return (owner.astype(np.uint64) << np.uint64(32)) | values.astype(np.uint64)


def _sets(values: np.ndarray, owner: np.ndarray, rows: int) -> Ragged:
    keys = distinct(_keyed(values, owner))
    return Ragged.of(keys.astype(np.uint32), np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=rows))
