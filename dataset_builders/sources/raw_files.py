"""Raw files as published: plain files and members of archives look alike to a parser."""

from __future__ import annotations

import fnmatch
import functools
import gzip
import hashlib
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dataset_builders.common.errors import DataError


@dataclass(frozen=True)
class RawFile:
    """One raw file on disk, or one member of an archive on disk.

    Args:
        name: Path below the source's raw folder with `/`; a member is named as if its archive were unpacked in place.
        path: The file or archive on disk.
        members: Names inside the archive: one, or several where an archive lies in an archive; none for a plain file.
    """

    name: str
    path: Path
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ":".join([str(self.path), *self.members])

    def read(self) -> bytes:
        """The whole content.

        Raises:
            DataError: The file cannot be read, or its archive is damaged.
        """
        try:
            return _content(self.path, self.members)
        except ARCHIVE_ERRORS as error:
            raise DataError(f"{self}: cannot be read ({error}); fetch the file again") from error


class RawFolder:
    """Every raw file below one folder; archives (zip, tar, tar.gz, .gz, one in another) look as if unpacked.

    Args:
        root: The raw folder of one source.

    Attributes:
        used: The files that `glob` has handed out so far: what the rows depend on.

    Raises:
        DataError: An archive in the folder is damaged, or as `walk`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.used: set[RawFile] = set()
        plain = [RawFile(path.relative_to(root).as_posix(), path) for path in walk(root)]
        self._files = {file.name: file for file in plain}
        waiting = [file for file in plain if _is_archive(file.name)]
        while waiting:
            archive = waiting.pop(0)
            for member in _member_files(archive):
                if member.name not in self._files:  # an unpacked copy comes first
                    self._files[member.name] = member
                    waiting.extend([member] if _is_archive(member.name) else [])

    def glob(self, *patterns: str) -> list[RawFile]:
        """Files whose name, or any tail of it after a `/`, matches one of the patterns, sorted by name."""
        names = [n for n in self._files if any(fnmatch.fnmatch(f"/{n}", f"*/{pattern}") for pattern in patterns)]
        found = [self._files[name] for name in sorted(names)]
        self.used.update(found)
        return found


def _is_plain_gzip(name: str) -> bool:
    """One compressed file, not an archive of several."""
    return name.lower().endswith(".gz") and not name.lower().endswith(".tar.gz")


def walk(root: Path) -> list[Path]:
    """All files below a folder but hidden ones; links to folders are followed, each folder once.

    Args:
        root: A folder of a user's files: one that cannot be read is an error, for its rows would be missing silently.

    Returns:
        The paths below `root`, sorted; a folder that is there itself comes before links to it.

    Raises:
        DataError: A folder cannot be listed, a link leads nowhere, or something is neither file nor folder.
    """
    found: list[Path] = []
    seen: set[str] = set()
    folders = deque([root])
    while folders:
        folder = folders.popleft()
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        for path in _listed(folder):
            mode = _mode(path)
            if stat.S_ISDIR(mode):
                (folders.append if path.is_symlink() else folders.appendleft)(path)
            elif stat.S_ISREG(mode):
                found.append(path)
            else:
                raise DataError(f"{path}: a pipe, socket or device, not a file; move it out of the folder")
    return sorted(found)


def _listed(folder: Path) -> list[Path]:
    """What a folder holds but hidden names, sorted."""
    try:
        return sorted(path for path in folder.iterdir() if not _hidden(PurePosixPath(path.name)))
    except OSError as error:
        what = f"{folder}: the folder cannot be listed ({error.strerror})"
        raise DataError(f"{what}; allow it, or move the folder away") from error


def _mode(path: Path) -> int:
    """The kind of a file or of what a link leads to, see `stat`."""
    try:
        return path.stat().st_mode
    except OSError as error:
        is_link = not isinstance(error, PermissionError) and path.is_symlink()
        what = f"the link to {path.readlink()} leads nowhere" if is_link else "cannot be read"
        raise DataError(f"{path}: {what} ({error.strerror}); mend it, or move it away") from error


ARCHIVE_ERRORS = (OSError, zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, KeyError)


def _is_archive(name: str) -> bool:
    return name.lower().endswith((".zip", ".tar", ".tgz", ".gz"))


def _member_files(archive: RawFile) -> list[RawFile]:
    """The members of an archive, named as if it were unpacked where it lies; an inner one in a folder of its name."""
    place = PurePosixPath(archive.name)
    if _is_plain_gzip(archive.name):
        return [RawFile(place.with_suffix("").as_posix(), archive.path, (*archive.members, place.stem))]
    try:
        opened = _open(archive.path, archive.members, os.getpid())
        if isinstance(opened, zipfile.ZipFile):
            names = [m.filename for m in opened.infolist() if not m.is_dir()]
        else:
            # links too: tar stores a file that it packs under two names once, and the second name as a link
            names = [m.name for m in opened.getmembers() if m.isfile() or m.islnk() or m.issym()]
    except ARCHIVE_ERRORS as error:
        raise DataError(f"{archive}: not a whole archive ({error}); fetch the file again") from error
    folder = place.with_suffix("") if archive.members else place.parent
    return [
        RawFile((folder / name).as_posix(), archive.path, (*archive.members, name))
        for name in names
        if not _hidden(PurePosixPath(name))
    ]


@functools.lru_cache(maxsize=8)
def _open(path: Path, members: tuple[str, ...], process: int) -> zipfile.ZipFile | tarfile.TarFile:
    """An archive kept open, in each process for itself: forked workers would move each other's file position."""
    inner: Path | io.BytesIO = io.BytesIO(_content(path, members)) if members else path
    if (members[-1] if members else path.name).lower().endswith(".zip"):
        return zipfile.ZipFile(inner)
    return tarfile.open(path) if isinstance(inner, Path) else tarfile.open(fileobj=inner)


def _content(path: Path, members: tuple[str, ...]) -> bytes:
    if not members:
        return path.read_bytes()
    if _is_plain_gzip(members[-2] if len(members) > 1 else path.name):
        return gzip.decompress(_content(path, members[:-1]))
    archive = _open(path, members[:-1], os.getpid())
    if isinstance(archive, zipfile.ZipFile):
        return archive.read(members[-1])
    member = archive.extractfile(members[-1])
    if member is None:
        raise KeyError(members[-1])
    return member.read()


def _hidden(path: PurePosixPath | Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


@functools.lru_cache(maxsize=4096)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file on disk; read again only when its size or time changed."""
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


def git_blob_sha1(path: Path) -> str:
    """The id that git gives a file's content: SHA-1 over `blob <size>`, a zero byte and the bytes.

    Some upstream files are known to us only by this id.
    """
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
