"""JSON values of the values of arrow tables."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from dataset_builders.own_data.plain.names import SPEAKER, TURNS, plain

if TYPE_CHECKING:
    import pyarrow as pa

Convert = Callable[[Any], Any]


def features_of(schema: pa.Schema) -> dict[str, Any]:
    """The features that `datasets` stores with a table, by column; empty if it has not written it."""
    try:
        features = orjson.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def converter(kind: pa.DataType, name: str, feature: Any = None) -> Convert | None:
    """How to make a JSON value of a value of this type that is not None; None if it is one.

    Times and dates become texts in ISO 8601, decimals numbers, classes of `datasets` their names, bytes and NaN None.
    Turns that are stored as a list for each of their fields, as by `datasets` before version 4, become a list of
    objects.

    Args:
        kind: Type.
        name: Name of the column or the field.
        feature: Feature of `datasets`, if it has one.
    """
    from pyarrow import types

    if isinstance(kind, _json_type()):
        return _parse
    if hasattr(kind, "storage_type"):
        return converter(kind.storage_type, name, feature)
    if types.is_dictionary(kind):
        return converter(kind.value_type, name, feature)
    if _is_list(kind):
        element = converter(kind.value_type, name, _inner(feature))
        return element and functools.partial(_each, element)
    if types.is_struct(kind):
        return _struct_converter(kind, name, feature)
    if types.is_map(kind):
        inner = converter(kind.item_type, name) or _same
        return lambda pairs: {str(key): None if value is None else inner(value) for key, value in pairs}
    if types.is_integer(kind):
        return _class_converter(feature)
    if types.is_floating(kind):
        return lambda value: None if math.isnan(value) else value
    if types.is_decimal(kind):
        return _number
    if types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind):
        return _iso
    if types.is_duration(kind):
        return str
    return _nothing if holds_bytes(kind) else None


def _class_converter(feature: Any) -> Convert | None:
    """How to make a name of the number of a class; -1 means that there is none."""
    names = feature.get("names") if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" else None
    if not isinstance(names, list):
        return None
    return lambda number: names[number] if 0 <= number < len(names) else None if number == -1 else number


def _inner(feature: Any) -> Any:
    """The feature of the elements of a list."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    return feature.get("feature", feature) if isinstance(feature, dict) else None


def _each(convert: Convert, values: list[Any]) -> list[Any]:
    return [None if value is None else convert(value) for value in values]


def _struct_converter(kind: pa.StructType, name: str, feature: Any) -> Convert | None:
    fields = [kind.field(i) for i in range(kind.num_fields)]
    features = _inner(feature) if isinstance(feature, dict) and "_type" in feature else feature
    features = features if isinstance(features, dict) else {}
    are_turns = plain(name) in TURNS or any(plain(field.name) in SPEAKER for field in fields)
    if are_turns and len(fields) > 1 and all(_is_list(field.type) for field in fields):
        return _rows_converter(
            [(f.name, converter(f.type.value_type, f.name, _inner(features.get(f.name))) or _same) for f in fields]
        )
    inner = [(f.name, convert) for f in fields if (convert := converter(f.type, f.name, features.get(f.name)))]
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


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether a type is bytes, or a list or a picture (bytes with a path) of them."""
    from pyarrow import types

    if _is_list(kind):
        return holds_bytes(kind.value_type)
    if types.is_struct(kind):
        return any(holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
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
