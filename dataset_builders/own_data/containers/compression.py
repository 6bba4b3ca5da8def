"""Unpack compressed streams, recognised by their first bytes rather than by the name of the file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
from typing import BinaryIO, cast

SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zst", ".zstd", ".lz4"})
"""Extensions of compressed files, in lower case."""

_MAGIC = re.compile(
    rb"(?P<gzip>\x1f\x8b)"
    rb"|(?P<bz2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))"
    rb"|(?P<xz>\xfd7zXZ\x00)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)"  # a file in several frames may begin with one to be skipped
    rb"|(?P<lz4>\x04\x22\x4d\x18)"
)


def compression_of(stream: BinaryIO) -> str | None:
    """The compression of a stream at its beginning, which is read and restored; None if it is not compressed."""
    match = _MAGIC.match(stream.read(10))
    stream.seek(0)
    return match.lastgroup if match else None


def decompressed(stream: BinaryIO) -> BinaryIO:
    """The unpacked bytes of a stream at its beginning, all frames of it; the stream itself if it is not compressed."""
    name = compression_of(stream)
    if name is None:
        return stream
    if name == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if name == "bz2":
        return cast(BinaryIO, bz2.BZ2File(stream))
    if name == "xz":
        return cast(BinaryIO, lzma.LZMAFile(stream))
    import pyarrow as pa

    return cast(BinaryIO, io.BufferedReader(pa.input_stream(stream, compression=name)))
