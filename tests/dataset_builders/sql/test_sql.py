"""The command `sql` on a database and on parquet files, and the same queries in DuckDB alone."""

import contextlib
import csv
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

import dialogue_cube
from dataset_builders import sql
from dataset_builders.common.errors import DataError
from dataset_builders.database import ask, build_database, open_any
from hub.invented import dialogue, pair, utterance, write_dataset
from support.quality_folder import with_quality

COMMAND = Path(sys.executable).with_name("dialogue-cube")
ENV = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}

HOSTILE = (
    # statements that destroyed a database, and similar ones
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{database}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)",
    "COPY (SELECT 1) TO '{database}'",
    "COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)",
    "COPY (SELECT 1) TO '{database}.wal'",
    "COPY (SELECT 1) TO 'readonly://corpus.duckdb' (USE_TMP_FILE false)",
    "COPY (SELECT 1) TO '{folder}/pairs/train-00000-of-00001.parquet' (USE_TMP_FILE false)",
    "COPY (SELECT 1) TO 'readonly://dataset/pairs/train-00000-of-00001.parquet' (USE_TMP_FILE false)",
    "COPY (SELECT 1 AS a, 2 AS b) TO 'readonly://dataset' (FORMAT parquet, PARTITION_BY (a), OVERWRITE)",
    "COPY pairs TO 'stolen.csv'",
    "COPY (SELECT 1 AS a, 2 AS b) TO 'new' (FORMAT parquet, PARTITION_BY (a))",
    # hidden in another statement
    "WITH x AS (COPY (SELECT 1) TO '{database}' (USE_TMP_FILE false)) FROM x",
    "WITH x AS (DELETE FROM dialogs RETURNING *) SELECT count(*) FROM x",
    "EXPLAIN ANALYZE DELETE FROM dialogs",
    "PREPARE p AS COPY (SELECT 1) TO 'stolen.csv'",
    "EXECUTE p",
    "SELECT 1; COPY (SELECT 1) TO 'stolen.csv'",
    "FROM query($$COPY (SELECT 1) TO 'stolen.csv'$$)",
    "FROM query($$FROM 'secret.csv'$$)",
    "FROM json_execute_serialized_sql(json_serialize_sql($$FROM 'secret.csv'$$))",
    # databases and extensions
    "EXPORT DATABASE 'new'",
    "IMPORT DATABASE 'backup'",
    "ATTACH 'new.duckdb'",
    "ATTACH '{database}' AS again",
    "ATTACH 'new.duckdb' (READ_WRITE)",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD 'secret.duckdb_extension'",
    "FORCE INSTALL spatial FROM community",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET kept (TYPE s3, KEY_ID 'a', SECRET 'b')",
    # settings
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET allowed_directories = ['/']",
    "SET temp_directory = 'new'",
    "SET secret_directory = 'new'",
    "PRAGMA temp_directory = 'new'",
    "PRAGMA profiling_output = 'new.json'",
    "PRAGMA enable_profiling = 'json'",
    # reading
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('{folder}/../../../../etc/passwd')",
    "SELECT * FROM read_json('secret.csv')",
    "SELECT * FROM glob('/etc/*')",
    "FROM 'secret.csv'",
    "FROM '{folder}/pairs/train-00000-of-00001.parquet'",
    "FROM read_parquet('{folder}/pairs/*.parquet')",
    "FROM parquet_metadata('{folder}/pairs/*.parquet')",
    "FROM sniff_csv('secret.csv')",
    "FROM 'https://example.com/secret.csv'",
    "COPY pairs FROM 'secret.csv'",
    "SELECT getenv('HOME')",
    ".read secret.csv",
    # changes
    "DELETE FROM dialogs",
    "UPDATE dialogs SET source = ''",
    "INSERT INTO leaks VALUES ('a', 'b', 'c', 'd', 1)",
    "TRUNCATE dialogs",
    "DROP TABLE dialogs",
    "DROP VIEW pair_statistics",
    "ALTER TABLE dialogs ADD COLUMN more INT",
    "CREATE TABLE more AS SELECT 1",
)
"""Statements that are all refused."""

QUIET = (
    "SELECT * FROM read_blob('readonly://dataset/../../../../etc/passwd')",
    "SELECT * FROM read_blob('readonly:///etc/passwd')",
    "SELECT * FROM glob('readonly://*')",
    "FROM duckdb_secrets()",
    "FROM duckdb_settings()",
    "PRAGMA database_list",
    "CHECKPOINT",
    "CALL force_checkpoint()",
    "CALL enable_profiling(save_location = 'new.json')",
    # last, because DuckDB before 2.0 runs nothing after it, since it cannot write its log
    "CALL enable_logging(storage = 'file', storage_config = {{'path': 'new'}})",
)
"""Harmless statements; the version of DuckDB decides whether they are refused."""

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
    """Run the command in this process; the result is like that of a separate one."""
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
        except SystemExit as error:
            code = error.code or 0
    return Done(code, out.getvalue(), errors.getvalue())


def output(*arguments, **options):
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def union(queries):
    """One query for the rows of several as text, because starting a process takes longer than the queries."""
    parts = [f"SELECT {n} AS n, row_number() OVER () AS place, t::VARCHAR AS row FROM ({q}) AS t" for n, q in queries]
    return " UNION ALL ".join(parts) + " ORDER BY ALL"


def test_a_database_and_the_parquet_files_give_the_same_rows(folder, database):
    query = union([(n, q) for n, q in enumerate(QUERIES) if not q.startswith("DESCRIBE")])
    expected = json.loads(output("--database", database, "--format", "json", query))
    assert {row["n"] for row in expected} == {0, 1, 2, 3, 4}
    assert json.loads(output("--data", folder, "--format", "json", query)) == expected
    described = [
        output(*place, "DESCRIBE dialogs", "--format", "csv")
        for place in (("--database", database), ("--data", folder))
    ]
    columns = [[line.split(",")[:2] for line in text.splitlines()] for text in described]
    assert columns[0] == columns[1]


def test_formats(database):
    query = "SELECT 1 AS number, 'a \"b\", Ж\nc' AS text, ['x', NULL] AS many, {'k': 1.5} AS one, NULL AS none, DATE '2024-01-02' AS day, 'nan'::DOUBLE AS unknown"
    (row,) = json.loads(output("--database", database, "--format", "json", query))
    assert row == {
        "number": 1,
        "text": 'a "b", Ж\nc',
        "many": ["x", None],
        "one": {"k": 1.5},
        "none": None,
        "day": "2024-01-02",
        "unknown": None,
    }
    header, cells = csv.reader(io.StringIO(output("--database", database, "--format", "csv", query)))
    assert header == ["number", "text", "many", "one", "none", "day", "unknown"]
    assert cells == ["1", 'a "b", Ж\nc', '["x", null]', '{"k": 1.5}', "", "2024-01-02", "nan"]
    formula = ("--database", database, "SELECT '=1+1' AS text, -1 AS number", "--format")
    assert output(*formula, "csv") == "text,number\n'=1+1,-1\n"  # a spreadsheet runs none
    assert json.loads(output(*formula, "json")) == [{"text": "=1+1", "number": -1}]
    table = output("--database", database, query)
    assert "number" in table
    assert '["x", null]' in table


def test_tables_fit_the_screen(database):
    grid = output(
        "--database", database, "SELECT source, dialogues, turns_per_dialogue FROM dialogue_statistics LIMIT 2"
    )
    assert len(grid.splitlines()) == 4
    wide = output("--database", database, "FROM turns LIMIT 1")  # ten columns, one of them annotations
    assert wide.startswith("row 1\ndialogue_id ")
    assert all(len(line) <= 100 for line in (grid + wide).splitlines())
    many = run("--database", database, "SELECT unnest(range(250)) AS n")
    assert many.stdout.count("\n") == 102
    assert "the first 100 rows; for all, use --format csv or json" in many.stderr
    assert output("--database", database, "--format", "csv", "SELECT unnest(range(25000)) AS n").count("\n") == 25_001


def test_a_query_without_rows(database):
    nothing = "SELECT source, words FROM dialogs WHERE words < 0"
    assert output("--database", database, "--format", "csv", nothing) == "source,words\n"
    assert json.loads(output("--database", database, "--format", "json", nothing)) == []
    done = run("--database", database, nothing)
    assert done.returncode == 0
    assert "0 rows" in done.stderr


def test_standard_input_and_closed_output(database):
    assert (
        output("--database", database, "--format", "csv", "-", input="-- a comment\nSELECT 1 AS one;\n") == "one\n1\n"
    )
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
        (
            "DELETE FROM dialogs",
            'Cannot execute statement of type "DELETE" on database "corpus" which is attached in read',
        ),
        ("CREATE TABLE t AS SELECT 1", "CREATE returns no rows, and its effect would not be kept"),
        ("COPY dialogs TO 'stolen.csv'", 'Cannot access file "stolen.csv"'),
        ("ATTACH 'other.db'", "ATTACH returns no rows"),
        ("SELECT 1; DROP TABLE pairs", "expected one SQL statement, found 2"),
        ("", "expected one SQL statement, found 0"),
    ],
)
def test_refused_queries_explain_why(database, tmp_path, monkeypatch, query, message):
    monkeypatch.chdir(tmp_path)
    before = database.read_bytes()
    with open_any(database) as connection, pytest.raises(DataError) as caught:
        list(ask(connection, query))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())
    assert database.read_bytes() == before


def digests(*places):
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture
def scene(folder, database, tmp_path, monkeypatch):
    """A working folder, also the home folder, with a secret file. Returns paths for queries, and digests of all files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret.csv").write_text("word\nswordfish\n")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "schema.sql").write_text("CREATE TABLE more (a INT);")
    (tmp_path / "backup" / "load.sql").write_text("")
    paths = {name: str(path).replace("'", "''") for name, path in (("database", database), ("folder", folder))}
    return paths, lambda: digests(tmp_path, folder, database.parent)


@pytest.fixture(params=["database", "data"])
def place(request, folder, database):
    return {"database": database} if request.param == "database" else {"data": folder}


def test_no_query_writes_or_reads_another_file(scene, place):
    paths, state = scene
    before = state()
    with open_any(**place) as connection:
        for query in HOSTILE:
            with pytest.raises(DataError) as caught:
                pytest.fail(f"{query} answers {list(ask(connection, query.format(**paths)))}")
            assert "\n" not in str(caught.value), query
            assert "Traceback" not in str(caught.value), query
            assert state() == before, query
        assert list(ask(connection, "SELECT count(*) > 0 FROM pairs")) == [(True,)]


def test_the_connection_itself_keeps_files_away(scene, place):
    """Without `ask`, which refuses some statements only for a better message."""
    paths, state = scene
    before = state()
    with open_any(**place) as connection:
        for query in (*HOSTILE, *QUIET):
            with contextlib.suppress(duckdb.Error):
                rows = connection.execute(query.format(**paths)).fetchall()
                assert not any(secret in str(rows) for secret in ("swordfish", "root:")), query
            assert state() == before, query


def test_allow_files(scene, folder, database, tmp_path):
    _, state = scene
    before = state()
    allowed = ("--database", database, "--allow-files")
    assert output(*allowed, "--format", "csv", "FROM 'secret.csv'") == "word\nswordfish\n"
    output(*allowed, "COPY (SELECT count(*) AS n FROM pairs) TO 'new.csv'")
    (written,) = state().keys() - before.keys()
    assert written == tmp_path / "new.csv"
    assert output("--data", folder, "--allow-files", "--format", "csv", "FROM 'new.csv'") == written.read_text()
    for query in ("DELETE FROM dialogs", "DROP TABLE dialogs", "WITH x AS (DELETE FROM dialogs RETURNING *) FROM x"):
        assert run(*allowed, query).returncode == 1
    assert before.items() <= state().items()
    refused = run("--database", database, "FROM 'secret.csv'")
    assert "`--allow-files` lets a query read and write files" in refused.stderr.replace("\n", " ")


def test_times_with_a_zone_and_pivots(folder, database):
    for option, path in (("--database", database), ("--data", folder)):
        query = "SELECT now() > TIMESTAMPTZ '2024-01-02 03:04:05+00' AS later, now() AS time"
        (row,) = json.loads(output(option, path, "--format", "json", query))
        assert row["later"] is True
        assert re.match(r"20\d\d-\d\d-\d\d ", row["time"])
        pivot = "PIVOT dialogs ON split USING count(*) GROUP BY source"
        assert output(option, path, "--format", "csv", pivot).startswith("source,")


def test_ctrl_c_stops_a_query(folder, database):
    for place in ({"database": database}, {"data": folder}):
        threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt), open_any(**place) as connection:
            list(ask(connection, "SELECT sum(a.range * b.range) FROM range(1000000) AS a, range(100000) AS b"))


def test_errors_of_the_command(database, tmp_path):
    for arguments, message in (
        (["SELECT 1"], "error: name the data: either --database FILE, or --data DIR"),
        (["--database", database, "--data", tmp_path, "SELECT 1"], "error: name the data"),
        (["--database", tmp_path / "none.duckdb", "SELECT 1"], "error: no database"),
        (["--data", tmp_path, "SELECT 1"], "has no quality/report.json"),
        (["--database", database, "SELECT * FROM pears"], "error: Table with name pears does not exist"),
    ):
        done = run(*arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1


def test_without_a_query_it_lists_tables_and_views():
    listed = output()
    for name in [*sql.queries(), "sources", "leaks"]:
        assert name in listed


STRANGER = """
import json, sys
sys.path = [place for place in sys.path if place not in ("", {root!r})]
import duckdb
connection = duckdb.connect()
connection.execute("SET enable_progress_bar = false")  # DuckDB prints it to standard output on a slow machine
connection.execute(open(sys.argv[1], encoding="utf-8").read())
rows = connection.execute(sys.argv[2]).fetchall()
assert not any(name.startswith("dataset_builders") for name in sys.modules)
print(json.dumps(rows))
"""


def test_duckdb_alone_answers_in_the_folder(folder, database, tmp_path):
    """As `duckdb -init views.sql` in the folder: a process with the printed script, but without our package."""
    script = tmp_path / "views.sql"
    script.write_text(output("--script"), encoding="utf-8")
    query = union(list(enumerate(f"FROM {name}" for name in sorted(sql.queries("metrics")))))
    code = STRANGER.format(root=str(Path(__file__).parents[3]))
    alone = subprocess.run(
        [sys.executable, "-c", code, script, query], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    assert alone.returncode == 0, alone.stderr
    expected = json.loads(output("--database", database, "--format", "json", query))
    assert json.loads(alone.stdout) == [list(row.values()) for row in expected]


def test_metadata_is_read_by_its_keys(tmp_path):
    facts = {"metadata": '{"team": "sales", "days": 3}'}
    rows = {
        ("dialogues", "train"): [dialogue("one", **facts), dialogue("two")],
        ("pairs", "train"): [pair("one", **facts), pair("two")],
        ("downstream", "train"): [utterance("one", **facts), utterance("two")],
    }
    folder = write_dataset(tmp_path / "data", rows)
    build_database(folder, tmp_path / "data.duckdb")
    for place in ({"data": folder}, {"database": tmp_path / "data.duckdb"}):
        with open_any(**place) as connection:
            for table, key in (("dialogs", "tiny/one"), ("pairs", "tiny/one#0"), ("downstream", "cards/train/one")):
                query = (
                    f"SELECT {sql.KEYS[table][0]}, metadata->>'$.days' FROM {table} WHERE metadata->>'$.team' = 'sales'"
                )
                assert list(ask(connection, query)) == [(key, "3")]


def test_a_folder_that_has_changed_since_its_build_is_refused(tmp_path):
    """A flipped bit would be another row, without an error."""
    folder = write_dataset(tmp_path / "data", {("pairs", "train"): [pair(str(number)) for number in range(9)]})
    with open_any(data=folder) as connection:
        assert list(ask(connection, "SELECT count(*) FROM pairs")) == [(9,)]
    file = folder / "pairs/train-00000-of-00001.parquet"
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    refused = pytest.raises(DataError, match=r"train-00000-of-00001.parquet: damaged or changed since the build")
    with refused, open_any(data=folder):
        pass
