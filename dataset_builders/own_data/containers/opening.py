"""Open files of own data, plain, compressed or in an archive, as unpacked bytes."""

from __future__ import annotations

import errno
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from typing import BinaryIO, cast

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import describe_os_error
from dataset_builders.common.unpacking import bounded
from dataset_builders.own_data.containers import archives
from dataset_builders.own_data.containers.compression import compression_of, decompressed
from dataset_builders.own_data.rejects import one_line
from dataset_builders.sources.raw_files import RawFile

READ_ERRORS = (
    *(OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError),
)
"""Errors of a file that is damaged, or compressed in an unusual way."""


def open_bytes(file: RawFile) -> BinaryIO:
    """Open a file as a stream of unpacked bytes.

    Raises:
        DataError: The file cannot be opened.
    """
    stream = _open(file)
    try:
        return _unpacked(file, stream)
    except READ_ERRORS as error:
        raise unreadable(file, error) from error


def open_seekable(file: RawFile) -> BinaryIO:
    """Open a file as unpacked bytes for reading in any order; a packed one is copied to a temporary file.

    Raises:
        DataError: The file cannot be opened or unpacked.
    """
    stream = _open(file)
    try:
        if not file.members and not compression_of(stream):
            return stream
        temporary = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  closed with the last reference
        shutil.copyfileobj(_unpacked(file, stream), temporary, 1 << 20)
        temporary.seek(0)
        return temporary
    except READ_ERRORS as error:
        raise unreadable(file, error) from error


def is_packed(file: RawFile) -> bool:
    """Whether a file is compressed or in an archive, so that damage shows only when it is read to the end."""
    with _open(file) as stream:
        return bool(file.members or compression_of(stream))


def unreadable(file: RawFile, error: Exception) -> DataError:
    """The error for a file that cannot be read to its end."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return DataError(f"{file}: cannot be unpacked ({describe_os_error(error)})")
    cause = one_line(str(error)) or type(error).__name__
    return DataError(f"{file}: cannot be read ({cause}); it is damaged or protected")


def _unpacked(file: RawFile, stream: BinaryIO) -> BinaryIO:
    """The unpacked bytes of an opened file; their size is bounded, since it says nothing about that of the file."""
    packed = archives.packed_size(file.path, file.members[0]) if file.members else file.path.stat().st_size
    plain = decompressed(stream)
    return plain if plain is stream and not file.members else bounded(plain, packed, file)


def _open(file: RawFile) -> BinaryIO:
    try:
        if not file.members:
            return file.path.open("rb")
        if archives.needs_password(file.path, file.members[0]):
            raise DataError(f"{file}: is protected by a password; unpack it, or pack it without one")
        return archives.open_member(file.path, file.members[0])
    except KeyError as error:
        raise DataError(f"{file}: is not in the archive, or a link to a file that is not in it") from error
    except (*READ_ERRORS, RuntimeError) as error:
        raise unreadable(file, error) from error
