"""The files at a path (a file, a folder or an archive), without notes, settings and pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dataset_builders.common.errors import DataError
from dataset_builders.common.listing import is_hidden
from dataset_builders.own_data.containers import archives, spreadsheet
from dataset_builders.own_data.containers.compression import SUFFIXES
from dataset_builders.own_data.containers.not_data import not_data
from dataset_builders.own_data.containers.opening import READ_ERRORS, is_packed, open_bytes, unreadable
from dataset_builders.own_data.rejects import Rejected, one_line
from dataset_builders.sources.raw_files import RawFile, walk

__all__ = [
    *("EXTENSIONS", "READ_ERRORS", "SUPPORTED", "Files", "extension", "find_all", "find_files", "open_bytes"),
    *("sort_out", "unreadable"),
]

EXTENSIONS = frozenset(
    (
        *(".json", ".jsonl", ".jsonlines", ".ndjson", ".csv", ".tsv", ".tab", ".txt", ".md", ".yml", ".yaml"),
        *(".lu", ".mbox", ".eml", ".srt", ".vtt", ".train", ".valid", ".dev", ".test"),
        *(".parquet", ".pq", ".arrow", ".feather", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
    )
)
"""Extensions read from a folder or an archive. A path to a single file may have any name."""

_NAMES = frozenset({"seq.in", "label"})
"""Names of files without such an extension that are read nevertheless: utterances, and their intents line by line."""

_MAILBOX = b"From "

SUPPORTED = (
    "supported are conversations, question/answer pairs and labelled utterances in the formats that "
    "`dialogue-cube formats` lists, also compressed (gz, bz2, xz, zst) and in zip and tar archives"
)


class Files(NamedTuple):
    """The files at a path, each list sorted by name.

    Attributes:
        data: Files to read.
        skipped: Files that hold no data or cannot be read, with the reasons.
        others: The skipped files that can be opened. Formats need some of them, such as the table of users of a chat.
    """

    data: list[RawFile]
    skipped: list[Rejected]
    others: list[RawFile]


def find_files(path: Path) -> tuple[list[RawFile], list[Rejected]]:
    """The files to read and the skipped files at a path; see `find_all`."""
    files = find_all(path)
    return files.data, files.skipped


def find_all(path: Path, skip_bad: bool = False) -> Files:
    """The files of a folder or an archive, or a single file.

    Each sheet of a workbook is a file of its own, `name.xlsx/Sheet1`.

    Args:
        path: Path of a file or a folder.
        skip_bad: Whether a file that cannot be read is skipped. Compressed files and members of archives are then read
            to their ends, since damage shows only there.

    Raises:
        DataError: The path does not exist, holds no data file, or a file cannot be read.
    """
    if path.is_dir():
        return sort_out(path, [(p.relative_to(path).as_posix(), p) for p in walk(path)], skip_bad)
    if path.is_file():
        return sort_out(path, [(path.name, path)], skip_bad)
    if path.exists():
        raise DataError(f"{path}: a pipe, socket or device cannot be read several times; save it as a file")
    raise DataError(f"{path}: no such file or folder")


def sort_out(origin: Path | str, candidates: Iterable[tuple[str, Path]], skip_bad: bool = False) -> Files:
    """Sort files into those to read and those to skip, with archives unpacked.

    Args:
        origin: Path or dataset that the user named; if it is one of the candidates, it is read whatever its name.
        candidates: Names and paths of files.
        skip_bad: As for `find_all`.

    Raises:
        DataError: None of them is a data file, or one cannot be read.
    """
    expanded: list[RawFile] = []
    skipped: list[Rejected] = []

    def skip(file: RawFile, error: DataError) -> None:
        if not skip_bad:
            raise error
        skipped.append(Rejected(file.name, None, None, str(error).removeprefix(f"{file}: ")))

    for name, path in candidates:
        file = RawFile(one_line(name), path)
        try:
            expanded += _members(file)
        except DataError as error:
            skip(file, error)
    data: list[RawFile] = []
    others: list[RawFile] = []
    names = frozenset(file.name for file in expanded)
    for file in expanded:
        named = file.path == origin and not file.members
        try:
            head = _head(file)
            reason = "" if named else _skip_reason(file, head, names)
            tables = [file] if reason or not spreadsheet.is_office(file, head) else spreadsheet.sheets(file)
            if skip_bad and not reason and is_packed(file):
                _read_through(file)
        except DataError as error:
            skip(file, error)
            continue
        if reason := reason or ("" if tables else "a workbook without a table"):
            skipped.append(Rejected(file.name, None, None, reason))
            others.append(file)
        else:
            data += tables
    if not data:
        content = "; ".join(map(str, skipped[:3]))
        raise DataError(f"{origin}: no data file in it{f'; it holds {content}' if content else ''}; {SUPPORTED}")
    return Files(_by_name(data), sorted(skipped, key=lambda s: s.file), _by_name(others))


def extension(name: str) -> str:
    """The lower-case extension of a file name, without that of its compression.

    >>> extension("faq.CSV.gz"), extension("faq.jsonl.zst")
    ('.csv', '.jsonl')
    """
    place = PurePosixPath(name.lower())
    return PurePosixPath(place.stem).suffix if place.suffix in SUFFIXES else place.suffix


def _members(file: RawFile) -> list[RawFile]:
    """The file itself, or the members of an archive."""
    kind = None
    try:
        with open_bytes(file) as stream:
            head = stream.read(512)
        kind = archives.archive_kind(head)
        if kind is None or spreadsheet.is_office(file, head):
            return [file]
        if kind == "zip" and is_packed(file):
            raise DataError(f"{file}: a zip archive that is compressed again; unpack it")
        names = archives.member_names(file.path)
    except (*READ_ERRORS, RuntimeError) as error:
        if kind is None:
            raise unreadable(file, error) from error
        raise DataError(f"{file}: a damaged {kind} archive ({error}); pack it again") from error
    members = [
        RawFile(one_line(f"{file.name}/{place}"), file.path, (name,))
        for name, place in names.items()
        if not is_hidden(PurePosixPath(place))
    ]
    if not members:
        raise DataError(f"{file}: an empty archive; {SUPPORTED}")
    return members


def _skip_reason(file: RawFile, head: bytes, names: frozenset[str]) -> str:
    """Why a file is skipped; empty for a file to read."""
    if reason := not_data(file.name, names):
        return reason
    if file.members and archives.archive_kind(head) and not spreadsheet.is_office(file, head):
        return "an archive within an archive; unpack it"
    place = PurePosixPath(file.name)
    is_data = extension(file.name) in EXTENSIONS or place.name.lower() in _NAMES
    if not is_data and (place.suffix or not head.startswith(_MAILBOX)):
        return f"not a data file by its name ({', '.join(sorted(EXTENSIONS))})"
    return "" if head else "is empty"


def _head(file: RawFile) -> bytes:
    try:
        with open_bytes(file) as stream:
            return stream.read(512)
    except (*READ_ERRORS, RuntimeError) as error:
        raise unreadable(file, error) from error


def _read_through(file: RawFile) -> None:
    try:
        with open_bytes(file) as stream:
            while stream.read(1 << 20):
                pass
    except (*READ_ERRORS, RuntimeError) as error:
        raise unreadable(file, error) from error


def _by_name(files: list[RawFile]) -> list[RawFile]:
    return sorted(files, key=lambda file: file.name)
