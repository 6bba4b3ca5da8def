"""Raw files as published: plain files and members of zip archives look alike to a parser."""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dataset_builders.errors import DataError


@dataclass(frozen=True)
class RawFile:
    """One raw file on disk, or one member of a zip archive on disk.

    Args:
        name: Path below the source's raw folder with `/`; a member is named as if its archive were unpacked in place.
        path: The file or archive on disk.
        member: Name inside the archive; None for a plain file.
    """

    name: str
    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    def read(self) -> bytes:
        """The whole content.

        Raises:
            DataError: The file cannot be read, or its archive is damaged.
        """
        try:
            if self.member is None:
                return self.path.read_bytes()
            return _archive(self.path).read(self.member)
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{self}: cannot be read ({error}); fetch the file again") from error


class RawFolder:
    """Every raw file below one folder, archives included.

    Args:
        root: The raw folder of one source.

    Attributes:
        used: The files that `glob` has handed out so far: what the rows depend on.

    Raises:
        DataError: An archive in the folder is damaged.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.used: set[RawFile] = set()
        self._files: dict[str, RawFile] = {}
        for path in sorted(p for p in root.rglob("*") if p.is_file() and not _hidden(p.relative_to(root))):
            name = path.relative_to(root).as_posix()
            self._files[name] = RawFile(name, path)
        for archive in [f for name, f in self._files.items() if name.lower().endswith(".zip")]:
            folder = PurePosixPath(archive.name).parent
            for member in _members(archive.path):
                name = (folder / member).as_posix()
                self._files.setdefault(name, RawFile(name, archive.path, member))  # an unpacked copy comes first

    def glob(self, *patterns: str) -> list[RawFile]:
        """Files whose name, or any tail of it after a `/`, matches one of the patterns, sorted by name."""
        names = [n for n in self._files if any(fnmatch.fnmatch(f"/{n}", f"*/{pattern}") for pattern in patterns)]
        found = [self._files[name] for name in sorted(names)]
        self.used.update(found)
        return found


@functools.lru_cache(maxsize=8)
def _archive(path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [m.filename for m in archive.infolist() if not m.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a whole zip archive ({error}); fetch the file again") from error
    return [name for name in names if not _hidden(PurePosixPath(name))]


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
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def git_blob_sha1(path: Path) -> str:
    """The id that git gives a file's content: SHA-1 over `blob <size>`, a zero byte and the bytes.

    Some upstream files are known to us only by this id.
    """
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
