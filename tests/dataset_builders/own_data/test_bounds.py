"""Bombs, endless lines and texts as long as a library: one line, before memory or disk are full."""

import gzip
import io
import json
import lzma
import tarfile
import zipfile

import pyarrow as pa
import pytest

from dataset_builders.common import unpacking
from dataset_builders.common.errors import DataError
from dataset_builders.common.unpacking import VARIABLE, bounded, unpacked_limit
from dataset_builders.own_data import Rejected, load
from dataset_builders.own_data.containers import text_encoding
from dataset_builders.own_data.plain import json_records
from dataset_builders.sources.raw_files import RawFolder, close_archives

LINE = json.dumps({"question": "Is it open?", "answer": "Yes, until six."}).encode() + b"\n"
SIZE = 3_000_000


def _zip(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", content)
    return packed.getvalue()


def _tar_xz(content):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        member = tarfile.TarInfo("a.jsonl")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _zstd(content):
    return pa.Codec("zstd").compress(content, asbytes=True)


PACKERS = {"a.jsonl.gz": gzip.compress, "a.jsonl.xz": lzma.compress, "a.zip": _zip, "a.tar.xz": _tar_xz}


@pytest.fixture
def small_limits(monkeypatch):
    """Bombs of a few MB, to save time."""
    monkeypatch.setattr(unpacking, "FLOOR", 1_000_000)
    monkeypatch.setattr(unpacking, "RATIO", 20)
    close_archives()


@pytest.mark.parametrize("name", [*PACKERS, "a.jsonl.zst"])
def test_a_bomb_in_own_data_is_refused(tmp_path, small_limits, monkeypatch, name):
    content = LINE * (SIZE // len(LINE))
    (tmp_path / name).write_bytes((PACKERS | {"a.jsonl.zst": _zstd})[name](content))
    with pytest.raises(DataError, match=rf"{name}.*: 0.0 MB that unpack to more than 1 MB.*{VARIABLE}=1$"):
        load(tmp_path / name, "mine")
    monkeypatch.setenv(VARIABLE, "0.01")
    assert load(tmp_path / name, "mine")


@pytest.mark.parametrize("name", [name for name in PACKERS if name != "a.jsonl.xz"])  # which no source has
def test_a_bomb_in_the_raw_files_of_a_source_is_refused(tmp_path, small_limits, monkeypatch, name):
    (tmp_path / name).write_bytes(PACKERS[name](bytes(SIZE)))
    with pytest.raises(DataError, match=rf"{name}.*: 0.0 MB that unpack to more than 1 MB.*{VARIABLE}=1$"):
        [file.read() for file in RawFolder(tmp_path).glob("a.jsonl")]
    close_archives()
    monkeypatch.setenv(VARIABLE, "0.01")
    (file,) = RawFolder(tmp_path).glob("a.jsonl")
    assert len(file.read()) == SIZE


def test_ordinary_files_are_far_from_the_limits(monkeypatch):
    assert unpacked_limit(1) == 250_000_000
    assert unpacked_limit(10**9) == 10**11
    assert bounded(io.BytesIO(LINE), 1, "a").read() == LINE
    for text in ("many", "-1", "0", "nan", "inf"):
        monkeypatch.setenv(VARIABLE, text)
        with pytest.raises(DataError, match=rf"{VARIABLE} is '{text}'; expected a number of GB"):
            unpacked_limit(1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINE + b'{"question": "' + b"a" * 9_000 + b'"}\n'),
        ("a.csv", b"question,answer\nHi there,Hello\n" * 99 + b"a" * 9_000 + b",b\n"),
        ("a.json", b"[" + LINE + b',{"question": "' + b"a" * 99_000 + b'", "answer": "b"}]'),
    ],
)
def test_a_line_or_record_without_end_is_refused(tmp_path, monkeypatch, name, content):
    monkeypatch.setattr(text_encoding, "LONGEST_LINE", 5_000)
    monkeypatch.setattr(json_records, "LONGEST_LINE", 5_000)
    monkeypatch.setattr(json_records, "_CHUNK", 1_000)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}: line \d+: (longer than|a record of more than) 5,000 characters"):
        load(tmp_path / name, "mine")


def test_a_text_of_millions_of_characters_is_left_out(read):
    """It would take fifty times its size in memory, in arrays of its words."""
    rows = [json.loads(LINE)] * 20
    rows[3] = {"question": "Is it open?", "answer": "long " * 400_000}
    events = read("a.jsonl", "\n".join(map(json.dumps, rows)))
    reasons = [event.reason for event in events if isinstance(event, Rejected)]
    assert len(events) == 20
    assert reasons == ["a text of 2,000,000 characters; at most 1,000,000 are read"]
