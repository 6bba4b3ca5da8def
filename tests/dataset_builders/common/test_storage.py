"""Storage of files in a folder, and in file systems without a rename."""

import errno
import os
import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import open_scratch
from dataset_builders.common.storage import Storage


@pytest.fixture(params=["folder", "kept folder", "memory", "s3"])
def storage(request, tmp_path):
    if request.param == "s3":
        pytest.importorskip("s3fs", reason="no S3: pip install 'dialogue-cube[distributed]'")
        return Storage(request.getfixturevalue("s3").bucket() + "/build")
    if request.param == "memory":
        return Storage(f"memory://{tmp_path.name}")
    return Storage(str(tmp_path / "files"), kept=request.param == "kept folder")


def write(storage, name, content):
    with storage.create(name) as path:
        assert path.suffix == Path(name).suffix
        path.write_bytes(content)


def test_files_are_written_and_read(storage):
    storage = pickle.loads(pickle.dumps(storage))
    assert not storage.exists("parse/1.bin")
    assert storage.names("parse") == []
    for number in (2, 1, 1):
        write(storage, f"parse/{number}.bin", b"content %d" % number)
    assert storage.exists("parse/1.bin")
    assert storage.names("parse") == ["parse/1.bin", "parse/2.bin"]
    assert storage.read(storage.names("parse")) == {"parse/1.bin": b"content 1", "parse/2.bin": b"content 2"}
    assert storage.read(["parse/2.bin"]) == {"parse/2.bin": b"content 2"}
    assert storage.read([]) == {}
    assert storage.below("parse").exists("2.bin")
    with storage.open("parse/2.bin") as file:
        file.seek(8)
        assert file.read() == b"2"
    assert storage.fetch("parse/1.bin").read_bytes() == b"content 1"
    assert storage.fetch("parse/1.bin") == storage.fetch("parse/1.bin")


def test_files_are_written_and_read_on_the_hub(hub):
    answer = hub.json(
        f"""
import json
from huggingface_hub import HfApi
from dataset_builders.common.storage import Storage
HfApi().create_repo("{hub.namespace}/files", repo_type="dataset")
storage = Storage("hf://datasets/{hub.namespace}/files/build")
for number in (1, 2):
    with storage.create(f"parse/{{number}}.bin") as path:
        path.write_bytes(b"content %d" % number)
names = storage.names("parse")
with storage.open("parse/2.bin") as file:
    file.seek(8)
    part = file.read().decode()
contents = [content.decode() for content in storage.read(names).values()]
copy = storage.fetch("parse/1.bin").read_text()
storage.remove("parse")
print(json.dumps([names, part, contents, copy, storage.names("parse")]))
"""
    )
    assert answer == [["parse/1.bin", "parse/2.bin"], "2", ["content 1", "content 2"], "content 1", []]


def interrupted():
    yield 1
    raise DataError("line 3: no text")


def test_a_file_that_is_not_completed_does_not_appear(storage, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write(storage, "parse/1.bin", b"old")
    with pytest.raises(DataError), storage.create("parse/1.bin") as path:
        path.write_bytes(bytes(interrupted()))
    assert storage.read(["parse/1.bin"]) == {"parse/1.bin": b"old"}
    assert [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "1.bin"] == []


def test_files_and_folders_are_removed(storage):
    for name in ("parse/1.bin", "parse/deep/2.bin", "pairs/1.bin"):
        write(storage, name, b"")
    storage.remove("parse")
    storage.remove("pairs/1.bin")
    storage.remove("nothing")
    assert storage.names("parse") == storage.names("parse/deep") == storage.names("pairs") == []


def test_a_folder_is_copied(storage, tmp_path):
    for name in ("README.md", "pairs/train.parquet"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    storage.put_folder(tmp_path / "out", "dataset")
    assert storage.read(["dataset/README.md", "dataset/pairs/train.parquet"]) == {
        "dataset/README.md": b"README.md",
        "dataset/pairs/train.parquet": b"pairs/train.parquet",
    }


def test_a_missing_file_is_not_found(storage):
    write(storage, "parse/1.bin", b"")
    with pytest.raises(FileNotFoundError), storage.open("parse/2.bin") as file:
        file.read()


def test_arrow_reads_only_the_batches_that_are_asked_for(s3, monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    storage, ranges = Storage(s3.bucket()), []
    batches = [pa.record_batch({"text": [f"{number:06}" * 2000]}) for number in range(50)]
    with storage.create("rows.arrow") as path, pa.ipc.new_file(path, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
        path_size = 50 * 12_000
    fetch = s3fs.S3File._fetch_range
    monkeypatch.setattr(
        s3fs.S3File, "_fetch_range", lambda file, start, end: ranges.append(end - start) or fetch(file, start, end)
    )
    with storage.open("rows.arrow") as file:
        rows = pa.ipc.open_file(file)
        assert [rows.get_batch(number).to_pydict() for number in (7, 30)] == [batches[n].to_pydict() for n in (7, 30)]
    assert sum(ranges) < path_size / 10


def test_copies_take_limited_space(s3, monkeypatch):
    monkeypatch.setattr("dataset_builders.common.storage._FETCHED", 25)
    storage = Storage(s3.bucket())
    for number in range(4):
        write(storage, f"{number}.bin", b"%d" % number * 10)
    copies = [storage.fetch(f"{number}.bin") for number in range(4)]
    assert [copy.exists() for copy in copies] == [False, False, True, True]
    assert storage.fetch("0.bin").read_bytes() == b"0" * 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no credentials; set AWS_ACCESS_KEY_ID"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "cannot be reached; check AWS_ENDPOINT_URL"),
        ({}, "s3://no-such-bucket/.*no such bucket; create it, or check the name"),
    ],
)
def test_errors_of_the_server_say_what_to_do(s3, monkeypatch, tmp_path, changes, message):
    s3fs = pytest.importorskip("s3fs")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name, value in changes.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(DataError, match=message) as error:
            Storage("s3://no-such-bucket/build").check()
        assert "\n" not in str(error.value)
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_an_unknown_protocol_is_named():
    with pytest.raises(DataError, match="floppy"):
        Storage("floppy://a").check()


def test_a_full_disk_is_named_with_its_folder(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(OSError, match="No space left") as error, storage.create("parse/1.bin"):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "parse"))


def test_scratch_is_kept_after_a_failure_only(tmp_path):
    def attempt(fails):
        with open_scratch(tmp_path, "abc") as storage:
            write(storage, "parse/1.bin", b"")
            if fails:
                raise DataError("no text")

    with pytest.raises(DataError, match="no text"):
        attempt(fails=True)
    assert Storage(str(tmp_path)).names("abc/parse") == ["abc/parse/1.bin"]
    attempt(fails=False)
    assert list(tmp_path.iterdir()) == []


def test_temporary_scratch_is_deleted():
    with open_scratch() as storage:
        write(storage, "parse/1.bin", b"")
    assert not Path(storage.root).exists()
