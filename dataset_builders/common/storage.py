"""Files that the tasks of a command exchange: in a folder, or in any file system of fsspec, such as `s3://`."""

from __future__ import annotations

import atexit
import errno
import json
import os
import shutil
import tempfile
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import synchronise, temporary_folder

_FETCHED = 4_000_000_000
"""Bytes. A process keeps copies of at most this size, and of at least one file."""

_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "hf", "az", "abfs")
"""Protocols without folders; making one would create a bucket."""

_EXTRAS = {"s3": "dialogue-cube[distributed]", "s3a": "dialogue-cube[distributed]", "gs": "gcsfs", "gcs": "gcsfs"}
"""Protocol -> what to install for it."""

_ADVICE = {
    "NoCredentialsError": "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "PartialCredentialsError": "incomplete credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "EndpointConnectionError": "the server cannot be reached; check AWS_ENDPOINT_URL and the network",
    "ClientConnectorError": "the server cannot be reached; check AWS_ENDPOINT_URL and the network",
    "ConnectTimeoutError": "the server does not answer; check AWS_ENDPOINT_URL and the network",
    "RepositoryNotFoundError": "no such repository; create it, or log in: hf auth login",
}
"""Class of an error -> what happened, and what to do. The classes belong to packages that may be missing."""


@dataclass(frozen=True)
class Storage:
    """A folder of files that are complete or absent. Picklable, so that tasks on other machines can open it.

    Args:
        root: Folder that all workers can reach, or a URL of fsspec: `s3://BUCKET/FOLDER`, `gs://`, `hf://`, `memory://`.
        kept: Whether a later run goes on with these files: each is synchronised with the disk before it appears.
    """

    root: str
    kept: bool = False

    @property
    def is_local(self) -> bool:
        """Whether the files are in a folder of the operating system."""
        return "://" not in self.root or self.root.startswith("file://")

    def below(self, folder: str) -> Storage:
        """The storage of a folder in this one."""
        return replace(self, root=f"{self.root.rstrip('/')}/{folder}")

    def exists(self, name: str) -> bool:
        """Whether a file is complete."""
        if self.is_local:
            return self._path(name).exists()
        with self._remote(name) as (files, path):
            return bool(files.exists(path))

    def names(self, folder: str) -> list[str]:
        """Names of the complete files in a folder, sorted; none if there is no such folder."""
        names: Iterable[str] = ()
        if not self.is_local:
            with self._remote(folder) as (files, path), suppress(FileNotFoundError):
                entries = files.ls(path, detail=True)
                names = [entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file"]
        elif (place := self._path(folder)).is_dir():
            names = (entry.name for entry in os.scandir(place) if entry.is_file())
        return sorted(f"{folder}/{name}" for name in names if not name.startswith("."))

    def folders(self, folder: str) -> list[str]:
        """Names of the folders in a folder, sorted."""
        if self.is_local:
            return sorted(entry.name for entry in os.scandir(self._path(folder)) if entry.is_dir())
        with self._remote(folder) as (files, path):
            entries = files.ls(path, detail=True)
        return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in entries if entry["type"] == "directory")

    def below_names(self, folder: str) -> list[str]:
        """Names of all files below a folder, sorted; none if there is no such folder."""
        if self.is_local:
            root = self._path("")
            return sorted(p.relative_to(root).as_posix() for p in self._path(folder).rglob("*") if p.is_file())
        with self._remote(folder) as (files, path):
            start = len(self._inside(files, "")) + 1
            return sorted(name[start:] for name in files.find(path))

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Contents of small files, by name."""
        if self.is_local or not names:
            return {name: self._path(name).read_bytes() for name in names}
        with self._remote(names[0]) as (files, _):
            paths = {self._inside(files, name): name for name in names}
            return {paths[path]: content for path, content in files.cat(list(paths)).items()}

    def open(self, name: str) -> Any:
        """Open a file for reading at any position, as `pyarrow.ipc.open_file` needs it; the caller closes it.

        Each read of a remote file is one request for these bytes only. To read a file line by line, use `fetch`.
        """
        if self.is_local:
            return self._path(name).open("rb")
        with self._remote(name) as (files, path):
            return files.open(path, "rb", cache_type="none")

    def write_json(self, name: str, value: Any) -> None:
        """Write a small file of plain values."""
        with self.create(name) as path:
            path.write_text(json.dumps(value), encoding="utf-8")

    def read_json(self, name: str) -> Any:
        """Read a small file of plain values."""
        return json.loads(self.read([name])[name])

    def fetch(self, name: str) -> Path:
        """Local path of a file: itself, or a copy that this process loads once.

        The copies of a process are deleted when it ends, the oldest ones earlier if they take more than 4 GB.
        """
        return self._path(name) if self.is_local else _copies.path_of(self, name)

    @contextmanager
    def create(self, name: str) -> Iterator[Path]:
        """Write a file, which appears complete at the end or not at all; an earlier one is replaced.

        Yields:
            Local path to write to, with the same suffix.
        """
        aside = f".{uuid.uuid4().hex[:8]}-{Path(name).name}"  # two tasks may write it after a lost connection
        if self.is_local:
            place = self._path(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            with _written(place.with_name(aside)) as path:
                yield path
                if self.kept:
                    synchronise(path)
                path.replace(place)
            return
        with _written(Path(tempfile.gettempdir(), aside)) as path:
            yield path
            with self._remote(name) as (files, target):
                if self.root.partition("://")[0] not in _OBJECT_STORES:
                    files.makedirs(files._parent(target), exist_ok=True)
                files.put_file(str(path), target)

    def remove(self, name: str) -> None:
        """Delete a file, or a folder with all its files; nothing if there is none."""
        if not self.is_local:
            with self._remote(name) as (files, path), suppress(FileNotFoundError):
                files.rm(path, recursive=True)
        elif (place := self._path(name)).is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)

    def put_folder(self, folder: Path, name: str) -> None:
        """Copy a local folder with all its files. Where there is no rename, its files appear one after another.

        Args:
            folder: Local folder.
            name: Name of the new folder, which does not exist yet.
        """
        if self.is_local:
            place = self._path(name)
            place.parent.mkdir(parents=True, exist_ok=True)
            aside = place.with_name(f".{uuid.uuid4().hex[:8]}-{place.name}")
            try:
                shutil.copytree(folder, aside)
                if self.kept:
                    synchronise(aside)
                aside.replace(place)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            return
        local = sorted(path for path in folder.rglob("*") if path.is_file())
        with self._remote(name) as (files, path):
            files.put(list(map(str, local)), [f"{path}/{file.relative_to(folder).as_posix()}" for file in local])

    def check(self) -> None:
        """Check that files can be written, before any time is spent.

        Raises:
            DataError: They cannot.
        """
        name = f"writable-{uuid.uuid4().hex[:8]}"
        try:
            with self.create(name) as path:
                path.write_bytes(b"")
            self.remove(name)
        except OSError as error:
            raise DataError(f"{self.root}: cannot be written ({error.strerror}); name another folder or URL") from error

    def _path(self, name: str) -> Path:
        return Path(self.root.removeprefix("file://"), name)

    def _inside(self, files: Any, name: str) -> str:
        return f"{files._strip_protocol(self.root)}/{name}".rstrip("/")

    @contextmanager
    def _remote(self, name: str) -> Iterator[tuple[Any, str]]:
        """Open the remote file system, and turn its errors into one line.

        Yields:
            File system and path of the file.

        Raises:
            FileNotFoundError: There is no such file.
            DataError: Another error.
        """
        url, protocol = f"{self.root.rstrip('/')}/{name}", self.root.partition("://")[0]
        import fsspec

        try:
            # other processes write files, so that a kept listing would be wrong
            files = fsspec.filesystem(protocol, use_listings_cache=False)
            yield files, self._inside(files, name)
        except ImportError as error:
            package = _EXTRAS.get(protocol, f"the package for {protocol}://")
            raise DataError(f"{url}: needs a package: pip install '{package}'") from error
        except (DataError, KeyboardInterrupt):
            raise
        except FileNotFoundError as error:
            if "specified bucket" not in str(error):
                raise
            raise DataError(f"{url}: no such bucket; create it, or check the name") from error
        except Exception as error:
            raise DataError(f"{url}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    causes = [error]
    while following := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(following)
    for cause in causes:
        if advice := _ADVICE.get(type(cause).__name__):
            return advice
    text = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, PermissionError):
        return f"no access ({text}); check the credentials and their rights"
    return f"{text}; check the address, and the credentials of this machine"


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Delete a temporary file at the end; name it in the error of a full disk."""
    try:
        yield path
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename is None:
            error.filename = str(path.parent)
        raise
    finally:
        path.unlink(missing_ok=True)


class _Copies:
    """Local copies of remote files, for this process only."""

    def __init__(self) -> None:
        self.paths: OrderedDict[tuple[Storage, str], Path] = OrderedDict()
        self.folder: Path | None = None

    def path_of(self, storage: Storage, name: str) -> Path:
        """Return the path of the copy; loads it if there is none yet."""
        if (storage, name) in self.paths:
            self.paths.move_to_end((storage, name))
            return self.paths[storage, name]
        if self.folder is None:
            held = ExitStack()
            self.folder = held.enter_context(temporary_folder())
            atexit.register(held.close)
        path = self.folder / f"{uuid.uuid4().hex[:8]}-{Path(name).name}"
        with storage._remote(name) as (files, source):
            files.get_file(source, str(path))
        self.paths[storage, name] = path
        sizes = {key: copy.stat().st_size for key, copy in self.paths.items()}
        while sum(sizes.values()) > _FETCHED and len(sizes) > 1:
            oldest, copy = self.paths.popitem(last=False)
            copy.unlink()  # who has opened it still reads it
            del sizes[oldest]
        return path

    def forget(self) -> None:
        """Leave the copies to the process that has forked this one."""
        self.__init__()  # type: ignore[misc]


_copies = _Copies()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_copies.forget)
