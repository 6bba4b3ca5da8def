"""Digests of what a campaign of kills compares: equal contents have equal ones in every run."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256(file: Path) -> str:
    """Digest of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def entries_digest(folder: Path) -> str:
    """Digest of the entries of an assistant, with their vectors."""
    import numpy as np

    from cube_model.assistant.store import AnswerStore
    from cube_model.errors import ModelError

    try:
        view = AnswerStore(folder).view()
    except ModelError:
        return "damaged"
    rows = np.flatnonzero(view.alive)
    parts = (view.table.take(rows).to_pylist(), view.vectors(rows).tobytes(), view.answer_vectors(rows).tobytes())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def calibration_digest(folder: Path) -> str:
    """Content of the calibration of an assistant, whose card must be a whole one, of it or of the one before."""
    from cube_model.assistant.folder import read_calibration
    from cube_model.assistant.store import calibrated_of, read_manifest
    from cube_model.errors import ModelError
    from dataset_builders.common.seals import is_sealed

    try:
        calibration = read_calibration(folder, calibrated_of(read_manifest(folder)))
    except ModelError:
        return "damaged"
    return repr(calibration.as_json()) if is_sealed((folder / "README.md").read_text()) else "damaged"


def database_digest(file: Path) -> str:
    """Digest of the pairs in a database, and of a map: DuckDB's files differ in every run."""
    import duckdb

    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            there = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
            tables = [name for name in ("pairs", "map_points") if name in there]
            return repr(
                [connection.execute(f"SELECT count(*), sum(hash(t)) FROM {name} AS t").fetchone() for name in tables]
            )
    except duckdb.Error:
        return "damaged"
