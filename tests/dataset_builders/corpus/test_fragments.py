"""Fragments of shards, and the files that are cut from them."""

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.storage import Storage
from dataset_builders.corpus.files import write_clusters, write_files
from dataset_builders.corpus.fragments import SourceRows, fragment_writer
from dataset_builders.folder.layout import CLUSTERS, DROPS
from dataset_builders.folder.parquet import ShardWriter
from dataset_builders.quality.drops import drop_rows
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.schema import CLUSTERS as MEMBERS
from support.quality_rows import dialogues, pairs

PAIRS = pairs(*((f"Is {i} tea?", f"No, {i} is cake, of {i % 7} eggs.") for i in range(100)))
DIALOGUES = dialogues(*([f"Hello {i}", "Tea?", "Yes"] for i in range(100)))
ROWS = {"pairs": PAIRS, "dialogues": DIALOGUES}
CUTS = {"equal": [[10] * 5, [10] * 5], "uneven": [[1, 38], [], [2, 2, 57]], "none": []}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Row groups of 8 and 4 rows, files of 24."""
    monkeypatch.setattr("dataset_builders.folder.parquet.ROW_GROUP_ROWS", 8)
    monkeypatch.setattr("dataset_builders.folder.parquet.ROW_GROUP_DIALOGUES", 4)
    for module in ("folder.parquet", "corpus.files"):
        monkeypatch.setattr(f"dataset_builders.{module}.SHARD_ROWS", 24)
    monkeypatch.setattr("dataset_builders.corpus.files.ROW_GROUP_ROWS", 8)


def fragments(storage, cut):
    """Write shards with tables of these sizes, and a drop record for every third pair."""
    source, start = SourceRows(counts=None), 0
    for number, sizes in enumerate(cut):
        with fragment_writer(storage, f"shop/{number:05d}") as writer:
            for size in sizes:
                for config, rows in ROWS.items():
                    writer.write(config, "train", rows.slice(start, size))
                for row in range(start + -start % 3, start + size, 3):
                    writer.record(drop_rows("pairs", PAIRS.slice(row, 1), "train", "leak", "a duplicate", ["x"]))
                start += size
        source.shards[f"shop/{number:05d}"] = writer.batches
    return source


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize(("cut", "processes"), [("equal", 2), ("uneven", 1)])
def test_files_have_the_same_bytes_whatever_the_fragments(tmp_path, cut, processes):
    storage = Storage(str(tmp_path / "fragments"))
    source = fragments(storage, CUTS[cut])
    written = write_files(tmp_path / "files", storage, [source], LocalExecutor(processes))
    for config, rows in ROWS.items():
        writer = ShardWriter(tmp_path / "expected" / config, "train", ARROW_SCHEMAS[config])
        writer.write(rows)
        names = [path.name for path in writer.close()]
        assert names == [f"train-{number:05d}-of-00005.parquet" for number in range(5)]
        assert [path.name for path in written[config, "train"]] == names
        groups = pq.read_metadata(written[config, "train"][0])
        assert groups.row_group(0).num_rows == {"pairs": 8, "dialogues": 4}[config]
    drops = tmp_path / "files" / DROPS
    assert pq.read_table(drops)["row_id"].to_pylist() == [f"shop/{row}#0" for row in range(0, 100, 3)]
    assert [pq.read_metadata(drops).row_group(number).num_rows for number in range(5)] == [8, 8, 8, 8, 2]
    assert not written["pairs", "test"]
    drops.unlink()
    assert digests(tmp_path / "files") == digests(tmp_path / "expected")


def test_without_rows_there_is_a_file_of_no_drop_records(tmp_path):
    write_files(tmp_path, Storage(str(tmp_path)), [fragments(Storage(str(tmp_path)), CUTS["none"])], LocalExecutor())
    assert list(digests(tmp_path)) == [DROPS.as_posix()]
    assert len(pq.read_table(tmp_path / DROPS)) == 0


@pytest.mark.parametrize("rows", [0, 7, 64, 100])
def test_the_bytes_of_the_clusters_do_not_depend_on_the_tables(tmp_path, monkeypatch, rows):
    monkeypatch.setattr("dataset_builders.corpus.files._GROUP", 64)
    ids = [f"shop/{row}" for row in range(rows)]
    columns = [ids, ids, ["shop"] * rows, [None, *ids[:-1]][:rows], [0.5] * rows, ["equal"] * rows]
    schema = MEMBERS.arrow_schema
    members = pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)
    found = []
    for size in (1, 9, 200):
        write_clusters(tmp_path, rows, [members.slice(start, size) for start in range(0, rows, size)])
        found.append(digests(tmp_path))
        assert pq.read_table(tmp_path / CLUSTERS).equals(members)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("cut", ["equal", "uneven"])
def test_large_tables_about_the_rows_are_in_parts(tmp_path, monkeypatch, cut):
    for module in ("folder.parquet", "corpus.files"):
        monkeypatch.setattr(f"dataset_builders.{module}.NOTE_ROWS", 16)
    monkeypatch.setattr("dataset_builders.corpus.files._GROUP", 8)
    storage = Storage(str(tmp_path / "fragments"))
    write_files(tmp_path, storage, [fragments(storage, CUTS[cut])], LocalExecutor())
    parts = [tmp_path / "quality" / f"drops-{number:05d}-of-00003.parquet" for number in range(3)]
    assert sorted((tmp_path / "quality").glob("*")) == parts
    assert [pq.read_metadata(part).num_rows for part in parts] == [16, 16, 2]
    assert pq.read_table(parts)["row_id"].to_pylist() == [f"shop/{row}#0" for row in range(0, 100, 3)]
    ids = [f"shop/{row}" for row in range(40)]
    columns = [ids, ids, ["shop"] * 40, ids, [0.5] * 40, ["equal"] * 40]
    members = pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, MEMBERS.arrow_schema, strict=True)], MEMBERS.arrow_schema
    )
    write_clusters(tmp_path, 40, [members.slice(0, 3), members.slice(3)])
    parts = [tmp_path / "quality" / f"clusters-{number:05d}-of-00003.parquet" for number in range(3)]
    assert [pq.read_metadata(part).num_rows for part in parts] == [16, 16, 8]
    assert pq.read_table(parts).equals(members)
    assert not (tmp_path / CLUSTERS).exists()


def test_a_failed_task_leaves_no_file(tmp_path):
    storage = Storage(str(tmp_path / "fragments"))

    def write():
        with fragment_writer(storage, "shop/00000") as writer:
            writer.write("pairs", "train", PAIRS)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write()
    assert digests(tmp_path) == {}
    source = fragments(storage, CUTS["equal"])
    (tmp_path / "fragments" / "shop" / "00001-pairs-train.arrow").unlink()
    with pytest.raises(FileNotFoundError):
        write_files(tmp_path / "files", storage, [source], LocalExecutor())
    written = digests(tmp_path / "files")
    assert not [name for name in written if name.startswith(("pairs/train-00002", "pairs/."))]
    assert {pq.read_metadata(tmp_path / "files" / name).num_rows for name in written} <= {24, 4, 34}
