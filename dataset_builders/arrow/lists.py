"""Columns of lists."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def empty_lists(count: int, kind: pa.ListType | None = None) -> pa.ListArray:
    """`count` empty lists, of strings by default; several times as fast as from lists of Python."""
    kind = kind or pa.list_(pa.string())
    offsets = pa.array(np.zeros(count + 1, np.int32))
    return pa.ListArray.from_arrays(offsets, pa.nulls(0, kind.value_type), type=kind)
