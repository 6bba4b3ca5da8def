"""The dataset folder as one DuckDB file: tables, keys, aggregates, metrics; as SQLite for those who need it."""

from dataset_builders.database.build import DatabaseBuild, build_database
from dataset_builders.database.opening import is_current, open_database

__all__ = ["DatabaseBuild", "build_database", "is_current", "open_database"]
