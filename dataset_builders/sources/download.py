"""Download of a source's raw files from pinned addresses, verified by digest."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import exclusive, rename_exclusively, synchronise
from dataset_builders.sources.info import SourceFile
from dataset_builders.sources.raw_files import git_blob_sha1, members_digest, sha256
from dataset_builders.sources.registry import builders, get_builder

ATTEMPTS = 4
"""Maximum number of attempts for a file; the wait before the n-th retry is 2^n / 2 seconds."""

_REQUESTS_AT_ONCE = 16

Progress = Callable[[SourceFile, int, int | None], None]
"""Called with the file, the number of bytes so far, and their total, None if the server does not state it."""


def downloads_folder() -> Path:
    """Raw folder of `build` without `--raw-dir`, shared by all builds: `raw` in `DIALOGUE_CUBE_CACHE`."""
    return Path(os.environ.get("DIALOGUE_CUBE_CACHE") or "~/.cache/dialogue-cube").expanduser() / "raw"


@dataclass(frozen=True)
class Missing:
    """What is to be downloaded for a source.

    Attributes:
        name: Source as `NAME` or `NAME:CONFIG`.
        files: Number of files that the raw folder lacks.
        bytes: Their total size as the servers state it; None if one does not.
    """

    name: str
    files: int
    bytes: int | None


def missing(names: Sequence[str], to: str | Path) -> list[Missing]:
    """Ask the servers how large the missing files of sources are, the largest source first.

    Args:
        names: As for `download`.
        to: Raw folder.

    Raises:
        DataError: A name is unknown.
    """
    plans = {text: [(file, path) for file, path in _plan(text, to) if not path.exists()] for text in names}
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        sizes = {text: list(pool.map(_size, (file for file, _ in plan))) for text, plan in plans.items() if plan}
    lacking = [Missing(t, len(each), None if None in each else sum(filter(None, each))) for t, each in sizes.items()]
    return sorted(lacking, key=lambda one: (one.bytes is not None, -(one.bytes or 0), one.name))


def _size(file: SourceFile) -> int | None:
    """Size of a file in bytes; None if the server does not state it."""
    import httpx2

    try:
        response = httpx2.head(file.url, follow_redirects=True, timeout=httpx2.Timeout(10.0))
    except httpx2.HTTPError:  # the download names the problem
        return None
    length = response.headers.get("Content-Length") if response.is_success else None
    return int(length) if length else None


def fetched_automatically(names: Sequence[str]) -> list[str]:
    """The sources, all if there are none, without those that have to be fetched by hand if no name was given."""
    if names:
        return list(names)
    infos = [builder.INFO for builder in builders().values()]
    return [info.name for info in infos if info.files and not info.accept_license]


def download(names: Sequence[str], to: str | Path, progress: Progress | None = None) -> list[Path]:
    """Download the raw files of sources into `TO/<source>/`.

    Files that exist with the right content are skipped; an interrupted transfer resumes where it stopped. If a source
    fails, the others are downloaded before the error is raised.

    Args:
        names: Sources as `NAME` or `NAME:CONFIG`.
        to: Raw folder, for `raw_dir` of a build.
        progress: Called as data arrives.

    Returns:
        Paths of all files.

    Raises:
        DataError: A server is unreachable or lacks a file, or its content differs from the recorded version.
    """
    plans = {text: _plan(text, to) for text in names}  # rejects wrong names before the first byte
    paths, problems = [], {}
    for text, plan in plans.items():
        try:
            paths += [_fetch(file, target, progress or (lambda *_: None)) for file, target in plan]
        except DataError as error:
            problems[text] = error
    if len(problems) == 1 and len(plans) == 1:
        raise next(iter(problems.values()))
    if problems:
        lines = "".join(f"\n  {text}: {error}" for text, error in problems.items())
        raise DataError(
            f"{len(problems)} of {len(plans)} sources failed, the others are in {to}:{lines}\n"
            f"try these again: dialogue-cube download {' '.join(problems)} --to {to}"
        )
    return paths


def _plan(text: str, to: str | Path) -> list[tuple[SourceFile, Path]]:
    """Files of a source, each with its path in the raw folder."""
    name, _, config = text.partition(":")
    info = get_builder(name).INFO
    config = config or info.default_config
    if config not in info.configs:
        raise DataError(f"source {name} has no config {config!r}; it has: {', '.join(info.configs)}")
    if info.accept_license:
        raise DataError(
            f"{name} is not fetched automatically: {info.where_to_get(config)}, put {info.files[0].path} into "
            f"the folder {name} of your raw folder and pass --raw-dir"
        )
    # a config `all`, such as woz:all, needs the files of all others
    files = info.files if config == "all" else info.files_of(config)
    if not files:
        raise DataError(f"{name} has no address to fetch it from; {info.where_to_get(config)}")
    return [(file, Path(to) / name / file.path) for file in files]


def _fetch(file: SourceFile, target: Path, progress: Progress) -> Path:
    if target.exists():
        if _is_valid(target, file, target):
            return target
        raise DataError(
            f"{target}: differs from the recorded version of {file.url} and was not replaced; move it away, or choose "
            "another raw folder"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(target.with_name(f".{target.name}.lock"), lambda holder: _busy(target, holder)):
        _fetch_missing(file, target, progress)
    return target


def _busy(target: Path, holder: str) -> DataError:
    return DataError(f"{target}: {holder} is downloading it; wait until it has finished")


def _fetch_missing(file: SourceFile, target: Path, progress: Progress) -> None:
    part = target.with_name(target.name + ".part")
    _transfer(file, part, progress)
    if not _is_valid(part, file, target):
        actual, recorded = _digests(part, file, target)
        part.unlink()
        raise DataError(
            f"{file.url}: the content has changed (digest {actual}, recorded {recorded}) and was discarded; "
            "put a copy of the recorded version into the raw folder by hand, or report the change"
        )
    if not (
        file.sha256 or file.git_blob or file.members
    ):  # without a recorded digest, later downloads must match the first one
        _first_digest(target).write_text(sha256(part) + "\n", encoding="ascii")
    synchronise(part)
    rename_exclusively(part, target)
    synchronise(target.parent, below=False)


def _transfer(file: SourceFile, part: Path, progress: Progress) -> None:
    """Download a file to `part`, resuming after the bytes that it already has."""
    import httpx2

    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2**attempt / 2)
        start = part.stat().st_size if part.exists() else 0
        try:
            with httpx2.stream(
                "GET",
                file.url,
                headers={"Range": f"bytes={start}-"} if start else {},
                follow_redirects=True,
                timeout=httpx2.Timeout(30.0, connect=10.0),
            ) as response:
                if response.status_code == 416:  # nothing left to send; the caller verifies the file
                    return
                if response.status_code in (404, 410):
                    raise DataError(f"{file.url}: the server has no such file ({response.status_code})")
                response.raise_for_status()
                if response.status_code != 206:
                    start = 0
                _append(response, part, start, lambda done, total: progress(file, done, total))
            return
        except httpx2.ConnectError as error:
            raise DataError(f"{file.url}: no connection ({error}); check the network, or use --raw-dir") from error
        except httpx2.HTTPError as error:
            problem = str(error) or type(error).__name__
    raise DataError(f"{file.url}: failed after {ATTEMPTS} attempts ({problem}); run the command again to resume")


def _append(response: object, part: Path, start: int, report: Callable[[int, int | None], None]) -> None:
    length = response.headers.get("Content-Length")  # type: ignore[attr-defined]
    total = start + int(length) if length else None
    done = start
    with part.open("ab" if start else "wb") as out:
        for block in response.iter_bytes(1 << 16):  # type: ignore[attr-defined]
            out.write(block)
            done += len(block)
            report(done, total)


def _digests(path: Path, file: SourceFile, target: Path) -> tuple[str, str | None]:
    """Actual and recorded digest; a file without a recorded one is compared with its first download, if any."""
    if file.git_blob:
        return git_blob_sha1(path), file.git_blob
    if file.members:
        return _members_digest(path, target.name, file.members_of), file.members
    first = _first_digest(target)
    recorded = file.sha256 or (first.read_text(encoding="ascii").strip() if first.exists() else None)
    return sha256(path), recorded


def _members_digest(archive: Path, name: str, patterns: Sequence[str]) -> str:
    with TemporaryDirectory() as folder:  # the name of an archive says how it is packed
        Path(folder, name).symlink_to(archive.resolve())
        try:
            return members_digest(Path(folder), *patterns)
        except DataError:
            return "of no archive"


def _first_digest(target: Path) -> Path:
    return target.with_name(f".{target.name}.sha256")


def _is_valid(path: Path, file: SourceFile, target: Path) -> bool:
    actual, recorded = _digests(path, file, target)
    return recorded is None or actual == recorded
