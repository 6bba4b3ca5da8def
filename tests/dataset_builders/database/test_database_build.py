"""Building the database: incremental builds, foreign files, and interrupted or concurrent builds."""

import json
import shutil
import signal
import subprocess
import sys
import threading

import duckdb
import pyarrow.parquet as pq
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.database import build_database, is_current, open_database
from dataset_builders.sql.run import query
from support.digests import renew_digests
from support.quality_folder import rows
from support.queries import dicts


def everything(path):
    """Content of a database except the table `runs`, as ordered hashes."""
    with open_database(path, threads=1) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM contents ORDER BY name").fetchall()]
        hashes = {
            n: opened.execute(f"SELECT list(hash(t)) FROM {n} AS t").fetchone() for n in names if n != "pair_contexts"
        }
        return hashes | {"contents": opened.execute("FROM contents ORDER BY name").fetchall()}


def with_fewer(folder, to, config="downstream"):
    """A copy of a folder without the last training row of a config."""
    shutil.copytree(folder, to)
    shard = max((to / config).glob("train-*.parquet"))
    table = pq.read_table(shard)
    pq.write_table(table.slice(0, len(table) - 1), shard)
    return renew_digests(to)


def test_a_second_build_writes_nothing(folder, database):
    assert is_current(database, folder)
    before = database.stat()
    steps = []
    built = build_database(folder, database, lambda *step: steps.append(step))
    assert built.written == ()
    assert not steps
    assert built.rows["pairs"] == len(rows(folder, "pairs"))
    after = database.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_two_builds_give_the_same_content(folder, database, tmp_path):
    build_database(folder, tmp_path / "again.duckdb", threads=1)
    assert everything(tmp_path / "again.duckdb") == everything(database)


def test_only_what_changed_is_written(folder, database, tmp_path):
    out = tmp_path / "data.duckdb"
    shutil.copyfile(database, out)
    fewer = with_fewer(folder, tmp_path / "fewer")
    assert not is_current(out, fewer)
    steps = []
    built = build_database(fewer, out, lambda *step: steps.append(step))
    assert [name for name, *_ in steps] == list(built.written)
    assert {"downstream", "label_counts", "word_counts"} <= set(built.written)
    assert not {"dialogs", "turns", "pairs", "dialogue_histograms", "pair_lengths"} & set(built.written)
    build_database(fewer, tmp_path / "fresh.duckdb")
    assert everything(out) == everything(tmp_path / "fresh.duckdb")
    with open_database(out) as opened:
        (first, second) = dicts(opened, "FROM runs ORDER BY run")
    assert second["written"] == list(built.written)
    assert second["rows"]["downstream"] == first["rows"]["downstream"] - 1


def test_an_obsolete_view_is_removed(folder, database, tmp_path):
    out = tmp_path / "old.duckdb"
    shutil.copyfile(database, out)
    with duckdb.connect(str(out)) as opened:
        opened.execute("CREATE VIEW retired AS FROM dialogs")
        opened.execute("INSERT INTO contents VALUES ('retired', 'metrics', NULL, 'x', 'of an earlier version')")
    assert build_database(folder, out).written == ()
    assert everything(out) == everything(database)


def test_a_database_of_an_older_version_is_rebuilt(folder, database, tmp_path):
    out = tmp_path / "old.duckdb"
    with duckdb.connect(str(out)) as opened:
        opened.execute("CREATE TABLE runs AS SELECT 1 AS run, 0 AS schema_version, '0.0.1' AS package_version")
    assert not is_current(out, folder)
    build_database(folder, out)
    assert everything(out) == everything(database)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_foreign_files_are_refused(folder, database, tmp_path):
    (tmp_path / "notes.txt").write_text("my notes")
    (tmp_path / "empty.duckdb").touch()
    with duckdb.connect(str(tmp_path / "theirs.duckdb")) as theirs:
        theirs.execute("CREATE TABLE runs (when_ DATE)")
    shutil.copyfile(database, tmp_path / "newer.duckdb")
    with duckdb.connect(str(tmp_path / "newer.duckdb")) as newer:
        newer.execute("UPDATE runs SET schema_version = 99, package_version = '7.0'")
    before = files_of(tmp_path)
    for name, message in (
        ("notes.txt", "was not made by `dialogue-cube database`|cannot be opened as a database"),
        ("empty.duckdb", "was not made by `dialogue-cube database`|cannot be opened as a database"),
        ("theirs.duckdb", "is not a database made by"),
        ("newer.duckdb", r"newer version of this package \(7.0\)"),
    ):
        for attempt in (
            lambda path: build_database(folder, path),
            lambda path: is_current(path, folder),
            lambda path: open_database(path).__enter__(),
        ):
            with pytest.raises(DataError, match=message) as caught:
                attempt(tmp_path / name)
            assert "\n" not in str(caught.value)
            assert name in str(caught.value)
    assert files_of(tmp_path) == before
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder: is a folder"):
        build_database(folder, tmp_path / "folder")
    with pytest.raises(DataError, match=r"no database .*missing.duckdb; make it with `dialogue-cube database"):
        open_database(tmp_path / "missing.duckdb").__enter__()


def test_bad_data_leaves_the_old_database(folder, database, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    out = place / "data.duckdb"
    shutil.copyfile(database, out)
    before = files_of(place)
    with pytest.raises(DataError, match="nowhere: no such folder"):
        build_database(tmp_path / "nowhere", out)
    with pytest.raises(DataError, match=r"has no quality/report\.json"):
        build_database(place, out)
    broken = shutil.copytree(folder, tmp_path / "broken")
    shard = next((broken / "pairs").glob("*.parquet"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:1000] + bytes(len(whole) - 3000) + whole[-2000:])  # the footer is intact, the rows are not
    with pytest.raises(DataError, match=f"{shard.name}: damaged or changed since the build"):
        build_database(broken, out)
    with pytest.raises(DataError, match="broken: its parquet files cannot be read"):
        build_database(renew_digests(broken), out)
    old = shutil.copytree(folder, tmp_path / "old")
    for shard in (old / "pairs").glob("*.parquet"):
        pq.write_table(pq.read_table(shard).drop_columns(["answer_id"]), shard)
    with pytest.raises(DataError, match="old: pairs lack the columns answer_id"):
        build_database(renew_digests(old), out)
    twice = shutil.copytree(folder, tmp_path / "twice")
    for name in ("train", "copy"):
        shard = min((twice / "downstream").glob("train-*.parquet"))
        shutil.copyfile(shard, shard.with_name(f"{name}-00001-of-00002.parquet"))
    with pytest.raises(DataError, match=r"twice: two rows have the id banking77/train/\S+; build"):
        build_database(renew_digests(twice), out)
    with pytest.raises(DataError, match="needs more memory than 10MB; give it more with --memory"):
        build_database(with_fewer(folder, tmp_path / "fewer", "dialogues"), out, memory="10MB")
    with pytest.raises(DataError, match="--memory much: expected a size such as"):
        build_database(tmp_path / "fewer", out, memory="much")
    assert files_of(place) == before


def test_configs_that_were_not_built_are_empty(folder, tmp_path):
    part = shutil.copytree(folder, tmp_path / "part")
    report = json.loads((part / "quality" / "report.json").read_text())
    for name in list(report["files"]):
        if not name.startswith("downstream"):
            (part / name).unlink()
            del report["files"][name]
    (part / "quality" / "report.json").write_text(json.dumps(report))
    built = build_database(part, tmp_path / "part.duckdb")
    assert built.rows["downstream"]
    assert built.rows["dialogs"] == built.rows["pairs"] == built.rows["turns"] == built.rows["drops"] == 0
    with open_database(tmp_path / "part.duckdb") as opened:
        assert query(opened, "dialogue_statistics") == query(opened, "pair_statistics") == []
        assert query(opened, "downstream_statistics")


CHILD = """
import sys, time
from dataset_builders.database import build_database

def stop(what, done, total):
    if what == sys.argv[3]:
        print("here", flush=True)
        time.sleep(60)

build_database(sys.argv[1], sys.argv[2], stop)
"""


def started(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def changed(folder, tmp_path_factory):
    """A folder that has changed, and the content of its database."""
    place = tmp_path_factory.mktemp("changed")
    fewer = with_fewer(folder, place / "fewer", "pairs")
    build_database(fewer, place / "fresh.duckdb")
    return fewer, everything(place / "fresh.duckdb")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_a_stopped_build_leaves_the_old_database(folder, database, changed, tmp_path, how):
    out = tmp_path / "data.duckdb"
    shutil.copyfile(database, out)
    before = out.read_bytes()
    fewer, content = changed
    with started(CHILD, fewer, out, "pair_lengths") as child:
        assert child.stdout.readline() == "here\n"
        assert any(path.name.startswith(".data.duckdb.building") for path in tmp_path.iterdir())
        child.send_signal(how)
        assert child.wait() != 0
    same = out.read_bytes() == before  # pytest would take hours to show where megabytes differ
    assert same
    assert is_current(out, folder)
    assert build_database(fewer, out).written
    assert everything(out) == content
    assert {path.name for path in tmp_path.iterdir() if ".building" in path.name} == set()


def test_a_full_disk(folder, tmp_path):
    code = """
import resource, sys
from dataset_builders.database import build_database, export_sqlite, open_any
from dataset_builders.common.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # a larger file is refused as on a full disk
try:
    build_database(sys.argv[1], sys.argv[2])
except DataError as error:
    print(error)
with open_any(data=sys.argv[1]) as connection:
    try:
        export_sqlite(connection, sys.argv[2])
    except DataError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, folder, tmp_path / "data.db"], capture_output=True, text=True)
    duck, lite = done.stdout.splitlines() or [done.stderr, ""]
    assert "Could not write file" in duck
    assert "the old database is unchanged" in duck
    assert "data.db cannot be written" in lite
    assert not any(tmp_path.iterdir())


READER = """
import sys
from dataset_builders.database import open_database

with open_database(sys.argv[1]) as connection:
    for _ in sys.stdin:
        print(*connection.execute("SELECT count(*), max(utterance_id) FROM downstream").fetchone(), flush=True)
"""


def test_readers_of_the_old_file_are_not_disturbed(folder, database, tmp_path):
    out = tmp_path / "data.duckdb"
    shutil.copyfile(database, out)

    def ask(reader):
        reader.stdin.write("\n")
        reader.stdin.flush()
        return reader.stdout.readline()

    with started(READER, out) as reader:
        before = ask(reader)
        assert build_database(with_fewer(folder, tmp_path / "fewer"), out).written
        assert ask(reader) == before
        with started(READER, out) as late:
            assert int(ask(late).split()[0]) == int(before.split()[0]) - 1
            late.stdin.close()
        reader.stdin.close()


def test_two_builds_at_once_take_turns(folder, tmp_path):
    out = tmp_path / "data.duckdb"
    built = []
    threads = [threading.Thread(target=lambda: built.append(build_database(folder, out))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bool(one.written) for one in built) == [False, True]


def test_from_the_hub(hub, folder, database, tmp_path):
    code = f"""
from huggingface_hub import HfApi
from dataset_builders.database import build_database
from dataset_builders.common.errors import DataError
api, name, out = HfApi(), "{hub.namespace}/corpus", {str(tmp_path / "hub.duckdb")!r}
api.create_repo(name, repo_type="dataset")
api.upload_folder(repo_id=name, repo_type="dataset", folder_path={str(folder)!r})
build_database(name, out)
try:
    build_database("nobody/nothing", out)
except DataError as error:
    print(error)
"""
    printed = hub.run(code).stdout.splitlines()[-1]
    assert printed.startswith("no folder nobody/nothing, and no such dataset on the Hub")
    assert everything(tmp_path / "hub.duckdb") == everything(database)
