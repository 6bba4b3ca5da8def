"""A folder of vectors that `dialogue-cube embed` writes: every run reads it in place of encoding.

VECTORS/vectors.json                          data, teacher, dimension, precision, shards with digests, versions
VECTORS/vectors-00000-of-00016.safetensors    keys uint8 [n, 16], ascending; vectors [n, dimension]

The shards are opened as memory maps, once their digests were compared. The keys are those of the embedding cache; shard
k holds the k-th of equal ranges of keys, so that looking up a text is a binary search in one shard.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.teacher.fingerprint import setting_differences
from cube_model.vectors.keys import KEY_BYTES, key_array, key_heads, range_starts, same_keys
from cube_model.vectors.store import PRECISIONS, gather
from cube_model.vectors.tensors import map_tensors
from dataset_builders.common.integrity import find_damage, sha256
from dataset_builders.common.outputs import OutputKind
from dataset_builders.common.reading import misfit, read_json

if TYPE_CHECKING:
    from cube_model.teacher.teacher import Teacher

RECORD = "vectors.json"
FORMAT = 1

_SHAPE = {
    "texts!": int,
    "dimension!": int,
    "teacher!": {"name!": str, "fingerprint!": str},
    "data!": {"configs!": [str]},
    "shards!": [{"file!": str, "texts!": int, "sha256": str}],
}
_ADVICE = "write the folder again with `dialogue-cube embed --overwrite`"


def is_vector_folder(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder was written by `dialogue-cube embed`."""
    return (Path(folder).expanduser() / RECORD).is_file()


VECTORS = OutputKind(
    "`dialogue-cube embed`",
    "--out",
    is_vector_folder,
    (RECORD, "vectors-*.safetensors"),
    error=ModelError,
    suffix="embedding",
    keeps_work=True,
)
"""Existing folders that new vectors may replace. Finished shards are kept in the working folder."""


def shard_name(number: int, count: int) -> str:
    """Return the file name of a shard."""
    return f"vectors-{number:05d}-of-{count:05d}.safetensors"


def write_shard(path: Path, keys: Sequence[bytes], vectors: np.ndarray, precision: str) -> None:
    """Write a shard.

    Args:
        path: File to write.
        keys: n ascending keys.
        vectors: Their vectors, float32 `[n, dimension]`.
        precision: Stored precision, one of `PRECISIONS`.

    Raises:
        ModelError: A vector is not finite.
    """
    from safetensors.numpy import save_file

    with np.errstate(over="ignore"):  # reported below
        stored = np.ascontiguousarray(vectors, dtype=PRECISIONS[precision])
    if not np.isfinite(stored).all():
        raise ModelError(
            "the teacher gives vectors that are not finite; pass --teacher-dtype float32 and --precision float32"
        )
    save_file({"keys": np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES), "vectors": stored}, path)


@dataclass(frozen=True)
class _Shard:
    keys: np.ndarray
    vectors: np.ndarray


class VectorFolder:
    """Vectors of a dataset's texts by one teacher, read from disk as they are needed.

    Args:
        folder: Folder written by `dialogue-cube embed`.

    Attributes:
        folder: The folder.
        record: Content of `vectors.json`.

    Raises:
        ModelError: The folder is not complete, or was written by another version.

    Example:
        >>> vectors = VectorFolder("vectors")
        >>> len(vectors), vectors.record["teacher"]["name"]
        (1824, 'minilm')
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).expanduser()
        self.record = _read_record(self.folder)
        self._starts = np.array(range_starts(len(self.record["shards"]))[1:-1], dtype=np.uint64)
        self._shards: dict[int, _Shard] = {}
        self._is_in_use = False

    def __len__(self) -> int:
        return int(self.record["texts"])

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the teacher."""
        return str(self.record["teacher"]["fingerprint"])

    def check_teacher(self, teacher: Teacher) -> None:
        """Check that the vectors are those of a teacher.

        Raises:
            ModelError: Another teacher made them, or other settings.
        """
        if teacher.fingerprint == self.fingerprint:
            return
        recorded = self.record["teacher"]
        differences = setting_differences(recorded, teacher.describe())
        raise ModelError(
            f"{self.folder}: these are vectors of {recorded['name']} (fingerprint {self.fingerprint[:12]}), but this "
            f"run uses {teacher.name} (fingerprint {teacher.fingerprint[:12]}){differences}; use that teacher, or "
            "leave out --vectors"
        )

    def check_data(self, count: int, stored: int) -> None:
        """Check, at the first use, that the vectors belong to the data of this run.

        Args:
            count: Number of texts that were looked up.
            stored: Number of them that are in the folder.

        Raises:
            ModelError: None of the texts is in the folder.
        """
        if count and not stored and not self._is_in_use:
            data = self.record["data"]
            raise ModelError(
                f"{self.folder}: holds none of the {count:,} texts of this run: these are {len(self):,} texts of "
                f"{data.get('repo') or data.get('folder')} ({', '.join(data['configs'])}); pass vectors of this data, "
                "or leave out --vectors"
            )
        self._is_in_use = self._is_in_use or bool(stored)

    def read(self, keys: Sequence[bytes], out: np.ndarray) -> np.ndarray:
        """Copy vectors to the rows of an array, straight from the mapped files.

        Args:
            keys: n keys of texts; see `cache_keys`.
            out: Target array, float32 `[n, dimension]`. Rows of missing vectors are left unchanged.

        Returns:
            Whether each vector is in the folder, bool `[n]`.

        Raises:
            ModelError: A shard is missing or damaged.
        """
        stored = np.zeros(len(keys), dtype=bool)
        if not len(keys):
            return stored
        wanted = key_array(keys)
        heads = key_heads(wanted)
        shards = np.searchsorted(self._starts, heads, side="right")
        order = np.argsort(shards, kind="stable")
        numbers, first = np.unique(shards[order], return_index=True)
        for number, targets in zip(numbers.tolist(), np.split(order, first[1:]), strict=True):
            shard = self._shard(number)
            rows = np.searchsorted(key_heads(shard.keys), heads[targets])
            hits = same_keys(shard.keys, rows, wanted[targets]) if len(shard.keys) else np.zeros(len(rows), dtype=bool)
            gather(shard.vectors, rows[hits], out, targets[hits])
            stored[targets[hits]] = True
        return stored

    def _shard(self, number: int) -> _Shard:
        if number not in self._shards:
            entry = self.record["shards"][number]
            path = self.folder / entry["file"]
            if "sha256" in entry and (damage := find_damage(self.folder, {entry["file"]: entry["sha256"]}, sha256)):
                raise ModelError(f"{path}: {damage[1]} since it was written; {_ADVICE}")
            try:
                keys, vectors = map_tensors(path, "keys", "vectors")
                expected = ((entry["texts"], KEY_BYTES), (entry["texts"], self.record["dimension"]))
                if (keys.shape, vectors.shape) != expected:
                    raise ValueError(f"keys {keys.shape} and vectors {vectors.shape}")
            except Exception as error:  # safetensors and the file system raise a dozen types
                raise ModelError(f"{path}: missing or damaged ({error}); {_ADVICE}") from error
            self._shards[number] = _Shard(keys.view("<u8"), vectors)
        return self._shards[number]


def _read_record(folder: Path) -> dict[str, Any]:
    if not (folder / RECORD).exists():
        raise ModelError(f"{folder}: no vectors; write them with `dialogue-cube embed --out {folder}`")
    record: dict[str, Any] = read_json(folder / RECORD, _ADVICE, {"format!": int}, error=ModelError)
    if record["format"] != FORMAT:
        raise ModelError(f"{folder}: vectors of format {record['format']}, but this version reads {FORMAT}; {_ADVICE}")
    if wrong := misfit(record, _SHAPE) or (None if record["shards"] else "no shards"):
        raise ModelError(f"{folder / RECORD}: damaged ({wrong}); {_ADVICE}")
    return record
