"""Vectors on disk: one LMDB file for all teachers.

LMDB gives what a store shared by several runs needs: a killed process leaves it whole, one writer at a time waits for
the other, and what is read lies in mapped memory. Vectors are written in chunks, one value each: a table says in which
row of which chunk a text's vector is, and the rows are gathered from the map at once. Reading 100,000 x 768 takes four
times the processor time of copying them in memory; with one value a vector it was six times (and a third more disk),
with SQLite seven times (and twice the disk): `tests/benchmarks/bench_embedding_cache.py`. A chunk ages as a whole: what
was written together is used together.
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
from cube_model.vectors.lmdb_file import LmdbFile, OpenFile

LAYOUT = "vectors-2"
"""Folder of the file; another number for another layout, so that an older file is never misread."""

_DAY = 24 * 3600

_CHUNKS, _LEDGER, _SHELVES = b"chunks", b"ledger", b"shelves"
"""Tables: chunk number -> its bytes; chunk number -> `_Entry`; name of a shelf -> facts in JSON."""

_NO_CHUNK = 0xFFFFFFFF
_ABSENT = struct.pack("<II", _NO_CHUNK, 0)
_COUNTER = b"next"

PRECISIONS = {"float32": "<f4", "float16": "<f2"}

KEY_BYTES = 16

_CHECK = 8

_BLOCK = 1024
"""Rows gathered at a time: few enough for the processor's cache."""


@dataclass(frozen=True)
class Shelf:
    """The vectors of one teacher in one precision.

    Attributes:
        fingerprint: Of the teacher.
        precision: `"float32"` or `"float16"`, as stored.
        teacher: Its name; empty when it is not known.
        dimension: Length of a vector.
        vectors: How many there are.
        bytes: Their size in the file.
        seconds_per_text: Measured when the teacher computed them; 0 when not known.
        last_use: Unix time, exact to a day.
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
    """What the ledger says of a chunk: when it was last used (exact to a day), its bytes, and whose it is."""

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
    """The file. Threads and processes may share it.

    Args:
        folder: Folder of the cache; the file lies in `LAYOUT` below it. Made when missing.
        advice: What a user is told to do when it cannot be used.

    Raises:
        ModelError: It cannot be opened for writing.
    """

    def __init__(self, folder: Path, advice: str) -> None:
        self._file = LmdbFile(folder / LAYOUT, advice)
        self._file.run(lambda file: [file.table(name, create=True) for name in (_CHUNKS, _LEDGER, _SHELVES)])

    def read(self, fingerprint: str, precision: str, keys: Sequence[bytes], out: np.ndarray) -> np.ndarray:
        """Copy the vectors of `keys` (16 bytes each) to the rows of `out`, float32 `[n, dimension]`.

        Returns:
            bool `[n]`, True where there is one; the other rows of `out` are left as they were.
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
        """Store `vectors` `[n, dimension]` as one chunk in one transaction: all of them or none.

        Args:
            fingerprint: Of the teacher.
            precision: See `Shelf`.
            keys: n distinct keys of 16 bytes.
            vectors: Of any float type.
            teacher: Its name, for people.
            seconds: What computing them took.
        """
        facts = {"teacher": teacher, "dimension": vectors.shape[1], "seconds": seconds}
        self._file.run(lambda file: _write(file, _name(fingerprint, precision), keys, vectors, facts))

    def facts(self, fingerprint: str, precision: str) -> dict[str, Any]:
        """`teacher`, `dimension`, `seconds` and the `texts` that took them; empty where nothing was ever stored."""

        def read(file: OpenFile) -> dict[str, Any]:
            with file.environment.begin(db=file.table(_SHELVES, create=True)) as transaction:
                return dict(json.loads(transaction.get(_name(fingerprint, precision), b"{}")))

        return self._file.run(read)

    def size(self) -> int:
        """Bytes of what is stored. The file may be larger: it keeps the room of what was deleted for what comes."""
        return self._file.run(_used_bytes)

    def shelves(self) -> list[Shelf]:
        """What is stored, by teacher and precision."""
        return self._file.run(_shelves)

    def delete(self, wanted: Callable[[str, float], bool], stop: Callable[[], bool] = lambda: False) -> int:
        """Delete chunks, those of the oldest use first, each in a transaction of its own.

        Args:
            wanted: Of a fingerprint and a time of last use: whether to delete the chunk.
            stop: Asked before each chunk.

        Returns:
            Number of vectors deleted.
        """

        def work(file: OpenFile) -> int:
            deleted = 0
            for entry, number in sorted((entry, number) for number, entry in _ledger(file).items()):
                if stop():
                    break
                if wanted(_parts(entry.shelf)[1], entry.last_use):
                    deleted += _delete(file, number)
            return deleted

        return self._file.run(work)

    def clear(self) -> None:
        """Delete everything, at once."""
        self._file.replace(None)

    def compact(self) -> None:
        """Give the room of what was deleted back to the disk."""
        self._file.compact()


def _read(file: OpenFile, shelf: bytes, keys: Sequence[bytes], out: np.ndarray) -> np.ndarray:
    import lmdb

    found = np.zeros(len(keys), dtype=bool)
    table, chunks = file.table(shelf), file.table(_CHUNKS, create=True)
    if table is None or not len(keys):
        return found
    with file.environment.begin(db=table) as transaction:
        known = json.loads(transaction.get(shelf, b"{}", db=file.table(_SHELVES, create=True)))
        _check_dimension(known, out.shape[1])
        places = b"".join([transaction.get(key, _ABSENT) for key in keys])
    numbers, rows = np.frombuffer(places, dtype="<u4").reshape(-1, 2).T
    used = [int(number) for number in np.unique(numbers) if number != _NO_CHUNK]
    wanted = key_array(keys)
    with file.environment.begin(db=chunks, buffers=True) as transaction:
        for number in used:
            content = transaction.get(_number(number))
            if content is None:  # another process has deleted it just now
                continue
            parts = unpack_chunk(content, number, out.shape[1], _parts(shelf)[0], checked=number in file.checked)
            if parts is None:  # where one value is wrong, the list of free pages may be wrong too: trust none of it
                raise lmdb.CorruptedError(f"chunk {number} is not what was written")
            file.checked.add(number)
            here = np.flatnonzero(numbers == number)
            here = here[same_keys(parts[0], rows[here], wanted[here])]
            gather(parts[1], rows[here], out, here)
            found[here] = True
    _note_use(file, used)
    return found


def _write(file: OpenFile, shelf: bytes, keys: Sequence[bytes], vectors: np.ndarray, facts: dict[str, Any]) -> None:
    table = file.table(shelf, create=True)
    chunks, ledger, shelves = (file.table(name, create=True) for name in (_CHUNKS, _LEDGER, _SHELVES))
    with file.environment.begin(write=True) as transaction:
        # numbers are never used twice, so that a chunk that was found right stays right
        known = json.loads(transaction.get(shelf, b"{}", db=shelves))
        _check_dimension(known, vectors.shape[1])
        number = json.loads(transaction.get(_COUNTER, b"0", db=shelves))
        content = pack_chunk(number, keys, vectors, _parts(shelf)[0])
        with transaction.cursor(table) as cursor:
            # in key order, as a B-tree likes it
            cursor.putmulti(sorted((key, struct.pack("<II", number, row)) for row, key in enumerate(keys)))
        transaction.put(_number(number), content, db=chunks)
        transaction.put(_number(number), _Entry(time.time(), len(content), shelf).pack(), db=ledger)
        known = {
            "teacher": facts["teacher"] or known.get("teacher", ""),
            "dimension": facts["dimension"],
            "seconds": known.get("seconds", 0.0) + facts["seconds"],
            "texts": known.get("texts", 0) + (len(keys) if facts["seconds"] else 0),
        }
        transaction.put(shelf, json.dumps(known).encode(), db=shelves)
        transaction.put(_COUNTER, json.dumps(number + 1).encode(), db=shelves)


def _check_dimension(known: dict[str, Any], dimension: int) -> None:
    if known.get("dimension", dimension) != dimension:
        raise ModelError(f"vectors of {dimension} numbers, but this teacher's have {known['dimension']}")


def _delete(file: OpenFile, number: int) -> int:
    chunks, ledger = file.table(_CHUNKS, create=True), file.table(_LEDGER, create=True)
    deleted = 0
    with file.environment.begin(write=True) as transaction:
        content = transaction.pop(_number(number), db=chunks)
        entry = transaction.pop(_number(number), db=ledger)
        if content is None or entry is None:  # another process was faster
            return 0
        shelf = _Entry.unpack(entry).shelf
        known = json.loads(transaction.get(shelf, b"{}", db=file.table(_SHELVES, create=True)))
        table = file.table(shelf, create=True)
        for key in chunk_keys(content, known.get("dimension", 0), _parts(shelf)[0]):
            place = transaction.get(key, db=table)
            # a vector that was written again belongs to the newer chunk
            if place is not None and struct.unpack("<II", place)[0] == number:
                deleted += transaction.delete(key, db=table)
    return deleted


def _note_use(file: OpenFile, numbers: Sequence[int]) -> None:
    """Remember that chunks were used; written once a day each, so that reading hardly ever writes."""
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
    for name, facts in _known(file).items():
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


def _known(file: OpenFile) -> dict[bytes, dict[str, Any]]:
    with file.environment.begin(db=file.table(_SHELVES, create=True)) as transaction:
        return {name: json.loads(facts) for name, facts in transaction.cursor() if name != _COUNTER}


def _used_bytes(file: OpenFile) -> int:
    return sum(_size(file, name)[1] for name in (*_known(file), _CHUNKS, _LEDGER, _SHELVES))


def _size(file: OpenFile, name: bytes) -> tuple[int, int]:
    """Rows and bytes of a table."""
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
    """Precision and fingerprint."""
    precision, _, fingerprint = shelf.decode().partition("/")
    return precision, fingerprint


def _number(number: int) -> bytes:
    return struct.pack(">I", number)


def key_array(keys: Sequence[bytes]) -> np.ndarray:
    """`[n, 2]` of unsigned 64-bit numbers: keys that can be compared all at once."""
    return np.frombuffer(b"".join(keys), dtype="<u8").reshape(-1, 2)


def pack_chunk(number: int, keys: Sequence[bytes], vectors: np.ndarray, precision: str) -> bytes:
    """Bytes of the vectors `[n, dimension]` of n keys."""
    body = b"".join(keys), np.ascontiguousarray(vectors, dtype=PRECISIONS[precision]).data.cast("B")
    return b"".join((_check(number, *body), *body))


def unpack_chunk(
    content: Any, number: int, dimension: int, precision: str, *, checked: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """The reverse.

    Args:
        content: Any buffer; the arrays are views of it.
        number: As packed.
        dimension: As packed.
        precision: As packed.
        checked: The checksum is known to be right.

    Returns:
        Keys as `key_array` gives them, and vectors `[n, dimension]`; None when they were
        not packed so.
    """
    view = memoryview(content)
    dtype = np.dtype(PRECISIONS[precision])
    count, rest = divmod(len(view) - _CHECK, KEY_BYTES + dimension * dtype.itemsize)
    if count < 0 or rest or not (checked or bytes(view[:_CHECK]) == _check(number, view[_CHECK:])):
        return None
    vectors_at = _CHECK + count * KEY_BYTES
    keys = np.frombuffer(view[_CHECK:vectors_at], dtype="<u8").reshape(count, 2)
    return keys, np.frombuffer(view[vectors_at:], dtype=dtype).reshape(count, dimension)


def chunk_keys(content: bytes, dimension: int, precision: str) -> list[bytes]:
    """The keys of a chunk, without its vectors."""
    size = KEY_BYTES + dimension * np.dtype(PRECISIONS[precision]).itemsize
    count = (len(content) - _CHECK) // size
    return [content[_CHECK + i * KEY_BYTES : _CHECK + (i + 1) * KEY_BYTES] for i in range(count)]


def same_keys(keys: np.ndarray, rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Bool `[m]`: whether the keys `[n, 2]` of a chunk have at `rows` `[m]` what is `wanted` `[m, 2]`."""
    return (rows < len(keys)) & (keys.take(rows, axis=0, mode="clip") == wanted).all(1)


def gather(vectors: np.ndarray, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> None:
    """`out[at] = vectors[rows]` with one copy where `at` (ascending) is a range and the types are equal."""
    if len(at) and at[-1] - at[0] + 1 == len(at) and vectors.dtype == out.dtype:
        np.take(vectors, rows, axis=0, out=out[at[0] : at[-1] + 1], mode="clip")
        return
    for start in range(0, len(at), _BLOCK):
        block = slice(start, start + _BLOCK)
        out[at[block]] = vectors[rows[block]]


def _check(number: int, *body: Any) -> bytes:
    """Bound to the chunk's number: a chunk in another's place is as wrong as a changed one."""
    from xxhash import xxh3_64

    digest = xxh3_64(seed=number)
    for part in body:
        digest.update(part)
    return digest.digest()
