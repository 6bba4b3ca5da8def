"""The points of a map: which rows they are, and their vectors.

An utterance is a distinct text of a source; a dialogue has the mean of the vectors of its turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dataset_builders.common.errors import DataError
from dataset_builders.dashboard.search.by_meaning import _ADVICE as ADVICE
from dataset_builders.dashboard.search.by_meaning import Vectors
from dataset_builders.pairs.encoder import load_encoder

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from dataset_builders.dashboard.map.config import MapConfig
    from dataset_builders.pairs.encoder import Encoder

_UTTERANCES = """
SELECT
    source, text, left(sha256(text), 32) AS key, min(place) AS first, count(*)::INTEGER AS rows
FROM (
    SELECT source, text, {'config': 'dialogues', 'row_id': dialogue_id, 'turn_index': turn_index} AS place FROM turns
    UNION ALL
    SELECT source, utterance, {'config': 'downstream', 'row_id': utterance_id, 'turn_index': NULL} FROM downstream
)
GROUP BY source, text
"""

_DIALOGUES = """
SELECT
    source, dialog_text AS text, dialogue_id AS key, 1 AS rows,
    {'config': 'dialogues', 'row_id': dialogue_id, 'turn_index': NULL::INTEGER} AS first
FROM dialogs
"""

_DRAWN = """
SELECT first.config AS config, first.row_id AS row_id, first.turn_index AS turn_index, rows, key, text,
    row_number() OVER (ORDER BY md5(concat(key, source, $1)), source) - 1 AS place
FROM ({rows}) ORDER BY place
"""
"""All rows in the order of a random draw, which depends on the seed and on nothing but the rows."""

_TEXTS = {
    "utterances": "SELECT place, key, text FROM drawn",
    "dialogues": """
        SELECT place, left(sha256(turns.text), 32) AS key, turns.text AS text
        FROM drawn JOIN turns ON dialogue_id = row_id""",
}
"""The texts whose vectors make up those of the points, by the place of the point."""

_AT_ONCE = 4_096
"""Texts that are encoded at once."""


@dataclass(frozen=True)
class Points:
    """The points of a map.

    Attributes:
        table: Columns `config`, `row_id`, `turn_index`, `rows` (number of rows with this text) and `text`.
        vectors: Their vectors, float32 of shape (n, d).
        rows: Number of rows that could have been drawn.
        without: Number of rows that have no vector.
        encoder: Name of the encoder.
        fingerprint: Its fingerprint.
    """

    table: pa.Table
    vectors: np.ndarray
    rows: int
    without: int
    encoder: str
    fingerprint: str


def draw_points(connection: DuckDBPyConnection, config: MapConfig) -> Points:
    """Draw rows of a database that have vectors.

    Args:
        connection: The database.
        config: Options of the map.

    Raises:
        DataError: The vectors or the encoder cannot be read.
    """
    connection = connection.cursor()  # others may not have read all rows of their last query
    rows = _UTTERANCES if config.kind == "utterances" else _DIALOGUES
    drawn = connection.sql(_DRAWN.format(rows=rows), params=[str(config.seed)]).to_arrow_table()
    folder = config.vectors or next(filter(Path.is_dir, [config.database.parent / "vectors"]), None)
    stored = None if folder is None else Vectors.open(folder)
    encoder = load_encoder(config.encoder) if stored is None else None
    whole = len(drawn)
    if stored is None:
        drawn = drawn.slice(0, config.max_points)
    members = _Members.of(connection, drawn, config)
    has_vector = np.ones(len(members.keys), bool)
    if stored is not None:
        has_vector[:] = False
        for texts, _ in _read(stored, members.keys, with_vectors=False):
            has_vector[texts] = True
    covered = np.bincount(members.point, has_vector[members.text], len(drawn)) > 0
    kept = np.flatnonzero(covered)[: config.max_points]
    parts = _encode(encoder, members.texts) if encoder is not None else _read(stored, members.keys)  # type: ignore[arg-type]
    vectors = members.means(parts, kept)
    source = stored or encoder
    assert source is not None
    name = stored.teacher if stored is not None else encoder.name  # type: ignore[union-attr]
    return Points(drawn.take(kept), vectors, whole, len(drawn) - int(covered.sum()), name, source.fingerprint)


@dataclass(frozen=True)
class _Members:
    """The texts of points: m distinct texts, and their n occurrences in points.

    Attributes:
        keys: Keys of the texts, ascending, as bytes of shape (m,) and type S16.
        texts: The texts, in the same order.
        text: Index of the text of each occurrence, of shape (n,).
        point: Index of the point of each occurrence, of shape (n,).
    """

    keys: np.ndarray
    texts: list[str]
    text: np.ndarray
    point: np.ndarray

    @classmethod
    def of(cls, connection: DuckDBPyConnection, drawn: pa.Table, config: MapConfig) -> _Members:
        connection.register("drawn", drawn)
        rows = connection.sql(_TEXTS[config.kind]).to_arrow_table()
        connection.unregister("drawn")
        packed = np.frombuffer(bytes.fromhex("".join(rows["key"].to_pylist())), "S16")
        keys, first, text = np.unique(packed, return_index=True, return_inverse=True)
        return cls(keys, rows["text"].take(first).to_pylist(), text, rows["place"].to_numpy())

    def means(self, parts: Iterator[tuple[np.ndarray, np.ndarray]], kept: np.ndarray) -> np.ndarray:
        """The mean of the vectors of the texts of each point.

        Args:
            parts: Indices of texts, and their vectors.
            kept: Indices of points.

        Returns:
            float32 of shape (number of kept points, d), with norm 1.
        """
        place = np.full(int(self.point.max(initial=-1)) + 1, -1)
        place[kept] = np.arange(len(kept))
        order = np.argsort(self.text, kind="stable")
        starts = np.searchsorted(self.text[order], np.arange(len(self.keys) + 1))
        sums: np.ndarray | None = None
        for texts, vectors in parts:
            if sums is None:
                sums = np.zeros((len(kept), vectors.shape[1]), np.float32)
            counts = starts[texts + 1] - starts[texts]
            # the occurrences of these texts, one after the other
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            points = place[self.point[order[np.repeat(starts[texts], counts) + within]]]
            rows = np.repeat(np.arange(len(texts)), counts)
            np.add.at(sums, points[points >= 0], vectors[rows[points >= 0]])
        if sums is None:
            return np.zeros((0, 1), np.float32)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        return sums / np.where(norms > 0, norms, 1)


def _encode(encoder: Encoder, texts: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        yield np.arange(start, start + len(part)), encoder.encode(part, progress=len(texts) > _AT_ONCE)


def _read(stored: Vectors, keys: np.ndarray, *, with_vectors: bool = True) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The stored vectors of some keys, shard by shard: indices of the keys, and the vectors."""
    from safetensors import safe_open

    for name, count in stored.shards:
        path = stored.folder / name
        try:
            with safe_open(str(path), framework="np") as file:
                packed = np.ascontiguousarray(file.get_tensor("keys")).view("S16").ravel()
                if packed.shape != (count,):
                    raise ValueError(f"{len(packed)} keys instead of {count}")
                places = np.minimum(np.searchsorted(keys, packed), max(len(keys) - 1, 0))
                matches = np.flatnonzero(keys[places] == packed) if len(keys) else np.zeros(0, int)
                vectors = file.get_tensor("vectors")[matches].astype(np.float32) if with_vectors else np.zeros((0, 0))
                yield places[matches], vectors
        except DataError:
            raise
        except Exception as error:  # safetensors and the file system raise a dozen types
            raise DataError(f"{path}: missing or damaged ({error}); {ADVICE}") from error
