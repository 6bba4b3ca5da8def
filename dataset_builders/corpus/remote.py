"""Raw files and dataset folders at a URL of fsspec, such as `s3://BUCKET/FOLDER`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.listing import walk
from dataset_builders.common.storage import Storage
from dataset_builders.folder.layout import CARD, REPORT
from dataset_builders.schema import CONFIGS

_PROTOCOL = re.compile(r"([a-z][a-z0-9]+):/{1,2}(.+)")


def url_of(place: str | Path | None) -> str | None:
    """The URL that a user has named, even as a path, which has a single slash after the colon; None for a folder.

    >>> url_of(Path("s3://bucket/raw")), url_of(Path("raw"))
    ('s3://bucket/raw', None)
    """
    match = _PROTOCOL.fullmatch(str(place))
    return f"{match[1]}://{match[2]}" if match else None


@contextmanager
def raw_folder(place: str | Path | None, names: Sequence[str]) -> Iterator[Path | None]:
    """The raw folder on this machine; a copy for a while if it is at a URL.

    Args:
        place: Folder or URL with a subfolder for each source, or None.
        names: Sources as `NAME` or `NAME:CONFIG`; empty for all.

    Raises:
        DataError: The URL cannot be read, or has no folder of a source.
    """
    url = url_of(place)
    if url is None or place is None:
        yield None if place is None else Path(place)
        return
    storage = Storage(url)
    with temporary_folder() as folder:
        for name in [name.partition(":")[0] for name in names] or storage.folders(""):
            files = storage.below_names(name)
            if not files:
                raise DataError(f"{url}/{name}: no file there; expected the raw files of {name}")
            for file in files:
                copy = folder / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                with storage.open(file) as remote, copy.open("wb") as local:
                    shutil.copyfileobj(remote, local, 1 << 22)
        yield folder


@contextmanager
def dataset_folder(place: str | Path) -> Iterator[Path]:
    """The path of a dataset folder to write; one at a URL is written here and published at the end.

    Args:
        place: Folder or URL. The rejected records of own data, `PLACE.rejects.jsonl`, go beside it.

    Raises:
        DataError: The URL cannot be written, or contains files that no build wrote.
    """
    url = url_of(place)
    if url is None:
        yield Path(place).expanduser().resolve()
        return
    _check_target(url)
    with temporary_folder() as folder:
        rejects = folder / "dataset.rejects.jsonl"
        try:
            yield folder / "dataset"
        finally:
            if rejects.exists():
                above, _, name = url.rstrip("/").rpartition("/")
                with Storage(above).create(f"{name}.rejects.jsonl") as path:
                    shutil.copyfile(rejects, path)
        publish(folder / "dataset", url)


def _check_target(url: str) -> None:
    target = Storage(url)
    target.check()
    ours = {CARD.as_posix(), REPORT.parent.as_posix(), *CONFIGS}
    foreign = [name.strip("/") for name in target.names("") if name.strip("/") not in ours]
    if foreign:
        raise DataError(f"{url}: contains {foreign[0]}, which no build wrote; name another place")


def publish(folder: Path, url: str) -> None:
    """Write a dataset folder to a URL, in the place of an earlier one.

    There is no rename: the report, which marks a dataset as complete, is deleted first and written last.
    """
    target = Storage(url)
    target.remove(REPORT.as_posix())
    for name in (*CONFIGS, REPORT.parent.as_posix()):
        target.remove(name)
    names = [path.relative_to(folder).as_posix() for path in walk(folder)]
    for name in sorted(names, key=lambda name: (name == REPORT.as_posix(), name)):
        with target.create(name) as path:
            shutil.copyfile(folder / name, path)
