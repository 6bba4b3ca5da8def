"""The SQLite export, compared with its database."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.database import build_database, export_sqlite, open_any, open_database
from support.quality_folder import with_quality


@pytest.fixture(scope="module")
def folder(sample_dataset, tmp_path_factory):
    return with_quality(sample_dataset, tmp_path_factory.mktemp("data") / "folder")


@pytest.fixture(scope="module")
def database(folder, tmp_path_factory):
    return build_database(folder, tmp_path_factory.mktemp("database") / "data.duckdb").path


@pytest.fixture(scope="module")
def exported(database, tmp_path_factory):
    out = tmp_path_factory.mktemp("sqlite") / "it's.sqlite"
    steps = []
    with open_database(database) as connection:
        rows = export_sqlite(connection, out, lambda *step: steps.append(step))
    assert [name for name, *_ in steps] == list(rows)
    return out


@pytest.fixture
def lite(exported):
    with closing(sqlite3.connect(exported)) as connection:
        yield connection


def test_every_table_and_row(lite, database):
    with open_database(database) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM contents WHERE kind NOT IN ('metrics', 'details')"
            ).fetchall()
        ]
        counts = {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables}
    exported = [
        name
        for (name,) in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    assert sorted(exported) == sorted(tables)
    assert {name: lite.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables} == counts
    assert lite.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert lite.execute("PRAGMA foreign_key_check").fetchall() == []


def test_values(lite, database):
    some = "WHERE source IN ('woz', 'banking77')"
    with open_database(database) as connection:
        for name, key, lists in (
            ("dialogs", "dialogue_id", ["domains", "common_domains", "intents", "flags"]),
            ("turns", "dialogue_id, turn_index", ["annotations"]),
            ("pairs", "pair_id", ["domains", "negatives", "flags", "quality"]),
            ("downstream", "utterance_id", ["labels", "flags"]),
            ("drops", "drop_id", []),
            ("sources", "source", ["differs_from_official"]),
        ):
            cursor = connection.execute(f"FROM {name} {some} ORDER BY {key}")
            columns = [column[0] for column in cursor.description]
            expected = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
            cursor = lite.execute(f"SELECT {', '.join(columns)} FROM {name} {some} ORDER BY {key}")
            actual = [dict(zip(columns, row, strict=True)) for row in cursor]
            for row in actual:
                row.update({column: json.loads(row[column]) for column in lists if row[column] is not None})
            for row in (*actual, *expected):  # DuckDB's FLOAT has seven digits
                if quality := row.get("quality"):
                    row["quality"] = {part: value and round(value, 5) for part, value in quality.items()}
            assert len(actual) == len(expected)
            assert all(one == other for one, other in zip(actual, expected, strict=True)), name


def test_keys_and_indexes(lite):
    def plan(query):
        return " ".join(row[-1] for row in lite.execute(f"EXPLAIN QUERY PLAN {query}"))

    assert "USING INDEX" in plan("SELECT * FROM turns WHERE dialogue_id = 'x' ORDER BY turn_index")
    assert "USING INDEX pairs_by_dialogue_id" in plan("SELECT * FROM pairs WHERE dialogue_id = 'x'")
    assert "downstream_by_label" in plan("SELECT * FROM downstream WHERE label = 'x'")
    assert lite.execute("PRAGMA foreign_key_list(pairs)").fetchone()[2:5] == ("dialogs", "dialogue_id", "dialogue_id")
    domains = "SELECT count(*) FROM dialogs, json_each(domains) WHERE json_each.value = 'restaurant'"
    assert lite.execute(domains).fetchone()[0] > 0


def test_an_export_from_the_folder_has_the_same_bytes(folder, database, exported, tmp_path):
    """By the command and without a database, also over an older export."""
    out = tmp_path / "alone.sqlite"
    with open_database(database) as connection:
        export_sqlite(connection, out)
    assert out.read_bytes() == exported.read_bytes()
    command = [Path(sys.executable).with_name("dialogue-cube"), "database", "--data", folder, "--sqlite", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"written: {out}" in done.stdout
    assert out.read_bytes() == exported.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.sqlite"]


def test_foreign_files_are_refused(folder, database, tmp_path):
    with closing(sqlite3.connect(tmp_path / "theirs.sqlite")) as theirs:
        theirs.execute("CREATE TABLE t (a)")
    (tmp_path / "notes.txt").write_text("my notes")
    shutil.copyfile(database, tmp_path / "data.duckdb")
    (tmp_path / "folder").mkdir()
    with open_any(data=folder) as connection:
        for name in ("theirs.sqlite", "notes.txt", "data.duckdb", "folder"):
            with pytest.raises(
                DataError, match=f"{name}: (exists and was not made by `dialogue-cube database --sqlite`|is a folder)"
            ):
                export_sqlite(connection, tmp_path / name)
    assert (tmp_path / "notes.txt").read_text() == "my notes"


def test_a_file_to_write_must_be_named(folder):
    command = [Path(sys.executable).with_name("dialogue-cube"), "database", "--data", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "name the file to write: --out FILE.duckdb, or --sqlite FILE.sqlite" in done.stderr.replace("\n", " ")
