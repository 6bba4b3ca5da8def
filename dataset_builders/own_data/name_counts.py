"""Counts of names, for files with more conversations than fit into memory as Python objects."""

from __future__ import annotations

from array import array

from xxhash import xxh3_64_intdigest

_FIRST_SLOTS = 1 << 10


class NameCounts:
    """How often names occurred, in 24 to 48 bytes a name, however long it is; a dictionary needs 150 and more.

    Names are known by 64-bit hashes: two of a million have the same one with a probability of 3e-8.
    """

    def __init__(self) -> None:
        self._keys, self._counts = _table(_FIRST_SLOTS)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, name: str) -> int:
        """The count of a name, 0 if it never occurred."""
        return self._counts[self._slot(_hash(name))]

    def __setitem__(self, name: str, count: int) -> None:
        self.add(name, count - self[name])

    def add(self, name: str, more: int = 1) -> int:
        """Add to the count of a name, which must not become negative; returns the new count."""
        key, keys = _hash(name), self._keys
        slot = self._slot(key)
        count = self._counts[slot] = self._counts[slot] + more
        if not keys[slot]:
            keys[slot] = key
            self._size += 1
            if 2 * self._size > len(keys):
                self._grow()
        return count

    def _grow(self) -> None:
        old = zip(self._keys, self._counts, strict=True)
        self._keys, self._counts = _table(2 * len(self._keys))
        for key, count in old:
            if key:
                slot = self._slot(key)
                self._keys[slot], self._counts[slot] = key, count

    def _slot(self, key: int) -> int:
        """Place of a key in the table, or the free one for it."""
        keys, mask = self._keys, len(self._keys) - 1
        slot = key & mask
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot


def _table(slots: int) -> tuple[array[int], array[int]]:
    return array("Q", bytes(8 * slots)), array("I", bytes(4 * slots))


def _hash(name: str) -> int:
    return xxh3_64_intdigest(name.encode("utf-8", "surrogatepass")) or 1
