"""Fetch a source's raw files from their pinned addresses, checked byte for byte."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import exclusive, rename_exclusively, synchronise
from dataset_builders.sources.raw_files import git_blob_sha1, sha256
from dataset_builders.sources.registry import get_builder
from dataset_builders.sources.source import SourceFile

ATTEMPTS = 4
"""Tries for one file; the wait before the n-th repeat is 2^n / 2 seconds, unless the server names one."""

Progress = Callable[[SourceFile, int, int | None], None]
"""Called with the file, the bytes that are there, and the bytes expected if the server says so."""


def downloads_folder() -> Path:
    """Where `build` without `--raw-dir` keeps raw files for all runs: `raw` below `DIALOGUE_CUBE_CACHE`."""
    return Path(os.environ.get("DIALOGUE_CUBE_CACHE") or "~/.cache/dialogue-cube").expanduser() / "raw"


def download(names: Sequence[str], to: str | Path, progress: Progress | None = None) -> list[Path]:
    """Fetch the raw files of sources into `TO/<source>/`.

    A file that is there with the right content is not fetched again; a broken transfer goes on where it stopped.

    Args:
        names: Sources as `NAME` or `NAME:CONFIG`.
        to: Folder that `build` then takes as its `raw_dir`.
        progress: Called while bytes arrive.

    Returns:
        The files.

    Raises:
        DataError: A server cannot be reached or lacks the file, or the content is not the recorded one.
    """
    wanted: list[tuple[SourceFile, Path]] = []
    for text in names:
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
        # the config that holds all the others' files, such as woz:all, needs every one
        files = info.files if config == "all" else info.files_of(config)
        if not files:
            raise DataError(f"{name} has no address to fetch it from; {info.where_to_get(config)}")
        wanted.extend((file, Path(to) / name / file.path) for file in files)
    return [_fetch(file, target, progress or (lambda *_: None)) for file, target in wanted]


def _fetch(file: SourceFile, target: Path, progress: Progress) -> Path:
    if target.exists():
        if _is_right(target, file, target):
            return target
        raise DataError(
            f"{target}: differs from the recorded version of {file.url} and is left as it is; move it elsewhere, or "
            "name another raw folder"
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
    if not _is_right(part, file, target):
        found, expected = _digests(part, file, target)
        part.unlink()
        raise DataError(
            f"{file.url}: the content has changed: digest {found}, recorded {expected}; it is not used. "
            "Put a copy of the recorded version into the raw folder by hand, or report the change"
        )
    if not (file.sha256 or file.git_blob):  # upstream's digest is not known: the first copy's is kept from now on
        _first_digest(target).write_text(sha256(part) + "\n", encoding="ascii")
    synchronise(part)
    rename_exclusively(part, target)
    synchronise(target.parent, below=False)


def _transfer(file: SourceFile, part: Path, progress: Progress) -> None:
    """Bytes of the address into `part`, going on after what is there already."""
    import httpx2

    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(2**attempt / 2)
        have = part.stat().st_size if part.exists() else 0
        try:
            with httpx2.stream(
                "GET",
                file.url,
                headers={"Range": f"bytes={have}-"} if have else {},
                follow_redirects=True,
                timeout=httpx2.Timeout(30.0, connect=10.0),
            ) as response:
                if response.status_code == 416:  # nothing left to send: the check decides
                    return
                if response.status_code in (404, 410):
                    raise DataError(f"{file.url}: the server has no such file ({response.status_code})")
                response.raise_for_status()
                if response.status_code != 206:
                    have = 0
                _append(response, part, have, lambda done, total: progress(file, done, total))
            return
        except httpx2.ConnectError as error:
            raise DataError(f"{file.url}: no connection ({error}); check the network, or use --raw-dir") from error
        except httpx2.HTTPError as error:
            problem = str(error) or type(error).__name__
    raise DataError(f"{file.url}: given up after {ATTEMPTS} tries ({problem}); run it again to go on")


def _append(response: object, part: Path, have: int, report: Callable[[int, int | None], None]) -> None:
    length = response.headers.get("Content-Length")  # type: ignore[attr-defined]
    total = have + int(length) if length else None
    with part.open("ab" if have else "wb") as out:
        for block in response.iter_bytes(1 << 16):  # type: ignore[attr-defined]
            out.write(block)
            have += len(block)
            report(have, total)


def _digests(path: Path, file: SourceFile, target: Path) -> tuple[str, str | None]:
    """What was found and what is recorded: by us, or by the first download of a file whose digest we do not know."""
    if file.git_blob:
        return git_blob_sha1(path), file.git_blob
    first = _first_digest(target)
    recorded = file.sha256 or (first.read_text(encoding="ascii").strip() if first.exists() else None)
    return sha256(path), recorded


def _first_digest(target: Path) -> Path:
    return target.with_name(f".{target.name}.sha256")


def _is_right(path: Path, file: SourceFile, target: Path) -> bool:
    found, expected = _digests(path, file, target)
    return expected is None or found == expected
