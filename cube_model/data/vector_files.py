"""Reader of embedding files, .npy, .npz, .safetensors and .parquet, as named columns."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError

_NAMES = {
    "question": ("question", "anchor", "prompt", "query"),
    "answer": ("answer", "positive", "response", "reply"),
    "dialogue": ("dialogue_id", "conversation_id", "dialogue"),
    "vector": ("vector", "embedding", "embeddings", "emb"),
}
"""Accepted column names by role; those of embeddings may end in one of `_ENDINGS`."""

_TEXT_NAMES = ("text", "utterance", "sentence")

_ENDINGS = ("_embedding", "_embeddings", "_emb", "_vector", "_vectors", "s", "")


@dataclass(frozen=True)
class Columns:
    """The columns of a file, or one array without a name.

    Attributes:
        name: Name of the file or array, for error messages.
        arrays: Embeddings by column name, `[n, dimension]` or `[n, turns, dimension]`.
        strings: Texts or ids by column name, n each.
        single: The only array, if it has no name.
    """

    name: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    strings: dict[str, list[Any]] = field(default_factory=dict)
    single: np.ndarray | None = None

    @classmethod
    def of_array(cls, name: str, array: np.ndarray) -> Columns:
        """Wrap an array without a name.

        Raises:
            ModelError: It is not a float array of two or three axes.
        """
        if array.ndim not in (2, 3) or array.dtype.kind != "f":
            raise ModelError(f"{name}: {array.dtype} {list(array.shape)}: expected floats [n, d] or [n, turns, d]")
        return cls(name, single=array)

    def vectors(self, role: str, column: str | None = None) -> np.ndarray:
        """Find the embeddings of a role.

        Args:
            role: `"question"`, `"answer"` or `"vector"`.
            column: Name of the column. Default: the first of the accepted names.

        Raises:
            ModelError: There is no such column.
        """
        if self.single is not None:
            return self.single
        names = [column] if column else [name + ending for ending in _ENDINGS for name in _NAMES[role]]
        for name in names:
            if name in self.arrays:
                return self.arrays[name]
        if role == "vector" and not column and len(self.arrays) == 1:
            return next(iter(self.arrays.values()))
        columns = ", ".join(f"{name} {list(array.shape)}" for name, array in self.arrays.items()) or "none"
        missing = column or (role if role == "vector" else f"{role}_embedding")
        raise ModelError(
            f"{self.name}: no embeddings named {missing!r}; pass the name of one of its columns: {columns}"
        )

    def texts(self, role: str) -> list[Any] | None:
        """Find the texts of a role, or the ids for `"dialogue"`; None if there are none."""
        names = _TEXT_NAMES if role == "vector" else _NAMES[role]
        return next((self.strings[name] for name in names if name in self.strings), None)


def read_embeddings(path: Path) -> Columns:
    """Read a file of embeddings. Pickles are rejected, so no code in a file is run.

    Raises:
        ModelError: The file does not exist, is damaged, has another format, or holds no embeddings.
    """
    from pyarrow import ArrowException
    from safetensors import SafetensorError

    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(f"{path}: expected a file of embeddings, {', '.join(_READERS)}")
    try:
        columns = reader(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, ArrowException, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path}: cannot be read as embeddings ({reason})") from error
    if columns.single is None and not columns.arrays:
        raise ModelError(f"{path}: holds no embeddings, only {', '.join(columns.strings) or 'nothing'}")
    return columns


def _npy(path: Path) -> Columns:
    return Columns.of_array(str(path), np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: Path) -> Columns:
    with np.load(path, allow_pickle=False) as archive:
        return _columns_by_type(path, {name: archive[name] for name in archive.files})


def _safetensors(path: Path) -> Columns:
    from safetensors.torch import load_file

    # numpy has no bfloat16: convert floats to float32
    tensors = load_file(path).items()
    return _columns_by_type(path, {name: (t.float() if t.is_floating_point() else t).numpy() for name, t in tensors})


def _parquet(path: Path) -> Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = Columns(str(path))
    table = pq.read_table(path)
    for name in table.column_names:
        column = table[name].combine_chunks()
        kind = column.type
        if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            if pa.types.is_floating(kind.value_type):
                columns.arrays[name] = _matrix(f"{path}: column {name}", column)
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
            columns.strings[name] = column.to_pylist()
    return columns


def _matrix(name: str, column: Any) -> np.ndarray:
    """Lists of equal length as an array `[n, dimension]`."""
    import pyarrow.compute as pc

    values = column.flatten()
    gaps = column.null_count or values.null_count
    if gaps or len(pc.unique(pc.list_value_length(column))) > 1:
        raise ModelError(f"{name}: expected embeddings of equal dimension without gaps")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1).astype(np.float32, copy=False)


def _columns_by_type(path: Path, arrays: dict[str, np.ndarray]) -> Columns:
    columns = Columns(str(path))
    for name, array in arrays.items():
        if array.dtype.kind == "f" and array.ndim in (2, 3):
            columns.arrays[name] = array
        elif array.dtype.kind in "Uiu" and array.ndim == 1:
            columns.strings[name] = array.tolist()
    return columns


_READERS: dict[str, Callable[[Path], Columns]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}

SUFFIXES = tuple(_READERS)
