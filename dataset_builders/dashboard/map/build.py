"""Compute a map, and write it into the tables `map_points`, `map_clusters` and `maps` of a database."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import Output
from dataset_builders.dashboard.map.config import LEAST, MapConfig
from dataset_builders.dashboard.map.layout import lay_out
from dataset_builders.dashboard.map.points import Points, draw_points
from dataset_builders.dashboard.map.regions import SMOOTHING, Region, regions
from dataset_builders.database import open_database
from dataset_builders.database.build import DATABASE

if TYPE_CHECKING:
    from collections.abc import Callable

TABLES = """
CREATE TABLE IF NOT EXISTS maps (kind VARCHAR PRIMARY KEY, facts JSON NOT NULL);
COMMENT ON TABLE maps IS 'Maps of `dialogue-cube map`. facts: encoder, seed, number of points and of '
    'the rows that they are drawn from';
CREATE TABLE IF NOT EXISTS map_points (
    kind VARCHAR, point INTEGER, config VARCHAR, row_id VARCHAR, turn_index INTEGER, rows INTEGER,
    x FLOAT, y FLOAT, cluster INTEGER
);
COMMENT ON TABLE map_points IS 'Points of the maps. row_id: dialogue_id or utterance_id, by config: the first row with '
    'this text; rows: number of rows of the source with it; x, y: place from 0 to 1; cluster: on level 0, -1 for none';
CREATE TABLE IF NOT EXISTS map_clusters (
    kind VARCHAR, level INTEGER, cluster INTEGER, x FLOAT, y FLOAT, points INTEGER, words VARCHAR[]
);
COMMENT ON TABLE map_clusters IS 'Clusters of the maps, large ones on level 0, small ones on level 1. words: those '
    'that tell it apart';
"""
"""The tables. They are no part of `contents`, so an update of the database leaves them as they are."""

_RUN = "SELECT dataset_fingerprint FROM runs ORDER BY run DESC LIMIT 1"


def build_map(config: MapConfig, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """Make the map of a database.

    Args:
        config: Options.
        progress: Called before each step with its name, the number done and the number of steps.

    Returns:
        Facts of the map, as in the table `maps`.

    Raises:
        DataError: The database does not exist, fewer than `LEAST` rows have vectors, or these cannot be read.
    """
    step = progress or (lambda *_: None)
    with open_database(config.database) as connection:
        step("vectors", 0, 4)
        points = draw_points(connection, config)
        (fingerprint,) = connection.execute(_RUN).fetchone() or (None,)
    if len(points.table) < LEAST:
        raise DataError(
            f"{config.database}: {len(points.table)} {config.kind} have vectors, a map needs {LEAST}; write those of "
            "all texts: dialogue-cube embed --config dialogues,downstream"
        )
    step("layout", 1, 4)
    places = lay_out(points.vectors, config.fitted, config.seed)
    step("clusters", 2, 4)
    texts = points.table["text"].to_pylist()
    levels = [regions(places, texts, smoothing) for smoothing in SMOOTHING]
    facts = {
        "encoder": points.encoder,
        "encoder_fingerprint": points.fingerprint,
        "dataset_fingerprint": fingerprint,
        "points": len(points.table),
        "rows": points.rows,
        "without_vector": points.without,
        "fitted": min(config.fitted, len(points.table)),
        "width": float(places[:, 0].max()),
        "height": float(places[:, 1].max()),
        "clusters": len(levels[0][1]),
        "seed": config.seed,
        "versions": {name: version(name) for name in ("dialogue-cube", "openTSNE", "scikit-learn", "numpy")},
    }
    step("tables", 3, 4)
    _write(config, points, places, levels, facts)
    return facts


def _write(
    config: MapConfig, points: Points, places: np.ndarray, levels: list[tuple[np.ndarray, list[Region]]], facts: Any
) -> None:
    import duckdb
    import pyarrow as pa

    table = points.table.select(["config", "row_id", "turn_index", "rows"])
    columns = {
        "x": places[:, 0],
        "y": places[:, 1],
        "cluster": levels[0][0].astype(np.int32),
        "point": np.arange(len(places), dtype=np.int32),
    }
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values))
    with Output(config.database, DATABASE).claimed(wait=True) as output:
        shutil.copyfile(output.place, output.new)
        with duckdb.connect(str(output.new)) as connection:
            connection.execute(TABLES)
            for name in ("maps", "map_points", "map_clusters"):
                connection.execute(f"DELETE FROM {name} WHERE kind = ?", [config.kind])
            connection.execute("INSERT INTO maps VALUES (?, ?)", [config.kind, json.dumps(facts)])
            connection.register("laid_out", table)
            connection.execute(
                "INSERT INTO map_points BY NAME SELECT ? AS kind, * FROM laid_out ORDER BY point", [config.kind]
            )
            connection.executemany(
                "INSERT INTO map_clusters VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    [config.kind, level, region.cluster, region.x, region.y, region.points, list(region.words)]
                    for level, (_, level_regions) in enumerate(levels)
                    for region in level_regions
                ],
            )
        output.put()
