"""Vector store on disk: one LMDB file for all teachers.

LMDB provides what concurrent runs need: a killed process leaves the file intact, writers wait for each other, and reads
come from mapped memory. Every write stores its vectors as one chunk, in a single LMDB value. A table maps each text to
its chunk and row, and reads gather rows directly from the mapped memory.

Reading 100,000 x 768 numbers takes four times the processor time of copying them in memory. One LMDB value per vector
takes six times (and a third more disk space), SQLite seven times (and twice the disk space): see
`tests/benchmarks/bench_embedding_cache.py`. Last use is recorded per chunk, because vectors written together are
usually read together.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cube_model.errors import ModelError
from cube_model.vectors.keys import KEY_BYTES, key_array, same_keys
from cube_model.vectors.lmdb_file import LmdbFile, OpenFile

LAYOUT = "vectors-2"
"""Folder of the file. A new layout gets a new number, so that an older file is never misread."""

_DAY = 24 * 3600

_CHUNKS, _LEDGER, _SHELVES = b"chunks", b"ledger", b"shelves"
"""Tables: chunk number -> packed chunk; chunk number -> `_Entry`; shelf name -> facts as JSON."""

_NO_CHUNK = 0xFFFFFFFF
_ABSENT = struct.pack("<II", _NO_CHUNK, 0)
_COUNTER = b"next"

PRECISIONS = {"float32": "<f4", "float16": "<f2"}

_CHECKSUM_BYTES = 8

_BLOCK = 1024
"""Rows gathered at a time: few enough to fit in the processor's cache."""


@dataclass(frozen=True)
class Shelf:
    """The vectors of one teacher in one precision.

    Attributes:
        fingerprint: Fingerprint of the teacher.
        precision: Stored precision, `"float32"` or `"float16"`.
        teacher: Name of the teacher; empty if unknown.
        dimension: Dimension of the vectors.
        vectors: Number of vectors.
        bytes: Size in the file.
        seconds_per_text: Measured encoding time per text; 0 if unknown.
        last_use: Unix time of the last use, to the day.
    """

    fingerprint: str
    precision: str
    teacher: str
    dimension: int
    vectors: int
    bytes: int
    seconds_per_text: float
    last_use: float


class _Entry(NamedTuple):
    """Ledger entry of a chunk: its last use (to the day), its size in bytes and its shelf."""

    last_use: float
    size: int
    shelf: bytes

    def pack(self) -> bytes:
        return struct.pack("<dQ", self.last_use, self.size) + self.shelf

    @classmethod
    def unpack(cls, content: bytes) -> _Entry:
        last_use, size = struct.unpack_from("<dQ", content)
        return cls(last_use, size, content[16:])


class VectorStore:
    """The vector store. Threads and processes may share it.

    Args:
        folder: Cache folder, created if missing; the file is in its subfolder `LAYOUT`.
        advice: End of the error message: what to do if the store cannot be used.

    Raises:
        ModelError: The store cannot be opened for writing.
    """

    def __init__(self, folder: Path, advice: str) -> None:
        self._file = LmdbFile(folder / LAYOUT, advice)
        self._file.run(lambda file: [file.table(name, create=True) for name in (_CHUNKS, _LEDGER, _SHELVES)])

    def read(self, fingerprint: str, precision: str, keys: Sequence[bytes], out: np.ndarray) -> np.ndarray:
        """Copy stored vectors to the rows of an array.

        Args:
            fingerprint: Fingerprint of the teacher.
            precision: Stored precision; see `Shelf`.
            keys: n keys of 16 bytes.
            out: Target array, float32 `[n, dimension]`. Rows of missing vectors are left unchanged.

        Returns:
            Whether each vector is stored, bool `[n]`.
        """
        return self._file.run(lambda file: _read(file, _name(fingerprint, precision), keys, out))

    def write(
        self,
        fingerprint: str,
        precision: str,
        keys: Sequence[bytes],
        vectors: np.ndarray,
        *,
        teacher: str = "",
        seconds: float = 0.0,
    ) -> None:
        """Store vectors atomically, as one chunk in one transaction.

        Args:
            fingerprint: Fingerprint of the teacher.
            precision: Stored precision; see `Shelf`.
            keys: n distinct keys of 16 bytes.
            vectors: Vectors `[n, dimension]` of any float type.
            teacher: Name of the teacher, for display.
            seconds: Encoding time of all vectors.
        """
        facts = {"teacher": teacher, "dimension": vectors.shape[1], "seconds": seconds}
        self._file.run(lambda file: _write(file, _name(fingerprint, precision), keys, vectors, facts))

    def facts(self, fingerprint: str, precision: str) -> dict[str, Any]:
        """Return `teacher`, `dimension`, and the `seconds` for encoding `texts`; empty if nothing was ever stored."""

        def read(file: OpenFile) -> dict[str, Any]:
            with file.environment.begin(db=file.table(_SHELVES, create=True)) as transaction:
                return dict(json.loads(transaction.get(_name(fingerprint, precision), b"{}")))

        return self._file.run(read)

    def size(self) -> int:
        """Return the bytes in use. The file may be larger, since it keeps the space of deleted chunks for reuse."""
        return self._file.run(_used_bytes)

    def shelves(self) -> list[Shelf]:
        """List the stored vectors by teacher and precision."""
        return self._file.run(_shelves)

    def delete(self, condition: Callable[[str, float], bool], stop: Callable[[], bool] = lambda: False) -> int:
        """Delete chunks, least recently used first, each in its own transaction.

        Args:
            condition: Function of a fingerprint and a time of last use; returns whether to delete the chunk.
            stop: Function called before each chunk; returns whether to stop.

        Returns:
            Number of deleted vectors.
        """

        def work(file: OpenFile) -> int:
            deleted = 0
            for entry, number in sorted((entry, number) for number, entry in _ledger(file).items()):
                if stop():
                    break
                if condition(_parts(entry.shelf)[1], entry.last_use):
                    deleted += _delete(file, number)
            return deleted

        return self._file.run(work)

    def clear(self) -> None:
        """Delete everything at once."""
        self._file.replace(None)

    def compact(self) -> None:
        """Release the disk space of deleted chunks."""
        self._file.compact()


def _read(file: OpenFile, shelf: bytes, keys: Sequence[bytes], out: np.ndarray) -> np.ndarray:
    import lmdb

    stored = np.zeros(len(keys), dtype=bool)
    table, chunks = file.table(shelf), file.table(_CHUNKS, create=True)
    if table is None or not len(keys):
        return stored
    with file.environment.begin(db=table) as transaction:
        facts = json.loads(transaction.get(shelf, b"{}", db=file.table(_SHELVES, create=True)))
        _check_dimension(facts, out.shape[1])
        locations = b"".join([transaction.get(key, _ABSENT) for key in keys])
    numbers, rows = np.frombuffer(locations, dtype="<u4").reshape(-1, 2).T
    used = [int(number) for number in np.unique(numbers) if number != _NO_CHUNK]
    expected = key_array(keys)
    with file.environment.begin(db=chunks, buffers=True) as transaction:
        for number in used:
            content = transaction.get(_number(number))
            if content is None:  # deleted by another process meanwhile
                continue
            chunk = unpack_chunk(content, number, out.shape[1], _parts(shelf)[0], checked=number in file.checked)
            if chunk is None:  # if one value is wrong, the list of free pages may be wrong too: discard the file
                raise lmdb.CorruptedError(f"wrong checksum of chunk {number}")
            file.checked.add(number)
            keys_in_chunk, vectors = chunk
            targets = np.flatnonzero(numbers == number)
            targets = targets[same_keys(keys_in_chunk, rows[targets], expected[targets])]
            gather(vectors, rows[targets], out, targets)
            stored[targets] = True
    _note_use(file, used)
    return stored


def _write(file: OpenFile, shelf: bytes, keys: Sequence[bytes], vectors: np.ndarray, facts: dict[str, Any]) -> None:
    table = file.table(shelf, create=True)
    chunks, ledger, shelves = (file.table(name, create=True) for name in (_CHUNKS, _LEDGER, _SHELVES))
    with file.environment.begin(write=True) as transaction:
        # numbers are never reused, so a chunk that passed its check stays valid
        before = json.loads(transaction.get(shelf, b"{}", db=shelves))
        _check_dimension(before, vectors.shape[1])
        number = json.loads(transaction.get(_COUNTER, b"0", db=shelves))
        content = pack_chunk(number, keys, vectors, _parts(shelf)[0])
        with transaction.cursor(table) as cursor:
            # inserting in key order is fastest for a B-tree
            cursor.putmulti(sorted((key, struct.pack("<II", number, row)) for row, key in enumerate(keys)))
        transaction.put(_number(number), content, db=chunks)
        transaction.put(_number(number), _Entry(time.time(), len(content), shelf).pack(), db=ledger)
        after = {
            "teacher": facts["teacher"] or before.get("teacher", ""),
            "dimension": facts["dimension"],
            "seconds": before.get("seconds", 0.0) + facts["seconds"],
            "texts": before.get("texts", 0) + (len(keys) if facts["seconds"] else 0),
        }
        transaction.put(shelf, json.dumps(after).encode(), db=shelves)
        transaction.put(_COUNTER, json.dumps(number + 1).encode(), db=shelves)


def _check_dimension(facts: dict[str, Any], dimension: int) -> None:
    if facts.get("dimension", dimension) != dimension:
        raise ModelError(f"vectors have dimension {dimension}: those of this teacher have {facts['dimension']}")


def _delete(file: OpenFile, number: int) -> int:
    chunks, ledger = file.table(_CHUNKS, create=True), file.table(_LEDGER, create=True)
    deleted = 0
    with file.environment.begin(write=True) as transaction:
        content = transaction.pop(_number(number), db=chunks)
        entry = transaction.pop(_number(number), db=ledger)
        if content is None or entry is None:  # deleted by another process meanwhile
            return 0
        shelf = _Entry.unpack(entry).shelf
        facts = json.loads(transaction.get(shelf, b"{}", db=file.table(_SHELVES, create=True)))
        table = file.table(shelf, create=True)
        for key in chunk_keys(content, facts.get("dimension", 0), _parts(shelf)[0]):
            location = transaction.get(key, db=table)
            # a vector that was written again belongs to the newer chunk
            if location is not None and struct.unpack("<II", location)[0] == number:
                deleted += transaction.delete(key, db=table)
    return deleted


def _note_use(file: OpenFile, numbers: Sequence[int]) -> None:
    """Record the use of chunks, at most once a day each, so that reads rarely write."""
    now, ledger = time.time(), file.table(_LEDGER, create=True)

    def stale(transaction: Any) -> dict[int, _Entry]:
        contents = {number: transaction.get(_number(number)) for number in numbers}
        entries = {number: _Entry.unpack(content) for number, content in contents.items() if content is not None}
        return {number: entry for number, entry in entries.items() if entry.last_use < now - _DAY}

    with file.environment.begin(db=ledger) as transaction:
        if not stale(transaction):
            return
    with file.environment.begin(db=ledger, write=True) as transaction:
        for number, entry in stale(transaction).items():
            transaction.put(_number(number), entry._replace(last_use=now).pack())


def _ledger(file: OpenFile) -> dict[int, _Entry]:
    with file.environment.begin(db=file.table(_LEDGER, create=True)) as transaction:
        return {struct.unpack(">I", number)[0]: _Entry.unpack(content) for number, content in transaction.cursor()}


def _shelves(file: OpenFile) -> list[Shelf]:
    entries = list(_ledger(file).values())
    shelves = []
    for name, facts in _shelf_facts(file).items():
        precision, fingerprint = _parts(name)
        own = [entry for entry in entries if entry.shelf == name]
        vectors, index_size = _size(file, name)
        speed = facts["seconds"] / facts["texts"] if facts["texts"] else 0.0
        size = index_size + sum(entry.size for entry in own)
        last_use = max((entry.last_use for entry in own), default=0.0)
        if vectors:
            shelves.append(
                Shelf(fingerprint, precision, facts["teacher"], facts["dimension"], vectors, size, speed, last_use)
            )
    return shelves


def _shelf_facts(file: OpenFile) -> dict[bytes, dict[str, Any]]:
    with file.environment.begin(db=file.table(_SHELVES, create=True)) as transaction:
        return {name: json.loads(facts) for name, facts in transaction.cursor() if name != _COUNTER}


def _used_bytes(file: OpenFile) -> int:
    return sum(_size(file, name)[1] for name in (*_shelf_facts(file), _CHUNKS, _LEDGER, _SHELVES))


def _size(file: OpenFile, name: bytes) -> tuple[int, int]:
    """Return the number of rows and the bytes of a table."""
    table = file.table(name)
    if table is None:
        return 0, 0
    with file.environment.begin() as transaction:
        stat = transaction.stat(table)
    pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
    return stat["entries"], pages * stat["psize"]


def _name(fingerprint: str, precision: str) -> bytes:
    return f"{precision}/{fingerprint}".encode()


def _parts(shelf: bytes) -> tuple[str, str]:
    """Split a shelf name into precision and fingerprint."""
    precision, _, fingerprint = shelf.decode().partition("/")
    return precision, fingerprint


def _number(number: int) -> bytes:
    return struct.pack(">I", number)


def pack_chunk(number: int, keys: Sequence[bytes], vectors: np.ndarray, precision: str) -> bytes:
    """Pack n keys and their vectors `[n, dimension]` into bytes, with a checksum."""
    body = b"".join(keys), np.ascontiguousarray(vectors, dtype=PRECISIONS[precision]).data.cast("B")
    return b"".join((_checksum(number, *body), *body))


def unpack_chunk(
    content: Any, number: int, dimension: int, precision: str, *, checked: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Unpack a chunk without copying it.

    Args:
        content: Buffer with the packed chunk.
        number: Number of the chunk.
        dimension: Dimension of the vectors.
        precision: Precision of the vectors.
        checked: Whether the checksum has been verified before; it is then skipped.

    Returns:
        Keys as in `key_array` and vectors `[n, dimension]`, both views of `content`; None if size or checksum differs.
    """
    view = memoryview(content)
    dtype = np.dtype(PRECISIONS[precision])
    count, rest = divmod(len(view) - _CHECKSUM_BYTES, KEY_BYTES + dimension * dtype.itemsize)
    if count < 0 or rest:
        return None
    body = view[_CHECKSUM_BYTES:]
    if not checked and bytes(view[:_CHECKSUM_BYTES]) != _checksum(number, body):
        return None
    keys = np.frombuffer(body[: count * KEY_BYTES], dtype="<u8").reshape(count, 2)
    return keys, np.frombuffer(body[count * KEY_BYTES :], dtype=dtype).reshape(count, dimension)


def chunk_keys(content: bytes, dimension: int, precision: str) -> list[bytes]:
    """Return the keys of a packed chunk, without unpacking its vectors."""
    size = KEY_BYTES + dimension * np.dtype(PRECISIONS[precision]).itemsize
    count = (len(content) - _CHECKSUM_BYTES) // size
    starts = range(_CHECKSUM_BYTES, _CHECKSUM_BYTES + count * KEY_BYTES, KEY_BYTES)
    return [content[start : start + KEY_BYTES] for start in starts]


def gather(vectors: np.ndarray, rows: np.ndarray, out: np.ndarray, targets: np.ndarray) -> None:
    """Set `out[targets] = vectors[rows]`, with a single copy if the ascending targets are a range and types match."""
    if len(targets) and targets[-1] - targets[0] + 1 == len(targets) and vectors.dtype == out.dtype:
        np.take(vectors, rows, axis=0, out=out[targets[0] : targets[-1] + 1], mode="clip")
        return
    for start in range(0, len(targets), _BLOCK):
        block = slice(start, start + _BLOCK)
        out[targets[block]] = vectors[rows[block]]


def _checksum(number: int, *body: Any) -> bytes:
    """Hash a chunk with its number as seed, so that a chunk stored under another number fails the check too."""
    from xxhash import xxh3_64

    digest = xxh3_64(seed=number)
    for part in body:
        digest.update(part)
    return digest.digest()
