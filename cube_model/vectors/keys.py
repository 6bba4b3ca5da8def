"""Keys of texts: 16 bytes of sha256, the same in the embedding cache and in folders of vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

KEY_BYTES = 16


def cache_keys(texts: Sequence[str]) -> list[bytes]:
    """Hash each text. Raw data may contain lone surrogates, which are hashed as they are."""
    sha256 = hashlib.sha256
    return [sha256(text.encode("utf-8", "surrogatepass")).digest()[:KEY_BYTES] for text in texts]


def key_array(keys: Sequence[bytes]) -> np.ndarray:
    """Convert keys to unsigned 64-bit numbers `[n, 2]`, for vectorised comparison."""
    return np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)


def same_keys(keys: np.ndarray, rows: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return whether `keys[rows]` equals `expected`, bool `[m]`, for keys `[n, 2]` and expected keys `[m, 2]`."""
    return (rows < len(keys)) & (keys.take(rows, axis=0, mode="clip") == expected).all(1)


def key_heads(keys: np.ndarray) -> np.ndarray:
    """Return the first 8 bytes of keys as numbers that sort like the keys.

    Args:
        keys: As `key_array` returns them, uint64 `[n, 2]`.

    Returns:
        uint64 `[n]`.
    """
    return keys[:, 0].view(">u8").astype(np.uint64)


def range_starts(count: int) -> list[int]:
    """Divide the keys into ranges that are equally full, as keys are spread evenly.

    Args:
        count: Number of ranges.

    Returns:
        Smallest head of each range, then 2^64: `[count + 1]`.
    """
    return [-(-(number << 64) // count) for number in range(count + 1)]
