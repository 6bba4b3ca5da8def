"""The command `sql` over a database, over parquet, and the same queries in DuckDB alone."""

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

import dialogue_cube
from dataset_builders import sql
from dataset_builders.database import ask, build_database, open_any
from dataset_builders.errors import DataError
from quality_folder import with_quality

COMMAND = Path(sys.executable).with_name("dialogue-cube")
ENV = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}

QUERIES = (
    "SELECT source, split, dialogues, words_per_utterance FROM dialogue_statistics",
    "SELECT split, language, count(*) AS n FROM downstream GROUP BY ALL ORDER BY ALL",
    "SELECT first_utterance, second_utterance, flags FROM pairs ORDER BY pair_id LIMIT 5",
    "SELECT source, license, redistributable FROM sources ORDER BY source",
    "FROM frequent_words WHERE source = 'woz'",
    "DESCRIBE dialogs",
)


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def folder(sample_dataset, tmp_path_factory):
    return with_quality(sample_dataset, tmp_path_factory.mktemp("data") / "a 'folder'")


@pytest.fixture(scope="module")
def database(folder, tmp_path_factory):
    return build_database(folder, tmp_path_factory.mktemp("database") / "data.duckdb").path


def run(*arguments, input=""):
    """The command in this process; `Done` as of a process."""
    out, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        patch.setattr(sys, "argv", ["dialogue-cube", "sql", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO(input))
        for name in ("NO_COLOR", "COLUMNS"):
            patch.setenv(name, ENV[name])
        try:
            dialogue_cube.main()
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
    return Done(code, out.getvalue(), errors.getvalue())


def asked(*arguments, **options):
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def union(queries):
    """All answers in one query, as text: starting a process costs more than the queries."""
    parts = [f"SELECT {n} AS n, row_number() OVER () AS place, t::VARCHAR AS row FROM ({q}) AS t" for n, q in queries]
    return " UNION ALL ".join(parts) + " ORDER BY ALL"


def test_a_database_and_the_parquet_files_answer_alike(folder, database):
    query = union([(n, q) for n, q in enumerate(QUERIES) if not q.startswith("DESCRIBE")])
    there = json.loads(asked("--database", database, "--format", "json", query))
    assert {row["n"] for row in there} == {0, 1, 2, 3, 4}
    assert json.loads(asked("--data", folder, "--format", "json", query)) == there
    described = [
        asked(*place, "DESCRIBE dialogs", "--format", "csv") for place in (("--database", database), ("--data", folder))
    ]
    columns = [[line.split(",")[:2] for line in text.splitlines()] for text in described]
    assert columns[0] == columns[1]


def test_shapes(database):
    query = "SELECT 1 AS number, 'a \"b\", Ж\nc' AS text, ['x', NULL] AS many, {'k': 1.5} AS one, NULL AS none, DATE '2024-01-02' AS day, 'nan'::DOUBLE AS unknown"
    (row,) = json.loads(asked("--database", database, "--format", "json", query))
    assert row == {
        "number": 1,
        "text": 'a "b", Ж\nc',
        "many": ["x", None],
        "one": {"k": 1.5},
        "none": None,
        "day": "2024-01-02",
        "unknown": None,
    }
    header, cells = csv.reader(io.StringIO(asked("--database", database, "--format", "csv", query)))
    assert header == ["number", "text", "many", "one", "none", "day", "unknown"]
    assert cells == ["1", 'a "b", Ж\nc', '["x", null]', '{"k": 1.5}', "", "2024-01-02", "nan"]
    table = asked("--database", database, query)
    assert "number" in table
    assert '["x", null]' in table


def test_tables_fit_the_screen(database):
    grid = asked(
        "--database", database, "SELECT source, dialogues, turns_per_dialogue FROM dialogue_statistics LIMIT 2"
    )
    assert len(grid.splitlines()) == 4
    wide = asked("--database", database, "FROM turns LIMIT 1")  # ten columns, one of them annotations
    assert wide.startswith("row 1\ndialogue_id ")
    assert all(len(line) <= 100 for line in (grid + wide).splitlines())
    many = run("--database", database, "SELECT unnest(range(250)) AS n")
    assert many.stdout.count("\n") == 102
    assert "the first 100 rows; all: --format csv or json" in many.stderr
    assert asked("--database", database, "--format", "csv", "SELECT unnest(range(25000)) AS n").count("\n") == 25_001


def test_nothing_found(database):
    nothing = "SELECT source, words FROM dialogs WHERE words < 0"
    assert asked("--database", database, "--format", "csv", nothing) == "source,words\n"
    assert json.loads(asked("--database", database, "--format", "json", nothing)) == []
    done = run("--database", database, nothing)
    assert done.returncode == 0
    assert "0 rows" in done.stderr


def test_standard_input_and_closed_output(database):
    assert asked("--database", database, "--format", "csv", "-", input="-- a comment\nSELECT 1 AS one;\n") == "one\n1\n"
    line = f"{COMMAND} sql --database '{database}' --format csv 'SELECT unnest(range(1000000)) AS n' | head -2"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, env=ENV, check=False)
    assert done.stdout == "n\n0\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT * FROM pears", "Table with name pears does not exist; did you mean pairs"),
        (
            "SELECT wrods FROM dialogs",
            'Referenced column "wrods" not found in FROM clause; Candidate bindings: "words"',
        ),
        ("SELEC 1", 'syntax error at or near "SELEC"; the dialect is DuckDB'),
        ("SELECT 'a'::INT", "Could not convert string 'a' to INT32"),
        ("DELETE FROM dialogs", "DELETE is not run here"),
        ("CREATE TABLE t AS SELECT 1", "CREATE is not run here"),
        ("COPY dialogs TO 'stolen.csv'", "COPY is not run here"),
        ("ATTACH 'other.db'", "ATTACH is not run here"),
        ("SELECT 1; DROP TABLE pairs", "expected one SQL statement, found 2"),
        ("", "expected one SQL statement, found 0"),
    ],
)
def test_what_is_not_answered(database, tmp_path, monkeypatch, query, message):
    monkeypatch.chdir(tmp_path)
    before = database.read_bytes()
    with open_any(database) as connection, pytest.raises(DataError) as caught:
        list(ask(connection, query))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())
    assert database.read_bytes() == before


def test_a_query_can_be_stopped(folder, database):
    for place in ({"database": database}, {"data": folder}):
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), open_any(**place) as connection:
            list(ask(connection, "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(100000) AS b"))


def test_errors_of_the_command(database, tmp_path):
    for arguments, message in (
        (["SELECT 1"], "error: name what to ask: --database FILE, or --data DIR"),
        (["--database", database, "--data", tmp_path, "SELECT 1"], "error: name what to ask"),
        (["--database", tmp_path / "none.duckdb", "SELECT 1"], "error: no database"),
        (["--data", tmp_path, "SELECT 1"], "has no quality/report.json"),
        (["--database", database, "SELECT * FROM pears"], "error: Table with name pears does not exist"),
    ):
        done = run(*arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1


def test_without_a_query_it_lists_what_there_is():
    listed = asked()
    for name in [*sql.queries(), "sources", "leaks"]:
        assert name in listed


STRANGER = """
import json, sys
sys.path = [place for place in sys.path if place not in ("", {root!r})]
import duckdb
connection = duckdb.connect()
connection.execute("SET enable_progress_bar = false")  # a slow machine would see it on standard output
connection.execute(open(sys.argv[1], encoding="utf-8").read())
rows = connection.execute(sys.argv[2]).fetchall()
assert not any(name.startswith("dataset_builders") for name in sys.modules)
print(json.dumps(rows))
"""


def test_duckdb_alone_answers_in_the_folder(folder, database, tmp_path):
    """As `duckdb -init views.sql` in the folder does: a process with nothing of ours but the printed script."""
    script = tmp_path / "views.sql"
    script.write_text(asked("--script"), encoding="utf-8")
    query = union(list(enumerate(f"FROM {name}" for name in sorted(sql.queries("metrics")))))
    code = STRANGER.format(root=str(Path(__file__).parents[1]))
    alone = subprocess.run(
        [sys.executable, "-c", code, script, query], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert alone.returncode == 0, alone.stderr
    there = json.loads(asked("--database", database, "--format", "json", query))
    assert json.loads(alone.stdout) == [list(row.values()) for row in there]
