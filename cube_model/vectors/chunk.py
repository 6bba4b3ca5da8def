"""The bytes of one chunk of vectors: checksum, keys, vectors. Read without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

PRECISIONS = {"float32": "<f4", "float16": "<f2"}

KEY_BYTES = 16

_CHECK = 8

_BLOCK = 1024
"""Rows gathered at a time: few enough for the processor's cache."""


def key_array(keys: Sequence[bytes]) -> np.ndarray:
    """`[n, 2]` of unsigned 64-bit numbers: keys that can be compared all at once."""
    return np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)


def pack_chunk(number: int, keys: Sequence[bytes], vectors: np.ndarray, precision: str) -> bytes:
    """Bytes of the vectors `[n, dimension]` of n keys."""
    body = b"".join(keys), np.ascontiguousarray(vectors, dtype=PRECISIONS[precision]).data.cast("B")
    return b"".join((_check(number, *body), *body))


def unpack_chunk(
    content: Any, number: int, dimension: int, precision: str, *, checked: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """The reverse.

    Args:
        content: Any buffer; the arrays are views of it.
        number: As packed.
        dimension: As packed.
        precision: As packed.
        checked: The checksum is known to be right.

    Returns:
        Keys as `key_array` gives them, and vectors `[n, dimension]`; None when they were
        not packed so.
    """
    view = memoryview(content)
    dtype = np.dtype(PRECISIONS[precision])
    count, rest = divmod(len(view) - _CHECK, KEY_BYTES + dimension * dtype.itemsize)
    if count < 0 or rest or not (checked or bytes(view[:_CHECK]) == _check(number, view[_CHECK:])):
        return None
    vectors_at = _CHECK + count * KEY_BYTES
    keys = np.frombuffer(view[_CHECK:vectors_at], dtype="<u8").reshape(count, 2)
    return keys, np.frombuffer(view[vectors_at:], dtype=dtype).reshape(count, dimension)


def chunk_keys(content: bytes, dimension: int, precision: str) -> list[bytes]:
    """The keys of a chunk, without its vectors."""
    size = KEY_BYTES + dimension * np.dtype(PRECISIONS[precision]).itemsize
    count = (len(content) - _CHECK) // size
    return [content[_CHECK + i * KEY_BYTES : _CHECK + (i + 1) * KEY_BYTES] for i in range(count)]


def same_keys(keys: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Bool `[m]`: whether the keys `[n, 2]` of a chunk have at `rows` `[m]` what is `wanted` `[m, 2]`."""
    return (rows < len(keys)) & (keys.take(rows, axis=0, mode="clip") == wanted).all(1)


def gather(vectors: np.ndarray, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> None:
    """`out[at] = vectors[rows]` with one copy where `at` (ascending) is a range and the types are equal."""
    if len(at) and at[-1] - at[0] + 1 == len(at) and vectors.dtype == out.dtype:
        np.take(vectors, rows, axis=0, out=out[at[0] : at[-1] + 1], mode="clip")
        return
    for start in range(0, len(at), _BLOCK):
        block = slice(start, start + _BLOCK)
        out[at[block]] = vectors[rows[block]]


def _check(number: int, *body: Any) -> bytes:
    """Bound to the chunk's number: a chunk in another's place is as wrong as a changed one."""
    from xxhash import xxh3_64

    digest = xxh3_64(seed=number)
    for part in body:
        digest.update(part)
    return digest.digest()
