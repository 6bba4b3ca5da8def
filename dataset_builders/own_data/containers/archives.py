"""Members of zip and tar archives. An archive is indexed once, and its members are read without unpacking it."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, cast

from dataset_builders.common.unpacking import bounded
from dataset_builders.own_data.containers.compression import compression_of, decompressed

ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_TAR, _TAR_AT = b"ustar", 257
_IS_UTF8 = 1 << 11


def archive_kind(head: bytes) -> Literal["zip", "tar"] | None:
    """The kind of an archive.

    Args:
        head: Its first 512 bytes, unpacked.
    """
    if head.startswith((ZIP, _EMPTY_ZIP)):
        return "zip"
    return "tar" if head[_TAR_AT:].startswith(_TAR) else None


def member_names(path: Path) -> dict[str, str]:
    """The files in an archive, in its order: name in the archive -> relative path as on the computer that packed it.

    Raises:
        OSError: The archive is damaged; also `zipfile.BadZipFile` or `tarfile.TarError`.
    """
    return {name: _relative_path(name, member) for name, member in _index(path).items()}


def _relative_path(name: str, member: zipfile.ZipInfo | tarfile.TarInfo) -> str:
    if isinstance(member, zipfile.ZipInfo):
        if not member.flag_bits & _IS_UTF8 and not name.isascii():
            with contextlib.suppress(UnicodeError):  # macOS writes UTF-8 without saying so
                name = name.encode("cp437").decode("utf-8")
        name = name.replace("\\", "/")  # some programs on Windows do not follow the standard
    return PurePosixPath(name.lstrip("/")).as_posix()


def open_member(path: Path, name: str) -> BinaryIO:
    """Open a member of an archive; several may be open at a time, also in forked processes.

    Raises:
        KeyError: There is no such member, or it is a link to nothing.
        RuntimeError: It is protected by a password.
    """
    archive, member = _opened(path), _index(path)[name]
    if isinstance(archive, zipfile.ZipFile):
        return cast(BinaryIO, archive.open(cast(zipfile.ZipInfo, member)))
    stream = archive.extractfile(cast(tarfile.TarInfo, member))
    if stream is None:
        raise KeyError(name)
    return cast(BinaryIO, stream)


def packed_size(path: Path, name: str) -> int:
    """Size in bytes that a member takes in its archive; in a tar archive, which packs nothing, its own size."""
    member = _index(path)[name]
    return member.compress_size if isinstance(member, zipfile.ZipInfo) else member.size


def needs_password(path: Path, name: str) -> bool:
    """Whether a member is protected by a password."""
    member = _index(path)[name]
    return isinstance(member, zipfile.ZipInfo) and bool(member.flag_bits & 1)


def _index(path: Path) -> dict[str, zipfile.ZipInfo] | dict[str, tarfile.TarInfo]:
    return _read_index(_opened(path))


@functools.lru_cache(maxsize=4)
def _read_index(archive: zipfile.ZipFile | tarfile.TarFile) -> dict[str, zipfile.ZipInfo] | dict[str, tarfile.TarInfo]:
    """The members of an archive by name; the last of those with the same name, which replaces the others."""
    if isinstance(archive, zipfile.ZipFile):
        return {m.filename: m for m in archive.infolist() if not m.is_dir() and not m.filename.endswith("\\")}
    # tar stores a file with two names once, and the second name as a link
    return {m.name: m for m in archive.getmembers() if m.isfile() or m.islnk() or m.issym()}


def _opened(path: Path) -> zipfile.ZipFile | tarfile.TarFile:
    state = path.stat()
    return _open(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _open(path: Path, size: int, modified_ns: int) -> zipfile.ZipFile | tarfile.TarFile:
    """Open an archive and keep it open.

    A compressed tar archive has no index, so that each member would cost reading all before it: it is unpacked once,
    into a temporary file that has no name and vanishes with the process.
    """
    file: BinaryIO = path.open("rb")
    if compression_of(file):
        temporary = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  closed with the last reference
        with file:
            shutil.copyfileobj(bounded(decompressed(file), size, path), temporary, 1 << 20)
        temporary.flush()
        file = temporary
    reader = cast(BinaryIO, _Reader(file))
    if archive_kind(reader.read(512)) == "zip":
        return zipfile.ZipFile(reader)
    reader.seek(0)
    return tarfile.open(fileobj=reader, mode="r:")


class _Reader(io.RawIOBase):
    """A file whose position belongs to the object: forked processes share that of the file descriptor."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0
        self._size = file.seek(0, io.SEEK_END)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if hasattr(os, "pread"):
            data = os.pread(self._file.fileno(), len(buffer), self._at)
        else:  # Windows, which does not fork
            self._file.seek(self._at)
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
