"""Search by meaning in all texts whose vectors a folder of `dialogue-cube embed` holds; nothing here draws.

The folder has a vector for each distinct text, under the first 16 bytes of the text's SHA-256. The best vectors come
from one pass over the files; the database finds the rows with these texts by the same digest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_builders.common.errors import DataError
from dataset_builders.common.reading import read_json
from dataset_builders.dashboard.filters import Filters
from dataset_builders.dashboard.search import COLUMNS, ORDER, TABLES, Kind

if TYPE_CHECKING:
    from dataset_builders.pairs.encoder import Encoder

RECORD = "vectors.json"

_SHAPE = {
    "format!": int,
    "dimension!": int,
    "teacher!": {"name!": str, "fingerprint!": str},
    "shards!": [{"file!": str, "texts!": int}],
}
_FORMAT = 1
_ADVICE = "write the folder again with `dialogue-cube embed --overwrite`"

_AT_ONCE = 65_536
"""Vectors that are read at once: 50 MB with 384 numbers of 16 bits each."""

_IN_CACHE = 1024
"""Vectors that become float32 at once: 1.5 MB with 384 numbers each."""

MOST = 100
"""Number of hits."""

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

    def best(self, question: np.ndarray, most: int) -> dict[str, float]:
        """The texts with the largest cosine to a question.

        Args:
            question: Vector of the question with norm 1, float32 of shape (dimension,).
            most: Number of texts.

        Returns:
            Cosine by the key of the text, 32 hex digits; largest first, equal ones in the order of their keys.

        Raises:
            DataError: A file is missing or damaged, or the question has another dimension.
        """
        if question.shape != (self.dimension,):
            raise DataError(f"{self.folder}: vectors of {self.dimension} numbers, the question has {question.shape}")
        cosines, keys = np.zeros(0, np.float32), np.zeros((0, 16), np.uint8)
        for shard_cosines, shard_keys in self._cosines(question.astype(np.float32)):
            cosines, keys = np.append(cosines, shard_cosines), np.concatenate([keys, shard_keys])
            cosines, keys = _largest(cosines, keys, most)
        return {bytes(key).hex(): float(cosine) for key, cosine in zip(keys, cosines, strict=True)}

    def _cosines(self, question: np.ndarray) -> Any:
        from safetensors import safe_open

        for name, count in self.shards:
            path = self.folder / name
            try:
                with safe_open(str(path), framework="np") as file:
                    vectors, keys = file.get_slice("vectors"), file.get_slice("keys")
                    if (vectors.get_shape(), keys.get_shape()) != ([count, self.dimension], [count, 16]):
                        raise ValueError(f"vectors {vectors.get_shape()} and keys {keys.get_shape()}")
                    for start in range(0, count, _AT_ONCE):
                        end = min(start + _AT_ONCE, count)
                        yield _cosines(vectors[start:end], question), keys[start:end]
            except DataError:
                raise
            except Exception as error:  # safetensors and the file system raise a dozen types
                raise DataError(f"{path}: missing or damaged ({error}); {_ADVICE}") from error


def _cosines(vectors: np.ndarray, question: np.ndarray) -> np.ndarray:
    """Cosines of n vectors and a question, float32 of shape (n,).

    The vectors become float32 in parts that fit the cache of the processor. PyTorch, which the encoder has loaded, does
    it four times as fast as NumPy.
    """
    torch = sys.modules.get("torch")
    cosines = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _IN_CACHE):
        part = vectors[start : start + _IN_CACHE]
        if torch is None:
            cosines[start : start + _IN_CACHE] = part.astype(np.float32, copy=False) @ question
        else:
            product = torch.from_numpy(part).float() @ torch.from_numpy(question)
            cosines[start : start + _IN_CACHE] = product.numpy()
    return cosines


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
    question = encoder.encode([text])[0]
    has_keys = next(iter(ask(_HAS_KEYS, [TABLES[kind]])[0].values()))
    most = MOST
    while True:
        cosines = vectors.best(question, most)
        keyed = ["text_key IN (SELECT unnest(?::UBIGINT[]))"] if has_keys else []
        where, parameters = filters.where(("source", "split", "language"), *keyed)
        parameters += [[int(key[:16], 16) for key in cosines]] if has_keys else []
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
