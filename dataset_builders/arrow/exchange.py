"""Records that tasks send to each other through files: the one way in which stages combine rows of all shards.

Each sender writes one file with a batch for each receiver; a receiver reads its batch of every file, in the order of
the senders. So nobody holds more than its own share, and the result does not depend on who ran first.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from dataset_builders.common.storage import Storage

_TAIL = struct.Struct("<4q")
"""End of a file: where the bounds of its batches begin; its numbers of receivers and batches; bytes of the schema.

The batches, arrow messages, are for receiver 0, 1, ... and again from 0 for the next group. A file of arrow has the
place of each batch at its end, too, but a reader has to read all of them to find one; here it reads two numbers. The
shards of a large build read hundreds of millions of batches.
"""

_READ_AT_ONCE = 1 << 12
"""Bytes from the end of a file that are read at once: the schemas here have less than half as many."""


@dataclass(frozen=True)
class Exchange:
    """Records of one kind on their way.

    Args:
        storage: Storage of the files.
        name: Name of the exchange, a folder there.
    """

    storage: Storage
    name: str

    def send(self, sender: int, records: pa.Table, receiver: np.ndarray, receivers: int) -> None:
        """Write all records of a sender.

        Args:
            sender: Number of the sender.
            records: n records.
            receiver: Number of each record's receiver, integers of shape (n,).
            receivers: Number of receivers.
        """
        self.send_all(sender, [(records, receiver)], receivers)

    def send_all(self, sender: int, groups: Iterable[tuple[pa.Table, np.ndarray]], receivers: int) -> None:
        """Write all records of a sender like `send`, but group by group, with one group in memory at once.

        Args:
            sender: Number of the sender.
            groups: At least one group of records, with the receiver of each record.
            receivers: Number of receivers.
        """
        bounds, schema = [0], None
        with self.storage.create(self._file(sender)) as path, path.open("wb") as file:
            for records, receiver in groups:
                order = np.argsort(receiver, kind="stable")
                ends = np.searchsorted(receiver[order], np.arange(receivers + 1)).tolist()
                ordered = records.take(pa.array(order)).combine_chunks() if len(records) else records
                schema = schema or records.schema.remove_metadata()
                for first, end in pairwise(ends):
                    if end > first:
                        file.write(_batch(ordered.slice(first, end - first)).serialize())
                    bounds.append(file.tell())
            assert schema is not None
            file.write(np.array(bounds, np.int64).tobytes())
            written = schema.serialize()
            file.write(written)
            file.write(_TAIL.pack(bounds[-1], receivers, len(bounds) - 1, len(written)))

    def receive(self, receiver: int, senders: int) -> tuple[pa.Table, np.ndarray]:
        """Read all records of a receiver.

        Args:
            receiver: Number of the receiver.
            senders: Number of senders.

        Returns:
            The records, ordered by sender, then as sent; and how many came from each sender, shape (senders,).
        """
        tables = [self.read(receiver, sender) for sender in range(senders)]
        return pa.concat_tables(tables), np.array([len(table) for table in tables])

    def read(self, receiver: int, sender: int) -> pa.Table:
        """Read the records of a receiver from one sender."""
        with self.storage.open(self._file(sender)) as file:
            schema, batches = _open(file, receiver)
            return pa.Table.from_batches(list(batches), schema)

    def read_groups(self, receiver: int, sender: int) -> Iterator[pa.RecordBatch]:
        """Read the records of a receiver from one sender group by group, with one in memory at once."""
        with self.storage.open(self._file(sender)) as file:
            yield from _open(file, receiver)[1]

    def answer(self, receiver: int, records: pa.Table, sender: np.ndarray, senders: int) -> None:
        """Send records from a receiver back to the senders; as `send`."""
        self.answer_all(receiver, [(records, sender)], senders)

    def answer_all(self, receiver: int, groups: Iterable[tuple[pa.Table, np.ndarray]], senders: int) -> None:
        """Send records from a receiver back to the senders group by group; as `send_all`."""
        Exchange(self.storage, f"{self.name}-back").send_all(receiver, groups, senders)

    def answers(self, sender: int, receivers: int) -> pa.Table:
        """Read all answers to a sender; as `receive`."""
        return Exchange(self.storage, f"{self.name}-back").receive(sender, receivers)[0]

    def answer_groups(self, sender: int, receiver: int) -> Iterator[pa.RecordBatch]:
        """Read the answers of one receiver to a sender; as `read_groups`."""
        return Exchange(self.storage, f"{self.name}-back").read_groups(sender, receiver)

    def _file(self, sender: int) -> str:
        return f"{self.name}/{sender:05d}.batches"


def records(**columns: np.ndarray | pa.Array) -> pa.Table:
    """A table of records from arrays of equal length."""
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def array(table: pa.Table, column: str) -> np.ndarray:
    """A column of numbers as an array."""
    return table[column].to_numpy()


def save(storage: Storage, name: str, table: pa.Table, rows: int | None = None) -> None:
    """Write a table for a later task, which reads it whole (`load`) or in batches of `rows` rows (`batches`)."""
    save_all(storage, name, [table], rows)


def save_all(storage: Storage, name: str, tables: Iterable[pa.Table], rows: int | None = None) -> None:
    """Write tables one after another like `save`, with one in memory at once; at least one."""
    with storage.create(name) as path, pa.OSFile(str(path), "wb") as file, ExitStack() as stack:
        writer = None
        for table in tables:
            writer = writer or stack.enter_context(pa.ipc.new_file(file, table.schema))
            writer.write_table(table, rows)


def load(storage: Storage, name: str) -> pa.Table:
    """Read a table that `save` wrote."""
    with storage.open(name) as file:
        return pa.ipc.open_file(file).read_all()


def batches(storage: Storage, name: str) -> Iterator[pa.RecordBatch]:
    """Read a table that `save` wrote batch by batch, at least one; the file is not open between two of them."""
    number, count = 0, 1
    while number < count:
        with storage.open(name) as file:
            reader = pa.ipc.open_file(file)
            count = reader.num_record_batches
            batch = reader.get_batch(number) if count else pa.RecordBatch.from_pylist([], schema=reader.schema)
        yield batch
        number += 1


def _open(file: Any, receiver: int) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema of a file, and the batches for a receiver."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _READ_AT_ONCE))
    tail = file.read()  # each read of a remote file is a request
    start, receivers, count, size = _TAIL.unpack(tail[-_TAIL.size :])
    schema = pa.ipc.read_schema(pa.py_buffer(tail[-_TAIL.size - size : -_TAIL.size]))

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(receiver, count, receivers):
            file.seek(start + 8 * number)
            first, last = np.frombuffer(file.read(16), np.int64).tolist()
            if last > first:
                file.seek(first)
                yield pa.ipc.read_record_batch(pa.py_buffer(file.read(last - first)), schema)

    return schema, batches()


def _batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
