"""Files of vectors: .npy, .npz, .safetensors and .parquet, read as named columns."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError

_SIDES = {
    "question": ("question", "anchor", "prompt", "query"),
    "answer": ("answer", "positive", "response", "reply"),
    "dialogue": ("dialogue_id", "conversation_id", "dialogue"),
    "vector": ("vector", "embedding", "embeddings", "emb"),
}
"""Names of columns; those of vectors may have one of `_ENDINGS`."""

_TEXT_OF_VECTORS = ("text", "utterance", "sentence")

_ENDINGS = ("_embedding", "_embeddings", "_emb", "_vector", "_vectors", "s", "")


@dataclass(frozen=True)
class Columns:
    """What a file or an array holds.

    Attributes:
        name: For messages.
        arrays: Vectors by name, `[n, d]` or `[n, turns, d]`.
        strings: Texts or ids by name, n each.
        single: The only array where it has no name.
    """

    name: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    strings: dict[str, list[Any]] = field(default_factory=dict)
    single: np.ndarray | None = None

    @classmethod
    def of_array(cls, name: str, array: np.ndarray) -> Columns:
        """An array without a name."""
        if array.ndim not in (2, 3) or array.dtype.kind != "f":
            raise ModelError(f"{name}: {array.dtype} {list(array.shape)}: expected floats [n, d] or [n, turns, d]")
        return cls(name, single=array)

    def vectors(self, side: str, column: str | None = None) -> np.ndarray:
        """The vectors of a side: `"question"`, `"answer"` or `"vector"`.

        Raises:
            ModelError: There are none, or several that could be meant.
        """
        if self.single is not None:
            return self.single
        known = [name + ending for ending in _ENDINGS for name in _SIDES[side]]
        wanted = [column] if column else known
        found = next((self.arrays[name] for name in wanted if name in self.arrays), None)
        if found is None and not column and len(self.arrays) == 1 and side == "vector":
            found = next(iter(self.arrays.values()))
        if found is None:
            there = ", ".join(f"{name} {list(array.shape)}" for name, array in self.arrays.items()) or "none"
            missing = column or (side if side == "vector" else f"{side}_embedding")
            raise ModelError(f"{self.name}: no vectors called {missing!r}; there are {there}; name the right ones")
        return found

    def texts(self, side: str) -> list[Any] | None:
        """The texts of a side, or the ids of the dialogues; None where there are none."""
        names = _TEXT_OF_VECTORS if side == "vector" else _SIDES[side]
        return next((self.strings[name] for name in names if name in self.strings), None)


def read_embeddings(path: Path) -> Columns:
    """Read a file of vectors. Code hidden in a file is never run (no pickles).

    Raises:
        ModelError: There is no such file, it is damaged, of another kind, or holds no vectors.
    """
    from pyarrow import ArrowException
    from safetensors import SafetensorError

    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ModelError(f"{path}: expected a file of vectors, {', '.join(_READERS)}")
    try:
        columns = reader(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, ArrowException, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path}: cannot be read as vectors ({reason})") from error
    if columns.single is None and not columns.arrays:
        raise ModelError(f"{path}: holds no vectors, only {', '.join(columns.strings) or 'nothing'}")
    return columns


def _npy(path: Path) -> Columns:
    return Columns.of_array(str(path), np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: Path) -> Columns:
    with np.load(path, allow_pickle=False) as archive:
        return _sorted_by_kind(path, {name: archive[name] for name in archive.files})


def _safetensors(path: Path) -> Columns:
    from safetensors.torch import load_file

    # bfloat16, which numpy does not have, becomes float32
    tensors = load_file(path).items()
    return _sorted_by_kind(path, {name: (t.float() if t.is_floating_point() else t).numpy() for name, t in tensors})


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
    """Lists of one length as `[n, d]`."""
    import pyarrow.compute as pc

    values = column.flatten()
    gaps = column.null_count or values.null_count
    if gaps or len(pc.unique(pc.list_value_length(column))) > 1:
        raise ModelError(f"{name}: expected vectors of one length without gaps")
    return values.to_numpy(zero_copy_only=False).reshape(len(column), -1).astype(np.float32, copy=False)


def _sorted_by_kind(path: Path, arrays: dict[str, np.ndarray]) -> Columns:
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
