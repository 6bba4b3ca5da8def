"""Own data in parquet, arrow and feather files, and in folders saved by `datasets`."""

import datetime
import decimal
import json
import random
import zipfile

import datasets
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers.inputs import find_all
from dataset_builders.own_data.containers.rows import open_rows
from support.packing import tar, zstd

TURNS = [{"role": "user", "content": "Где чай?"}, {"role": "assistant", "content": "На полке."}]
TABLE = pa.table(
    {
        "id": pa.array([1, 2, None]),
        "conversation": pa.array([TURNS, [], None]),
        "at": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5, 600_000), None, None], pa.timestamp("us", "UTC")),
        "day": pa.array([datetime.date(2026, 1, 2), None, None]),
        "price": pa.array([decimal.Decimal("1.50"), decimal.Decimal("7.00"), None], pa.decimal128(5, 2)),
        "score": pa.array([0.5, float("nan"), None]),
        "kind": pa.array(["a", "a", None]).dictionary_encode(),
        "tags": pa.array([[("x", 1)], [], None], pa.map_(pa.string(), pa.int32())),
        "raw": pa.array(['{"x": [1]}', "[", None], pa.json_()),
        "image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}, None, None]),
        "photos": pa.array([[b"\xff\xd8"], None, None]),
    }
)
ROWS = [
    {
        **{"id": 1, "conversation": TURNS, "at": "2026-01-02T03:04:05.600000+00:00", "day": "2026-01-02", "price": 1.5},
        **{"score": 0.5, "kind": "a", "tags": {"x": 1}, "raw": {"x": [1]}, "image": {"bytes": None, "path": "a.png"}},
        "photos": [None],
    },
    {
        **{"id": 2, "conversation": [], "at": None, "day": None, "price": 7, "score": None, "kind": "a", "tags": {}},
        **{"raw": "[", "image": None, "photos": None},
    },
    dict.fromkeys(TABLE.column_names),
]


def ipc(path, open_writer, table=TABLE):
    with open_writer(str(path), table.schema) as writer:
        writer.write_table(table)


COLUMNAR = {
    "a.parquet": lambda path: parquet.write_table(TABLE, path, row_group_size=1),
    "a.feather": lambda path: feather.write_feather(TABLE, path, chunksize=1),
    "a.arrow": lambda path: ipc(path, pa.ipc.new_file),
    "stream.arrow": lambda path: ipc(path, pa.ipc.new_stream),
}


@pytest.mark.parametrize("name", COLUMNAR)
@pytest.mark.parametrize("packed", ["", ".zst", ".zip", ".tar.gz"])
def test_rows_of_columnar_files(tmp_path, name, packed):
    path = tmp_path / name
    COLUMNAR[name](path)
    content = path.read_bytes()
    if packed == ".zst":
        path.write_bytes(zstd(content))
    elif packed == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
    elif packed:
        tar(tmp_path, name, {name: content}, "w:gz")
    (file,) = find_all(path).data
    rows = open_rows(file)
    assert rows.columns == tuple(TABLE.column_names)
    assert rows.notes == ("bytes are not read: image, photos",)
    assert list(rows.read()) == list(enumerate(ROWS, start=1)) == list(rows.read())


def test_folders_saved_by_datasets(tmp_path, monkeypatch):
    rows = datasets.Dataset.from_list([{"conversation": TURNS, "n": i} for i in range(5)])
    splits = datasets.DatasetDict(train=rows.select([4, 2, 0]), test=rows.select([1]))
    splits.save_to_disk(tmp_path / "saved", num_shards={"train": 2, "test": 1})
    found = find_all(tmp_path / "saved")
    assert {file.name: [row["n"] for _, row in open_rows(file).read()] for file in found.data} == {
        "test/data-00000-of-00001.arrow": [1],
        "train/data-00000-of-00002.arrow": [4, 2],
        "train/data-00001-of-00002.arrow": [0],
    }
    assert {entry.reason for entry in found.skipped} == {"describes a dataset of the library `datasets`"}
    assert [row["conversation"] for _, row in open_rows(found.data[0]).read()] == [TURNS]


def test_turns_stored_as_a_list_for_each_field(tmp_path):
    columns = {
        "conversations": [{"from": ["human", "gpt"], "value": ["Hi", "Hello"]}, {"from": ["human"], "value": []}, None],
        "log": [{"speaker": ["a", "b"], "acts": [{"act": ["x"], "slot": ["y"]}, None], "n": [1, 2]}, None, None],
        "answers": [{"text": ["a", "b"], "answer_start": [1, 2]}, None, None],
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    (file,) = find_all(tmp_path).data
    rows = [row for _, row in open_rows(file).read()]
    assert rows[0] == {
        "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}],
        "log": [
            {"speaker": "a", "acts": {"act": ["x"], "slot": ["y"]}, "n": 1},
            {"speaker": "b", "acts": None, "n": 2},
        ],
        "answers": {"text": ["a", "b"], "answer_start": [1, 2]},
    }
    assert rows[1]["conversations"] == {"from": ["human"], "value": []}  # the lists do not belong together


def test_classes_of_datasets_have_their_names(tmp_path):
    who = datasets.ClassLabel(names=["user", "agent"])
    features = datasets.Features(
        {
            "label": datasets.ClassLabel(names=["order", "refund"]),
            "tags": datasets.List(datasets.ClassLabel(names=["a", "b"])),
            "turns": datasets.List({"who": who, "text": datasets.Value("string")}),
            "log": {"who": datasets.List(who), "text": datasets.List(datasets.Value("string"))},
            "n": datasets.Value("int64"),
        }
    )
    row = {
        **{"label": 1, "tags": [0, 1], "n": 1, "turns": [{"who": 1, "text": "Hi"}]},
        "log": {"who": [0], "text": ["Hello"]},
    }
    rows = datasets.Dataset.from_list([row, {**row, "label": -1, "tags": None}], features=features)
    rows.to_parquet(tmp_path / "a.parquet")
    # older versions of `datasets` describe such a list of objects otherwise than they store it
    metadata = json.loads(rows.data.schema.metadata[b"huggingface"])
    log = metadata["info"]["features"]["log"]
    metadata["info"]["features"]["log"] = {"_type": "Sequence", "feature": {key: log[key]["feature"] for key in log}}
    table = rows.data.table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    parquet.write_table(table, tmp_path / "b.parquet")
    for file in find_all(tmp_path).data:
        first, second = (row for _, row in open_rows(file).read())
        assert first == {
            **{"label": "refund", "tags": ["a", "b"], "n": 1, "turns": [{"who": "agent", "text": "Hi"}]},
            "log": [{"who": "user", "text": "Hello"}],
        }
        assert (second["label"], second["tags"]) == (None, None)


@pytest.mark.parametrize("name", COLUMNAR)
def test_damaged_columnar_files(tmp_path, name):
    COLUMNAR[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for damaged in (
        content[:-20],
        content[:9],
        content[: len(content) // 2] + bytes(200) + content[len(content) // 2 :],
    ):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError, match=r"cannot be read \(.*\); it is damaged or protected$") as caught:
            list(open_rows(find_all(tmp_path / name).data[0]).read())
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", COLUMNAR)
def test_damaged_columnar_files_never_end_in_a_traceback(tmp_path, name):
    rng = random.Random(name)
    COLUMNAR[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    for i in range(40):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(8, len(damaged))] = rng.randrange(256)
        path = tmp_path / f"{i}.x"
        path.write_bytes(damaged)
        try:
            list(open_rows(find_all(path).data[0]).read())
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_text_is_no_columnar_file(tmp_path):
    (tmp_path / "a.csv").write_text("PAR1,ARROW1\n1,2\n")
    assert open_rows(find_all(tmp_path / "a.csv").data[0]) is None
