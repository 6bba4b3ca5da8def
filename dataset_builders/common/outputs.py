"""Outputs: claim a file or folder first, write it aside, and move it into place when it is complete.

Every output of a command is written through `output_folder`, `output_file` or, if work is kept between runs, `Output`:

- The path is resolved first, so that the path that is checked is the path that is written.
- There is one writer at a time; the error for a second one names the first.
- Only an output of the same kind is replaced, and only if it contains nothing else. Foreign files are never deleted.
- A README.md that somebody has edited is kept beside the folder that replaces it.
- The path is checked again at the end. A foreign file that has appeared there stays, and the result is kept beside it.
- The old and the new output are exchanged in one step if the system supports it. Otherwise the old one moves to the
  working folder first; if the run is killed in between, the next run moves it back.
- Files and folders are synchronised with the disk before they count as finished.
- The next run removes what a killed run has left.

The working folder of `NAME` is `.NAME.building` beside it:

    lock        held by the writer; names its process
    new         the output being written
    replaced    the earlier output, if the two cannot be exchanged in one step
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import exchange, exclusive, make_readable, rename_exclusively, synchronise
from dataset_builders.common.seals import keep_edited

logger = logging.getLogger(__name__)

HARMLESS = (".DS_Store", "Thumbs.db", "desktop.ini", ".cache/huggingface/**", "__pycache__/**")
"""Files that systems and libraries add to a folder; they may be replaced with it."""

PAGE = "README.md"
"""Page of a folder that people edit: an edited one is kept beside the folder that replaces it."""

_NAMED = 3
"""Maximum number of foreign files that a message names; the others are counted."""


@dataclass(frozen=True)
class OutputKind:
    """Kind of output: how to recognise it, and which files it may contain.

    Args:
        made_by: Command that writes it, for messages: "`dialogue-cube build`".
        option: Option that names it, for messages: "--out".
        is_ours: Function that tells whether an existing file or folder is of this kind.
        files: Files of a folder of this kind, as patterns of relative paths: `*` matches within one folder,
            `TOP/**/NAME` such files at any depth below, a trailing `/**` everything below, which is for folders that
            nobody writes to. Empty for a single file.
        error: Type of the errors.
        suffix: Suffix of the working folder.
        keeps_work: Whether other files in the working folder, such as checkpoints, survive a failure.
    """

    made_by: str
    option: str
    is_ours: Callable[[Path], bool]
    files: tuple[str, ...] = ()
    error: type[Exception] = DataError
    suffix: str = "building"
    keeps_work: bool = False

    def raising(self, error: type[Exception]) -> OutputKind:
        """The same kind with errors of another type."""
        return replace(self, error=error)

    def foreign_files(self, folder: Path) -> list[str]:
        """List the files in a folder that no output of this kind contains: relative paths, sorted."""
        patterns = (*self.files, *HARMLESS)
        below = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
        names = (path.relative_to(folder).as_posix() for path in below)
        return sorted(name for name in names if not any(_matches(name, pattern) for pattern in patterns))


class Output:
    """A file or folder to write.

    Args:
        place: Path of the file or folder.
        kind: Its kind.
        overwrite: Whether to replace an earlier output of this kind.

    Attributes:
        place: Resolved path.
        work: Working folder beside it.
        new: File or folder to write, in the working folder; the writer creates a folder itself.
    """

    def __init__(self, place: str | os.PathLike[str], kind: OutputKind, *, overwrite: bool = True) -> None:
        self.place, self.kind, self.overwrite = Path(place).expanduser().resolve(), kind, overwrite
        if not self.place.name:
            raise kind.error(f"{place}: is the root of a disk; choose another {kind.option}")
        self.work = self.place.with_name(f".{self.place.name}.{kind.suffix}")
        self.new = self.work / "new"

    def check(self) -> None:
        """Check that the path is free or may be replaced, before any time is spent.

        Raises:
            Exception: It must not be replaced. The type is that of the kind, as below.
        """
        if problem := self._problem(self.place):
            raise self.kind.error(problem)

    @contextmanager
    def claimed(self, *, wait: bool = False) -> Iterator[Output]:
        """Check the path and lock out other writers.

        Args:
            wait: Whether to wait for another writer instead of failing.

        Raises:
            Exception: Another run is writing there, or the path must not be replaced.
        """
        with self._locked(wait):
            self._recover()
            self.check()
            self._sweep(keep=self.kind.keeps_work)
            try:
                yield self
            finally:
                self._sweep(keep=self.kind.keeps_work)

    def put(self) -> Path:
        """Move the new output into place; it must be claimed.

        Returns:
            Path of the output.

        Raises:
            Exception: Something foreign has appeared there during the run. It stays, and the result is kept beside it;
                the message names the path.
        """
        make_readable(self.new)
        synchronise(self.new)
        if problem := self._problem(self.place):
            raise self._kept(problem)
        if not self.place.exists():
            try:
                rename_exclusively(self.new, self.place)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise
                raise self._kept(f"{self.place}: appeared during the run") from error
        elif self.new.is_dir():
            keep_edited(self.place / PAGE, self.new / PAGE, self.place.with_name(f"{self.place.name}.{PAGE}"))
            replaced = exchange(self.new, self.place, self.work / "replaced")
            if problem := self._problem(replaced):  # appeared since it was checked
                self.new = exchange(replaced, self.place, self.work / "spare")
                raise self._kept(problem)
            shutil.rmtree(replaced)
        else:
            self.new.replace(self.place)
        synchronise(self.place.parent, below=False)
        return self.place

    def discard_work(self) -> None:
        """Delete everything in the working folder, including checkpoints; the output must be claimed."""
        self._sweep(keep=False)

    def _problem(self, there: Path) -> str | None:
        """Return why a file or folder must not be replaced, or None if it may be."""
        place, kind = self.place, self.kind
        if not there.exists():
            return None
        try:
            is_empty = not any(there.iterdir()) if there.is_dir() else False
            if there.is_dir() and (place == Path.cwd() or place in Path.cwd().parents):
                return f"{place}: is the current folder or holds it; go elsewhere or choose another {kind.option}"
            if there.is_dir() and not kind.files:
                return f"{place}: is a folder; name a file"
            if is_empty:
                return None
            if not there.is_dir() and not there.is_file():
                return f"{place}: is neither a file nor a folder; choose another {kind.option}"
            if there.is_dir() != bool(kind.files) or not kind.is_ours(there):
                return f"{place}: exists and was not made by {kind.made_by}; choose another {kind.option}"
            foreign = kind.foreign_files(there) if kind.files else []
        except OSError as error:
            return f"{place}: exists and cannot be read ({error.strerror}); choose another {kind.option}"
        if foreign:
            more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
            return (
                f"{place}: holds {', '.join(foreign[:_NAMED])}{more}, not written by {kind.made_by}; move "
                f"{'it' if len(foreign) == 1 else 'them'} elsewhere or choose another {kind.option}"
            )
        if not self.overwrite:
            return f"{place}: exists; pass --overwrite to replace it or choose another {kind.option}"
        return None

    def _kept(self, problem: str) -> Exception:
        """Keep the result beside a path that is no longer free, and return the error."""
        names = (f"{self.place.name}.new{number}" for number in ("", *(f"-{i}" for i in range(2, 1000))))
        beside = next(path for name in names if not (path := self.place.with_name(name)).exists())
        rename_exclusively(self.new, beside)
        synchronise(beside.parent, below=False)
        return self.kind.error(f"{problem}; nothing there was changed, the result is in {beside}")

    def _recover(self) -> None:
        """Move an earlier output back that a killed run had moved away; delete leftovers of version 0.1.0."""
        older = re.compile(rf"\.{re.escape(self.place.name)}\.(\d+\.)?(building|replaced)")
        left = [path for path in self.place.parent.iterdir() if older.fullmatch(path.name) and path != self.work]
        for old in (self.work / "replaced", *left):
            if old.name.endswith("replaced") and old.is_dir() and self.kind.is_ours(old) and not self.place.exists():
                rename_exclusively(old, self.place)
                logger.warning("%s: an interrupted run had moved it away; put back", self.place)
        for old in left:
            if old.is_dir() and not self.kind.foreign_files(old):
                shutil.rmtree(old, ignore_errors=True)

    def _sweep(self, *, keep: bool) -> None:
        """Delete the files in the working folder, except the lock."""
        ours = {self.work / name for name in ("new", "replaced", "spare")}
        for path in self.work.iterdir():
            if path.name != "lock" and (path in ours or not keep):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, wait: bool) -> Iterator[None]:
        try:
            with ExitStack() as held:
                try:
                    held.enter_context(exclusive(self.work / "lock", self._busy, wait=wait))
                except OSError as error:
                    raise self.kind.error(
                        f"{self.place}: cannot be written ({error.strerror}); choose another {self.kind.option}"
                    ) from error
                yield
        finally:
            with suppress(OSError):  # not empty: checkpoints, or another writer
                self.work.rmdir()

    def _busy(self, holder: str) -> Exception:
        return self.kind.error(
            f"{self.place}: {holder} is writing it; wait until it has finished or choose another {self.kind.option}"
        )


@contextmanager
def output_folder(
    place: str | os.PathLike[str], kind: OutputKind, *, overwrite: bool = True, wait: bool = False
) -> Iterator[Path]:
    """Write a folder that appears complete at the end, or not at all if anything fails.

    Args:
        place: Path of the folder.
        kind: Its kind.
        overwrite: Whether to replace an earlier one.
        wait: Whether to wait for another writer instead of failing.

    Yields:
        Empty folder to write to.

    Raises:
        Exception: See `Output`.

    Example:
        >>> import tempfile
        >>> kind = OutputKind("`tea`", "--out", lambda folder: (folder / "tea.txt").is_file(), ("tea.txt",))
        >>> with tempfile.TemporaryDirectory() as somewhere:
        ...     with output_folder(Path(somewhere, "shop"), kind) as folder:
        ...         written = (folder / "tea.txt").write_text("Earl Grey")
        ...     [path.name for path in Path(somewhere).iterdir()]
        ['shop']
    """
    with Output(place, kind, overwrite=overwrite).claimed(wait=wait) as output:
        output.new.mkdir()
        yield output.new
        output.put()


@contextmanager
def output_file(place: str | os.PathLike[str], kind: OutputKind, *, wait: bool = False) -> Iterator[Path]:
    """Write a file that appears complete at the end, or not at all if anything fails.

    Put the work that produces the content inside the block, so that a path that must not be replaced is refused first.

    Args:
        place: Path of the file; its folder is created if missing.
        kind: Its kind.
        wait: Whether to wait for another writer instead of failing.

    Yields:
        Path to write to.

    Raises:
        Exception: See `Output`.
    """
    with Output(place, kind).claimed(wait=wait) as output:
        yield output.new
        output.put()


@contextmanager
def optional_file(place: Path | None, kind: OutputKind) -> Iterator[Path | None]:
    """Like `output_file`, but yields None if the user has named no file."""
    with ExitStack() as claimed:
        yield None if place is None else claimed.enter_context(output_file(place, kind))


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith("/**"):
        return f"/{pattern[:-2]}" in f"/{name}"
    top, is_deep, last = pattern.partition("/**/")
    if is_deep:
        return name.startswith(f"{top}/") and fnmatchcase(name.rpartition("/")[2], last)
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write figures as JSON that people can read and compare line by line.

    Args:
        file: Path that `output_file` gave.
        content: Plain values.
    """
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
