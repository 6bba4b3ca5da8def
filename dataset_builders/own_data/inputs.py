"""The files at a path, as byte streams: one file or a folder, plain, gzipped or zipped."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.rejects import Rejected, one_line
from dataset_builders.sources.raw_files import RawFile, walk

EXTENSIONS = frozenset({".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".txt"})
"""Extensions read from a folder or an archive. A path to a single file may have any name."""

SUPPORTED = (
    "supported are question/answer pairs and dialogues in JSON, JSONL, CSV, TSV or TXT, and labelled utterances in "
    "JSON, JSONL, CSV or TSV, each also as .gz or .zip"
)

READ_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_NOT_DATA = ("readme", "license", "licence", "changelog", "copying", "notice")


def find_files(path: Path) -> tuple[list[RawFile], list[Rejected]]:
    """The files to read and the skipped files of a folder or archive, both sorted by name.

    Raises:
        DataError: The path does not exist, holds no data file, or cannot be read.
    """
    if path.is_dir():
        candidates = [(p.relative_to(path).as_posix(), p) for p in walk(path)]
    elif path.is_file():
        candidates = [(path.name, path)]
    elif path.exists():
        raise DataError(f"{path}: a pipe, socket or device cannot be read several times; save it as a file")
    else:
        raise DataError(f"{path}: no such file or folder")
    files: list[RawFile] = []
    skipped: list[Rejected] = []
    for name, place in candidates:
        for file in _members(name, place):
            if reason := _skip_reason(file, named=place == path and not file.members):
                skipped.append(Rejected(file.name, None, None, reason))
            else:
                files.append(file)
    if not files:
        content = f"; it holds {', '.join(s.file for s in skipped[:3])}" if skipped else ""
        raise DataError(f"{path}: no data file in it{content}; {SUPPORTED}")
    return sorted(files, key=lambda f: f.name), sorted(skipped, key=lambda s: s.file)


def extension(name: str) -> str:
    """The lower-case extension of a file name, ignoring `.gz`.

    >>> extension("faq.CSV.gz")
    '.csv'
    """
    place = PurePosixPath(name.lower())
    return PurePosixPath(place.stem).suffix if place.suffix == ".gz" else place.suffix


def open_bytes(file: RawFile) -> BinaryIO:
    """Open a file as a stream of unpacked bytes.

    Raises:
        DataError: The file cannot be opened.
    """
    stream = _open(file)
    if stream.read(2) == _GZIP:
        stream.seek(0)
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    stream.seek(0)
    return stream


def unreadable(file: RawFile, error: Exception) -> DataError:
    """The error for a file that cannot be read to its end."""
    return DataError(f"{file}: cannot be read ({error or type(error).__name__}); it is damaged or protected")


def _open(file: RawFile) -> BinaryIO:
    try:
        if not file.members:
            return file.path.open("rb")
        return cast(BinaryIO, zipfile.ZipFile(file.path).open(file.members[0]))
    except (*READ_ERRORS, RuntimeError) as error:  # RuntimeError: the archive needs a password
        raise unreadable(file, error) from error


def _members(name: str, path: Path) -> list[RawFile]:
    """The file itself, or the members of a zip archive."""
    file = RawFile(one_line(name), path)
    with _open(file) as stream:
        try:
            is_zip = stream.read(4) == _ZIP
        except OSError as error:
            raise unreadable(file, error) from error
    if not is_zip:
        return [file]
    try:
        with zipfile.ZipFile(path) as archive:
            names = [
                m.filename for m in archive.infolist() if not m.is_dir() and not _hidden(PurePosixPath(m.filename))
            ]
    except READ_ERRORS as error:
        raise DataError(f"{file}: a damaged zip archive ({error}); pack it again") from error
    if "[Content_Types].xml" in names or "mimetype" in names:
        raise DataError(f"{file}: an office document; save it as CSV, or as plain text")
    if not names:
        raise DataError(f"{file}: an empty archive; {SUPPORTED}")
    return [RawFile(one_line(f"{name}/{member}"), path, (member,)) for member in dict.fromkeys(names)]


def _skip_reason(file: RawFile, named: bool) -> str:
    """Why a file is skipped; empty for a file to read. The user `named` it: always read."""
    if named:
        return ""
    place = PurePosixPath(file.name)
    if extension(file.name) not in EXTENSIONS:
        return f"not a data file by its name ({', '.join(sorted(EXTENSIONS))})"
    if place.name.lower().startswith(_NOT_DATA):
        return "a note about the data by its name"
    try:
        with open_bytes(file) as stream:
            return "" if stream.read(1) else "is empty"
    except (*READ_ERRORS, RuntimeError) as error:
        raise unreadable(file, error) from error


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
