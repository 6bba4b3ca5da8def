"""Rows of parquet and arrow files (feather, and what `datasets` saves), read batch by batch."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from dataset_builders.own_data.containers.opening import READ_ERRORS, open_bytes, open_seekable, unreadable
from dataset_builders.own_data.names import SPEAKER, TURNS, plain
from dataset_builders.sources.raw_files import RawFile

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET, _ARROW, _STREAM = b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff"
_MAGIC = re.compile(rb"PAR1[^\t\n\r -~]|ARROW1\0\0|\xff\xff\xff\xff|FEA1\0")
_BATCH = 1000
"""Maximum number of rows in memory as Python objects."""

_BUFFER = 1 << 20
"""Bytes read at a time from each column of a parquet file; without it, all of a row group's are in memory."""

Convert = Callable[[Any], Any]


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
    return tuple(name for name in schema.names if _holds_bytes(schema.field(name).type))


def read(file: RawFile) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows, each with its number, from 1. At most a batch of rows is in memory.

    Values are as in JSON: times and dates are texts in ISO 8601, decimals are numbers, bytes and NaN are None. Turns
    that are stored as a list for each of their fields, as by `datasets` before version 4, are a list of objects.

    Raises:
        DataError: The file is damaged.
    """
    number = 0
    with _opened(file) as (schema, batches):
        names = schema.names
        converts = [(name, c) for i, name in enumerate(names) if (c := _converter(schema.field(i).type, name))]
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
    except (*READ_ERRORS, pa.ArrowException, ValueError, OverflowError, KeyError, MemoryError) as error:
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


def _converter(kind: pa.DataType, name: str) -> Convert | None:
    """How to make a JSON value of a value of this type that is not None; None if it is one.

    Args:
        kind: Type.
        name: Name of the column or the field.
    """
    from pyarrow import types

    if isinstance(kind, _json_type()):
        return _parse
    if hasattr(kind, "storage_type"):
        return _converter(kind.storage_type, name)
    if types.is_dictionary(kind):
        return _converter(kind.value_type, name)
    if _is_list(kind):
        element = _converter(kind.value_type, name)
        return element and functools.partial(_each, element)
    if types.is_struct(kind):
        return _struct_converter(kind, name)
    if types.is_map(kind):
        inner = _converter(kind.item_type, name) or _same
        return lambda pairs: {str(key): None if value is None else inner(value) for key, value in pairs}
    if types.is_floating(kind):
        return lambda value: None if math.isnan(value) else value
    if types.is_decimal(kind):
        return _number
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return _iso
    if types.is_duration(kind):
        return str
    return _nothing if _holds_bytes(kind) else None


def _each(convert: Convert, values: list[Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in values]


def _struct_converter(kind: pa.StructType, name: str) -> Convert | None:
    fields = [kind.field(i) for i in range(kind.num_fields)]
    are_turns = plain(name) in TURNS or any(plain(field.name) in SPEAKER for field in fields)
    if are_turns and len(fields) > 1 and all(_is_list(field.type) for field in fields):
        return _rows_converter([(f.name, _converter(f.type.value_type, f.name) or _same) for f in fields])
    inner = [(f.name, convert) for f in fields if (convert := _converter(f.type, f.name))]
    if not inner:
        return None

    def convert_fields(value: dict[str, Any]) -> dict[str, Any]:
        for key, convert in inner:
            if value[key] is not None:
                value[key] = convert(value[key])
        return value

    return convert_fields


def _rows_converter(fields: list[tuple[str, Convert]]) -> Convert:
    """How to make a list of objects of an object of lists of the same length."""

    def rows(value: dict[str, Any]) -> Any:
        lists = [value[key] or [] for key, _ in fields]
        if len({len(values) for values in lists}) > 1:
            return value
        return [
            {key: None if v is None else convert(v) for (key, convert), v in zip(fields, values, strict=True)}
            for values in zip(*lists, strict=True)
        ]

    return rows


def _is_list(kind: pa.DataType) -> bool:
    from pyarrow import types

    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)
    return any(test(kind) for test in tests)


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a type is bytes, or a list or a picture (bytes with a path) of them."""
    from pyarrow import types

    if _is_list(kind):
        return _holds_bytes(kind.value_type)
    if types.is_struct(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    tests = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
    return any(test(kind) for test in tests)


def _json_type() -> type:
    import pyarrow as pa

    return pa.JsonType


def _parse(text: Any) -> Any:
    """The value of a JSON text; `to_pylist` may have parsed it."""
    try:
        return orjson.loads(text) if isinstance(text, str) else text
    except orjson.JSONDecodeError:
        return text


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _iso(value: Any) -> str:
    return value.isoformat()


def _same(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None
