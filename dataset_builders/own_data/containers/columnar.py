"""Rows of parquet and arrow files (feather, and what `datasets` saves), read batch by batch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from dataset_builders.own_data.containers.arrow_values import converter, features_of, holds_bytes
from dataset_builders.own_data.containers.opening import READ_ERRORS, open_bytes, open_seekable, unreadable
from dataset_builders.sources.raw_files import RawFile

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET, _ARROW, _STREAM = b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff"
_MAGIC = re.compile(rb"PAR1[^\t\n\r -~]|ARROW1\0\0|\xff\xff\xff\xff|FEA1\0")
_BATCH = 1000
"""Maximum number of rows in memory as Python objects."""

_BUFFER = 1 << 20
"""Bytes read at a time from each column of a parquet file; without it, all of a row group's are in memory."""


def is_columnar(head: bytes) -> bool:
    """Whether a file is columnar.

    Args:
        head: Its first bytes, unpacked.
    """
    return _MAGIC.match(head) is not None


def columns(file: RawFile) -> tuple[str, ...]:
    """The columns of a file.

    Raises:
        DataError: The file is damaged.
    """
    return tuple(_schema(file).names)


def binary_columns(file: RawFile) -> tuple[str, ...]:
    """The columns that hold bytes, such as images, whose values `read` replaces by None."""
    schema = _schema(file)
    return tuple(name for name in schema.names if holds_bytes(schema.field(name).type))


def read(file: RawFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows, each with its number, from 1. At most a batch of rows is in memory.

    Values are as in JSON, see `arrow_values.converter`.

    Raises:
        DataError: The file is damaged.
    """
    number = 0
    with _opened(file) as (schema, batches):
        features = features_of(schema)
        converts = [
            (name, c) for name in schema.names if (c := converter(schema.field(name).type, name, features.get(name)))
        ]
        for batch in batches:
            batch.validate(full=True)  # damaged offsets would end the process
            for start in range(0, batch.num_rows, _BATCH):
                for row in batch.slice(start, _BATCH).to_pylist():
                    for name, convert in converts:
                        if row[name] is not None:
                            row[name] = convert(row[name])
                    number += 1
                    yield number, row


def _schema(file: RawFile) -> pa.Schema:
    with _opened(file) as (schema, _):
        return schema


@contextmanager
def _opened(file: RawFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema of a file and its batches."""
    import pyarrow as pa

    try:
        with open_bytes(file) as stream:
            head = stream.read(8)
        with (open_bytes if head.startswith(_STREAM) else open_seekable)(file) as stream:
            yield _batches(stream, head)
    # the year 10000 is a ValueError, an unknown time zone a KeyError; a damaged length asks for endless memory
    except (*READ_ERRORS, pa.ArrowException, ValueError, ArithmeticError, LookupError, MemoryError) as error:
        raise unreadable(file, error) from error


def _batches(stream: BinaryIO, head: bytes) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    import pyarrow as pa

    if head.startswith(_PARQUET):
        from pyarrow import parquet

        table = parquet.ParquetFile(stream, buffer_size=_BUFFER)
        return _checked(table.schema_arrow), table.iter_batches(_BATCH, use_threads=False)
    if head.startswith(_STREAM):
        reader = pa.ipc.open_stream(stream)
        return _checked(reader.schema), iter(reader)
    if head.startswith(_ARROW):
        saved = pa.ipc.open_file(stream)
        return _checked(saved.schema), (saved.get_batch(i) for i in range(saved.num_record_batches))
    from pyarrow import feather

    old = feather.read_table(stream)
    return _checked(old.schema), iter(old.to_batches())


def _checked(schema: pa.Schema) -> pa.Schema:
    import pyarrow as pa

    if len(set(schema.names)) < len(schema.names):
        raise pa.ArrowInvalid(f"two columns have the same name: {', '.join(schema.names)}")
    return schema
