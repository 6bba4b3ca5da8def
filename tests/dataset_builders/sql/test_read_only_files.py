"""Files that DuckDB can read but not write, and the lock on a connection."""

import hashlib
import threading
from contextlib import contextmanager

import duckdb
import pyarrow.parquet as pq
import pytest

from dataset_builders.sql.read_only_files import ROOT, ReadOnlyFiles, lock

NUMBERS = "SELECT range AS n, md5(range::VARCHAR) AS text FROM range({})"


@contextmanager
def connected(files, config):
    with ReadOnlyFiles(files) as named, duckdb.connect(config=config) as connection:
        connection.register_filesystem(named)
        yield connection


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "numbers.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({NUMBERS.format(300_000)}) TO '{path}' (ROW_GROUP_SIZE 3000)")
    return path


@pytest.mark.parametrize("mode", ["wb", "ab", "r+b", "xb", "w"])
def test_it_opens_nothing_for_writing(file, mode):
    with ReadOnlyFiles({"a.parquet": file}) as files, pytest.raises(PermissionError, match="is read-only"):
        files.open(f"{ROOT}a.parquet", mode)


def test_only_named_files_exist(file, tmp_path):
    (tmp_path / "other.parquet").write_bytes(file.read_bytes())
    with ReadOnlyFiles({"folder/a.parquet": file}) as files:
        assert files.glob("folder/*.parquet") == ["folder/a.parquet"]
        assert files.glob("*") == []
        for name in ("other.parquet", "folder/../other.parquet", str(file), "/etc/passwd"):
            with pytest.raises(FileNotFoundError):
                files.open(f"{ROOT}{name}")


def test_threads_that_share_a_file_keep_their_positions(file):
    content = file.read_bytes()
    with ReadOnlyFiles({"a": file}) as files:
        reader = files.open("a")
        turn = threading.Barrier(2, timeout=60)
        parts = {}

        def read(start):
            for place in range(start, start + 5000, 100):
                reader.seek(place)
                turn.wait()  # the other thread has changed its position too
                parts[place] = reader.read(100)

        threads = [threading.Thread(target=read, args=(start,)) for start in (0, 5000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(parts) == 100
    assert all(part == content[place : place + 100] for place, part in parts.items())


def test_answers_are_those_of_the_plain_file(file):
    query = "SELECT count(*), sum(n), sum(hash(text)) FROM read_parquet('{}')"
    with duckdb.connect() as plain, connected({"a.parquet": file}, {"threads": 4}) as connection:
        expected = plain.execute(query.format(file)).fetchall()
        for _ in range(3):
            assert connection.execute(query.format(f"{ROOT}a.parquet")).fetchall() == expected


def test_a_locked_connection_still_has_temporary_files(tmp_path):
    settings = {"memory_limit": "200MB", "threads": 1}
    query = f"SELECT count(*) FROM (SELECT DISTINCT text || n FROM ({NUMBERS.format(4_000_000)}))"
    with connected({}, {**settings, "temp_directory": ""}) as connection:
        lock(connection)
        with pytest.raises(duckdb.OutOfMemoryException):
            connection.execute(query)
    with connected({}, {**settings, "temp_directory": str(tmp_path)}) as connection:
        lock(connection)
        assert connection.execute(query).fetchone() == (4_000_000,)


def test_a_locked_connection_reads_no_variables_of_python(file):
    secret = pq.read_table(file)
    with connected({"a.parquet": file}, {}) as connection:
        assert connection.execute("SELECT count(*) FROM secret").fetchone() == (300_000,)
        lock(connection, allow_files=True)
        with pytest.raises(duckdb.CatalogException):
            connection.execute("FROM secret")
    assert secret.num_rows == 300_000


def test_a_locked_connection_writes_nothing(file):
    before = hashlib.sha256(file.read_bytes()).digest()
    with connected({"a.parquet": file}, {}) as connection:
        lock(connection)
        for statement in (
            f"COPY (SELECT 1) TO '{ROOT}a.parquet' (USE_TMP_FILE false)",
            f"COPY (SELECT 1) TO '{ROOT}b.parquet'",
            f"COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
