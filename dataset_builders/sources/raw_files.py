"""Raw files as published. Parsers read plain files and archive members in the same way."""

from __future__ import annotations

import fnmatch
import functools
import gzip
import hashlib
import io
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from dataset_builders.common.errors import DataError
from dataset_builders.common.integrity import sha256 as sha256
from dataset_builders.common.listing import is_hidden, walk
from dataset_builders.common.unpacking import bounded

SAMPLE_NOTE = "SAMPLE.txt"
"""File that marks a folder of raw files as invented by `dialogue-cube sample`."""


@dataclass(frozen=True)
class RawFile:
    """A raw file on disk, or a member of an archive on disk.

    Args:
        name: Path relative to the source's raw folder, with `/`. A member has the path that it would have if its
            archive were unpacked in place.
        path: Path of the file or archive on disk.
        members: Name inside the archive, or one name for each level of nested archives; empty for a plain file.
    """

    name: str
    path: Path
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ":".join([str(self.path), *self.members])

    def read(self) -> bytes:
        """Read the whole content.

        Raises:
            DataError: The file cannot be read, or its archive is damaged.
        """
        try:
            return _content(self.path, self.members)
        except ARCHIVE_ERRORS as error:
            what = " ".join(str(error).split())  # see `_member_files`
            raise DataError(f"{self}: cannot be read ({what}); fetch the file again") from error


class RawFolder:
    """All raw files below a folder, with archives (zip, whl, tar, tar.gz, tar.xz, gz, also nested) treated as unpacked.

    Args:
        root: Raw folder of one source.

    Attributes:
        used: Files that `glob` has returned so far, on which the rows depend.

    Raises:
        DataError: An archive in the folder is damaged, or `walk` fails.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.used: set[RawFile] = set()
        plain = [RawFile(path.relative_to(root).as_posix(), path) for path in walk(root)]
        self._files = {file.name: file for file in plain}
        archives = [file for file in plain if _is_archive(file.name)]
        while archives:
            for member in _member_files(archives.pop(0)):
                if member.name not in self._files:  # an unpacked copy takes precedence
                    self._files[member.name] = member
                    archives.extend([member] if _is_archive(member.name) else [])

    def glob(self, *patterns: str) -> list[RawFile]:
        """Files of which the name, or the end of it after some `/`, matches one of the patterns; sorted by name."""
        names = [n for n in self._files if any(fnmatch.fnmatch(f"/{n}", f"*/{pattern}") for pattern in patterns)]
        files = [self._files[name] for name in sorted(names)]
        self.used.update(files)
        return files


def _is_plain_gzip(name: str) -> bool:
    """Whether the name is that of a single compressed file, not of a compressed archive."""
    return name.lower().endswith(".gz") and not name.lower().endswith(".tar.gz")


ARCHIVE_ERRORS = (
    OSError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    KeyError,
)

_ZIPS = (".zip", ".whl")


def _is_archive(name: str) -> bool:
    return name.lower().endswith((*_ZIPS, ".tar", ".tgz", ".gz", ".tar.xz", ".txz"))


def _member_files(archive: RawFile) -> list[RawFile]:
    """Members of an archive, named as if it were unpacked in place; a nested one in a folder of its own name."""
    archive_name = PurePosixPath(archive.name)
    if _is_plain_gzip(archive.name):
        member = RawFile(archive_name.with_suffix("").as_posix(), archive.path, (*archive.members, archive_name.stem))
        return [member]
    try:
        opened = _open(archive.path, archive.members, os.getpid())
        if isinstance(opened, zipfile.ZipFile):
            names = [m.filename for m in opened.infolist() if not m.is_dir()]
        else:
            # links count as files: tar stores a file with two names once, and the second name as a link
            names = [m.name for m in opened.getmembers() if m.isfile() or m.islnk() or m.issym()]
    except ARCHIVE_ERRORS as error:
        what = " ".join(str(error).split())  # tarfile lists the compressions that it has tried
        raise DataError(f"{archive}: the archive is incomplete or damaged ({what}); fetch it again") from error
    folder = archive_name.with_suffix("") if archive.members else archive_name.parent
    return [
        RawFile((folder / name).as_posix(), archive.path, (*archive.members, name))
        for name in names
        if not is_hidden(PurePosixPath(name))
    ]


@functools.lru_cache(maxsize=8)
def _open(path: Path, members: tuple[str, ...], process: int) -> zipfile.ZipFile | tarfile.TarFile:
    """Open an archive and keep it open, once per process: forked workers would move each other's file position."""
    name = (members[-1] if members else path.name).lower()
    inner: Path | io.BytesIO = io.BytesIO(_content(path, members)) if members else path
    if name.endswith(_ZIPS):
        return zipfile.ZipFile(inner)
    return tarfile.open(fileobj=_decompressed(inner, name))


def _decompressed(archive: Path | io.BytesIO, name: str) -> IO[bytes]:
    """A tar file as one temporary file: in a compressed one, each step back would decompress all from the beginning."""
    raw: IO[bytes] = archive.open("rb") if isinstance(archive, Path) else archive
    packed = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    if not name.endswith((".tgz", ".gz", ".xz", ".txz")):
        return raw
    decompress = gzip.open if name.endswith("gz") else lzma.open
    with raw, bounded(decompress(raw), packed, name) as stream:
        plain = tempfile.TemporaryFile()  # noqa: SIM115  closed with the archive
        shutil.copyfileobj(stream, plain, 1 << 20)
    plain.seek(0)
    return plain


def _content(path: Path, members: tuple[str, ...]) -> bytes:
    where = ":".join([str(path), *members])
    if not members:
        return path.read_bytes()
    if _is_plain_gzip(members[-2] if len(members) > 1 else path.name):
        packed = _content(path, members[:-1])
        return bounded(gzip.GzipFile(fileobj=io.BytesIO(packed)), len(packed), where, in_memory=True).read()
    archive = _open(path, members[:-1], os.getpid())
    if isinstance(archive, zipfile.ZipFile):
        packed_size = archive.getinfo(members[-1]).compress_size
        with bounded(archive.open(members[-1]), packed_size, where, in_memory=True) as stream:
            return stream.read()
    member = archive.extractfile(_tar_members(path, members[:-1], os.getpid())[members[-1]])
    if member is None:
        raise KeyError(members[-1])
    return member.read()


@functools.lru_cache(maxsize=8)
def _tar_members(path: Path, members: tuple[str, ...], process: int) -> dict[str, tarfile.TarInfo]:
    """Members of a tar file by name: `tarfile` itself looks at all of them for each name."""
    archive = _open(path, members, process)
    assert isinstance(archive, tarfile.TarFile)
    return {member.name: member for member in archive.getmembers()}


def close_archives() -> None:
    """Forget the archives that are open, with their lists of members; they are opened again when needed."""
    _tar_members.cache_clear()
    _open.cache_clear()


def git_blob_sha1(path: Path) -> str:
    """Id that git gives to the content of a file: SHA-1 over `blob <size>`, a zero byte and the bytes.

    For some upstream files this is the only recorded digest.
    """
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def members_digest(root: Path, *patterns: str) -> str:
    """Digest of the files in a folder or archive that match patterns, whatever archive they are in.

    GitHub packs the archive of a commit anew on each request, so its own bytes may change; those of its files do not.

    Args:
        root: Folder with the files or their archive.
        patterns: As for `RawFolder.glob`; they begin at a folder's name, so that folders around it do not matter.

    Returns:
        Hex SHA-256 over a line `<sha256> <name from the pattern's first folder on>` for each file, sorted.
    """
    lines = []
    for pattern in patterns:
        depth = pattern.count("/") + 1
        for file in RawFolder(root).glob(pattern):
            name = "/".join(file.name.split("/")[-depth:])
            lines.append(f"{hashlib.sha256(file.read()).hexdigest()} {name}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
