"""Bounds for what is unpacked: a few MB of a hostile archive become as many GB as its author wishes."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, BinaryIO, cast

from dataset_builders.common.errors import DataError

VARIABLE = "DIALOGUE_CUBE_MAX_UNPACKED"
"""Environment variable with the maximum size of an unpacked file in GB, in place of the two limits below."""

FLOOR = 250_000_000
"""Bytes that every file may unpack to."""

RATIO = 100
"""Bytes that a file may unpack to for each byte of it; dialogues as JSON take 5 to 30, deflate allows 1,032."""


class UnpackedSizeError(DataError):
    """A file unpacks to more than it may."""

    @classmethod
    def of(cls, name: object, packed: int, limit: int) -> UnpackedSizeError:
        """The error for a file with its size and its limit in bytes."""
        return cls(
            f"{name}: {packed / 1e6:,.1f} MB that unpack to more than {limit / 1e6:,.0f} MB, which may be a trap; if "
            f"it is not, allow more GB with {VARIABLE}={max(1, 10 * limit // 10**9)}"
        )


MOST_IN_MEMORY = 2_000_000_000
"""Bytes that a file that is read as a whole may unpack to."""


def unpacked_limit(packed: int, *, in_memory: bool = False) -> int:
    """Maximum number of bytes that a file may unpack to.

    Args:
        packed: Its size in bytes.
        in_memory: Whether it is read as a whole.

    Raises:
        DataError: The environment variable is not a positive number.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return min(max(FLOOR, RATIO * packed), MOST_IN_MEMORY if in_memory else sys.maxsize)
    try:
        limit = int(float(text) * 1e9)
    except (ValueError, OverflowError):
        limit = 0
    if limit <= 0:
        raise DataError(f"{VARIABLE} is {text!r}; expected a number of GB, such as 20")
    return limit


def bounded(stream: Any, packed: int, name: object, *, in_memory: bool = False) -> BinaryIO:
    """A stream of unpacked bytes that ends with an error where a bomb begins.

    Args:
        stream: The unpacked bytes, a binary file.
        packed: Size of the packed file in bytes.
        name: Name of the file, for the message.
        in_memory: Whether it is read as a whole.

    Returns:
        A stream that raises `UnpackedSizeError` once more is read than `unpacked_limit` allows.
    """
    return cast(
        BinaryIO,
        io.BufferedReader(_Bounded(stream, packed, name, unpacked_limit(packed, in_memory=in_memory)), 1 << 16),
    )


class _Bounded(io.RawIOBase):
    def __init__(self, stream: Any, packed: int, name: object, limit: int) -> None:
        self._stream = stream
        self._packed, self._name, self._limit, self._left = packed, name, limit, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._stream.readinto(buffer) or 0)
        self._left -= count
        if self._left < 0:
            raise UnpackedSizeError.of(self._name, self._packed, self._limit)
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
