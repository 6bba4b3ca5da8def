"""Search by meaning in all texts whose vectors a folder of `dialogue-cube embed` holds; nothing here draws.

The folder has a vector for each distinct text, under the first 16 bytes of the text's SHA-256. One pass over the files
compares a question with all of them; the database finds the rows with the best texts by the same digest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_builders.common.errors import DataError
from dataset_builders.common.integrity import find_damage, sha256
from dataset_builders.common.reading import read_json
from dataset_builders.dashboard.filters import Filters
from dataset_builders.dashboard.search.full_text import COLUMNS, ORDER, TABLES, Kind

if TYPE_CHECKING:
    from dataset_builders.pairs.encoder import Encoder

RECORD = "vectors.json"

_SHAPE = {
    "format!": int,
    "dimension!": int,
    "teacher!": {"name!": str, "fingerprint!": str},
    "shards!": [{"file!": str, "texts!": int, "sha256": str}],
}
_FORMAT = 1
_ADVICE = "write the folder again with `dialogue-cube embed --overwrite`"

_ROUGH = 2e-3
"""Largest error of a cosine that is computed with numbers of 16 bits."""

_IN_CACHE = 1024
"""Vectors that become float32 at once: 1.5 MB with 384 numbers each."""

MOST = 100
"""Number of hits."""

_KEY = 15
"""Hex digits of a key that `text_key` in the database has."""

_HAS_KEYS = "SELECT count(*) > 0 AS has FROM duckdb_columns() WHERE table_name = ? AND column_name = 'text_key'"
"""Whether a table has the beginnings of its keys; one of an older version has not, and all its texts are hashed."""

_TEXT: dict[Kind, str] = {"dialogues": "text", "pairs": "anchor", "downstream": "utterance"}


@dataclass(frozen=True)
class Vectors:
    """A folder of vectors.

    Attributes:
        folder: The folder.
        teacher: Name of the encoder that made them.
        fingerprint: Its fingerprint.
        dimension: Dimension of the vectors.
        shards: File and number of texts of each shard.
    """

    folder: Path
    teacher: str
    fingerprint: str
    dimension: int
    shards: tuple[tuple[str, int], ...]

    @classmethod
    def open(cls, folder: str | Path) -> Vectors:
        """Open a folder of `dialogue-cube embed`.

        Raises:
            DataError: It is no such folder, or one of another version.
        """
        folder = Path(folder)
        record: dict[str, Any] = read_json(folder / RECORD, "name a folder of `dialogue-cube embed`", _SHAPE)
        if record["format"] != _FORMAT:
            raise DataError(f"{folder}: vectors of format {record['format']}, expected {_FORMAT}; {_ADVICE}")
        shards = tuple((shard["file"], shard["texts"]) for shard in record["shards"])
        if inside := [file for file, _ in shards if Path(file).name != file]:
            raise DataError(f"{folder / RECORD}: damaged (the file {inside[0]!r} is outside the folder); {_ADVICE}")
        teacher = record["teacher"]
        return cls(folder, teacher["name"], teacher["fingerprint"], record["dimension"], shards)

    def __len__(self) -> int:
        return sum(count for _, count in self.shards)

    @staticmethod
    def check(folder: Path) -> None:
        """Compare the digests of the files, which reads all of them.

        Raises:
            DataError: The folder cannot be opened, or a file is not as `dialogue-cube embed` wrote it.
        """
        Vectors.open(folder)
        shards = read_json(folder / RECORD, _ADVICE)["shards"]
        digests = {shard["file"]: shard["sha256"] for shard in shards if "sha256" in shard}
        if damage := find_damage(folder, digests, sha256):
            raise DataError(f"{folder / damage[0]}: {damage[1]} since it was written; {_ADVICE}")

    def best(self, question: np.ndarray, most: int) -> dict[str, float]:
        """The texts with the largest cosine to a question; see `Compared.best`."""
        return self.compare(question).best(most)

    def compare(self, question: np.ndarray) -> Compared:
        """Compare a question with all vectors.

        Args:
            question: Vector of the question with norm 1, float32 of shape (dimension,).

        Raises:
            DataError: The question has another dimension, or a file is missing or damaged.
        """
        if question.shape != (self.dimension,):
            raise DataError(f"{self.folder}: vectors of {self.dimension} numbers, the question has {question.shape}")
        question = question.astype(np.float32)
        return Compared(self, question, [_rough(vectors, question) for vectors, _ in self.tensors()])

    def tensors(self) -> Iterator[tuple[Any, Any]]:
        """Vectors and keys of each shard: PyTorch's tensors on the file if an encoder has loaded it, or arrays.

        Raises:
            DataError: A file is missing or damaged.
        """
        from safetensors import safe_open

        for name, count in self.shards:
            path = self.folder / name
            try:
                with safe_open(str(path), framework="pt" if "torch" in sys.modules else "np") as file:
                    vectors, keys = file.get_tensor("vectors"), file.get_tensor("keys")
                if (tuple(vectors.shape), tuple(keys.shape)) != ((count, self.dimension), (count, 16)):
                    raise ValueError(f"vectors {tuple(vectors.shape)} and keys {tuple(keys.shape)}")
            except Exception as error:  # safetensors and the file system raise a dozen types
                raise DataError(f"{path}: missing or damaged ({error}); {_ADVICE}") from error
            yield vectors, keys


@dataclass(frozen=True)
class Compared:
    """A question that was compared with all vectors.

    Attributes:
        vectors: The vectors.
        question: Vector of the question, float32 of shape (dimension,).
        rough: For each shard the cosines, float32 of shape (texts,), at most `_ROUGH` from the true ones.
    """

    vectors: Vectors
    question: np.ndarray
    rough: list[np.ndarray]

    def best(self, most: int) -> dict[str, float]:
        """The texts with the largest cosine.

        Args:
            most: Number of texts.

        Returns:
            Cosine by the key of the text, 32 hex digits; largest first, equal ones in the order of their keys.
        """
        every = np.concatenate(self.rough)
        limit = np.partition(every, -most)[-most] - 2 * _ROUGH if len(every) > most else -np.inf
        cosines, keys = np.zeros(0, np.float32), np.zeros((0, 16), np.uint8)
        for rough, (vectors, of_shard) in zip(self.rough, self.vectors.tensors(), strict=True):
            rows = np.flatnonzero(rough >= limit)
            exact = np.asarray(vectors[rows]).astype(np.float32, copy=False) @ self.question
            cosines, keys = np.append(cosines, exact), np.concatenate([keys, np.asarray(of_shard[rows])])
        cosines, keys = _largest(cosines, keys, most)
        return {bytes(key).hex(): float(cosine) for key, cosine in zip(keys, cosines, strict=True)}


def _rough(vectors: Any, question: np.ndarray) -> np.ndarray:
    """Cosines of n vectors of 16 bits and a question, rounded to 16 bits; float32 of shape (n,).

    PyTorch multiplies numbers of 16 bits as they are, in a third of the time that they take to become float32.
    """
    if isinstance(vectors, np.ndarray):
        parts = range(0, len(vectors), _IN_CACHE)
        each = [vectors[start : start + _IN_CACHE].astype(np.float32, copy=False) @ question for start in parts]
        return np.concatenate(each) if each else np.zeros(0, np.float32)
    torch = sys.modules["torch"]
    return np.asarray((vectors @ torch.from_numpy(question).to(vectors.dtype)).float())


def _largest(cosines: np.ndarray, keys: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The `most` largest, largest first; equal ones in the order of their keys."""
    if len(cosines) > most:
        limit = np.partition(cosines, -most)[-most]
        kept = np.flatnonzero(cosines >= limit)
        cosines, keys = cosines[kept], keys[kept]
    order = np.lexsort([*keys.T[::-1], -cosines])[:most]
    return cosines[order], keys[order]


def similar(
    vectors: Vectors,
    encoder: Encoder,
    text: str,
    kind: Kind,
    filters: Filters,
    ask: Callable[[str, list[Any]], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """The rows whose text is most similar to a text, over all rows that match the filters.

    Args:
        vectors: Vectors of the corpus.
        encoder: The encoder that made them.
        text: The text.
        kind: `"dialogues"` for turns, `"pairs"` for pairs by their anchors, `"downstream"` for labelled utterances.
        filters: Filters of the page.
        ask: Runs a query with parameters and returns its rows.

    Returns:
        At most `MOST` rows, most similar first: of rows with equal texts the first one, with `score` (the cosine) and
        `times` (the number of these rows).

    Raises:
        DataError: Another encoder made the vectors, or a file is damaged.
    """
    if encoder.fingerprint != vectors.fingerprint:
        raise DataError(
            f"{vectors.folder}: these are vectors of {vectors.teacher}, not of this version of {encoder.name}; pass "
            f"--teacher {vectors.teacher}, or vectors of {encoder.name}"
        )
    compared = vectors.compare(encoder.encode([text])[0])
    has_keys = next(iter(ask(_HAS_KEYS, [TABLES[kind]])[0].values()))
    most = 10 * MOST  # a text is of another kind of rows, or of many
    while True:
        cosines = compared.best(most)
        keyed = ["text_key IN (SELECT unnest(?::BIGINT[]))"] if has_keys else []
        where, parameters = filters.where(("source", "split", "language"), *keyed)
        parameters += [[int(key[:_KEY], 16) for key in cosines]] if has_keys else []
        sql = (
            "WITH best AS (SELECT unnest(?::VARCHAR[]) AS key, unnest(?::FLOAT[]) AS score), "
            f"keyed AS (SELECT {COLUMNS[kind]}, left(sha256({_TEXT[kind]}), 32) AS key FROM {TABLES[kind]} {where}) "
            f"SELECT keyed.* EXCLUDE (key), score, count(*) OVER (PARTITION BY key) AS times "
            f"FROM keyed JOIN best USING (key) "
            f"QUALIFY row_number() OVER (PARTITION BY key ORDER BY {ORDER[kind]}) = 1 "
            f"ORDER BY score DESC, {ORDER[kind]} LIMIT {MOST}"
        )
        rows = ask(sql, [list(cosines), list(cosines.values()), *parameters])
        if len(rows) >= MOST or len(cosines) < most:
            return rows
        most *= 20  # the filters leave few of the best texts
