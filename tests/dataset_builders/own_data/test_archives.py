"""Compressed files and archives of own data, and files beside the data."""

import bz2
import gzip
import io
import lzma
import multiprocessing
import tarfile
import zipfile

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers import archives
from dataset_builders.own_data.containers.inputs import extension, find_all, open_bytes
from support.packing import lz4, tar, zstd

TEXT = "Где чай?\nНа полке.\n".encode() * 500


PACKED = {
    "gz": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "bz2": bz2.compress(TEXT[:100]) + bz2.compress(TEXT[100:]),
    "xz": lzma.compress(TEXT[:100]) + lzma.compress(TEXT[100:]),
    "zst": zstd(TEXT[:100]) + b"\x52\x2a\x4d\x18\x04\0\0\0skip" + zstd(TEXT[100:]),
    "zst-skip-first": b"\x52\x2a\x4d\x18\x04\0\0\0skip" + zstd(TEXT),
    "lz4": lz4(TEXT),
}


def contents(path, **options):
    found = find_all(path, **options)
    return {file.name: open_bytes(file).read() for file in found.data}


def reasons(path, **options):
    return {entry.file: entry.reason for entry in find_all(path, **options).skipped}


@pytest.mark.parametrize("name", PACKED)
def test_compressed_files_are_recognised_by_content(tmp_path, name):
    (tmp_path / "a.txt").write_bytes(PACKED[name])  # a browser has unpacked its name, but not its content
    assert contents(tmp_path / "a.txt") == {"a.txt": TEXT}


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst", ".lz4"])
def test_the_extension_is_that_of_the_unpacked_file(suffix):
    assert extension(f"faq.JSONL{suffix.upper()}") == ".jsonl"


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_file_that_is_cut_off(tmp_path, name):
    (tmp_path / "a.txt").write_bytes(PACKED[name][:-40])
    (tmp_path / "b.txt").write_bytes(TEXT)
    assert list(contents(tmp_path, skip_bad=True)) == ["b.txt"]
    assert reasons(tmp_path, skip_bad=True)["a.txt"].startswith("cannot be read (")


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tar.gz", "w:gz"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
        ("a.tar.zst", "w"),
    ],
)
def test_members_of_tar_archives(tmp_path, name, mode):
    members = {
        "./train/a.json": b"[1]",
        "test/b.jsonl.gz": gzip.compress(b"{}"),
        "test/c.json": "b.jsonl.gz",
        "empty.csv": b"",
        ".hidden/x.json": b"[]",
        "__MACOSX/x.json": b"[]",
        "chart.png": b"\x89PNG",
    }
    path = tar(tmp_path, name, members, mode)
    assert contents(path) == {
        f"{name}/train/a.json": b"[1]",
        f"{name}/test/b.jsonl.gz": b"{}",
        f"{name}/test/c.json": b"{}",
    }
    assert reasons(path) == {
        f"{name}/empty.csv": "is empty",
        f"{name}/chart.png": reasons(path)[f"{name}/chart.png"],
    }
    assert contents(tmp_path) == contents(path)


def test_a_compressed_archive_is_unpacked_once(tmp_path, monkeypatch):
    path = tar(tmp_path, "a.tar.xz", {f"{i}.txt": b"%d" % i for i in range(300)}, "w:xz")
    unpacked = []
    real = archives.decompressed
    monkeypatch.setattr(archives, "decompressed", lambda stream: unpacked.append(1) or real(stream))
    assert contents(path) == {f"a.tar.xz/{i}.txt": b"%d" % i for i in range(300)}
    assert len(unpacked) == 1


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_forked_processes_read_members_at_the_same_time(tmp_path, kind):
    members = {f"{i}.txt": (b"%d\n" % i) * 20_000 for i in range(40)}
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        tar(tmp_path, path.name, members, "w:gz")
    files = find_all(path).data
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_content, files) == [members[file.members[0]] for file in files]


def _content(file):
    return open_bytes(file).read()


def test_a_member_that_replaces_an_earlier_one(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for content in (b"old", b"new"):
            info = tarfile.TarInfo("a.txt")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert contents(tmp_path) == {"a.tar/a.txt": b"new"}


def test_names_in_zip_archives_of_other_systems(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train\\", "")
        archive.writestr("train\\a.json", "[1]")
        archive.writestr("чат.json", "[2]")
    data = (tmp_path / "a.zip").read_bytes()
    data = data.replace(b"\0\x08\0\0", b"\0\0\0\0", 1).replace(
        b"\0\x08\0\0", b"\0\0\0\0", 1
    )  # names without a flag for UTF-8
    (tmp_path / "a.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert "чат.json" not in archive.namelist()
    assert contents(tmp_path / "a.zip") == {"a.zip/train/a.json": b"[1]", "a.zip/чат.json": b"[2]"}


def test_archives_within_archives_are_skipped_by_name(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.json", "[]")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
        archive.writestr("inner.tar.gz", tar(tmp_path, "x", {"a": b"b"}, "w:gz").read_bytes())
        archive.writestr("b.json", "[]")
    (tmp_path / "x").unlink()
    assert list(contents(tmp_path / "a.zip")) == ["a.zip/b.json"]
    assert reasons(tmp_path) == dict.fromkeys(
        ["a.zip/inner.tar.gz", "a.zip/inner.zip"], "an archive within an archive; unpack it"
    )
    with zipfile.ZipFile(tmp_path / "only.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    with pytest.raises(
        DataError, match=r"no data file in it; it holds only\.zip/inner\.zip: an archive within an archive"
    ):
        find_all(tmp_path / "only.zip")


def locked_zip(path):
    """A zip archive whose member a.json says that it is encrypted; the content does not matter."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "[]")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def test_one_unreadable_file_does_not_stop_a_folder(tmp_path):
    (tmp_path / "good.json").write_text("[]")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(TEXT, mtime=0)[:40])
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "bad.tar.gz").write_bytes(tar(tmp_path, "x", {"a.txt": TEXT}, "w:gz").read_bytes()[:90])
    (tmp_path / "x").unlink()
    locked_zip(tmp_path / "locked.zip")
    with zipfile.ZipFile(tmp_path / "crc.zip", "w") as archive:
        archive.writestr("a.json", "[1, 2, 3]")
    (tmp_path / "crc.zip").write_bytes((tmp_path / "crc.zip").read_bytes().replace(b"[1, 2", b"[1; 2"))
    with pytest.raises(DataError, match=r"bad\.tar\.gz: .*"):
        find_all(tmp_path)
    files = find_all(tmp_path, skip_bad=True)
    assert [file.name for file in files.data] == ["good.json"]
    assert {entry.file: entry.reason.split(" (")[0] for entry in files.skipped} == {
        "bad.tar.gz": "cannot be read",
        "bad.zip": "a damaged zip archive",
        "crc.zip/a.json": "cannot be read",
        "cut.jsonl.gz": "cannot be read",
        "locked.zip/a.json": "is protected by a password; unpack it, or pack it without one",
    }
    with pytest.raises(DataError, match=r"locked\.zip:a\.json: is protected by a password; unpack it"):
        find_all(tmp_path / "locked.zip")


def test_files_beside_the_data_are_skipped_with_the_reason(tmp_path):
    names = [
        *("slack/channels.json", "slack/users.json", "slack/general/2026-01-01.json", "users.json", "state.json"),
        *("agent/agent.json", "agent/package.json", "agent/intents/Hi.json", "agent/entities/city.json", "config.yml"),
        *("saved/train/data-00000-of-00001.arrow", "saved/train/cache-12ab.arrow", "saved/train/state.json"),
        *("README.md", "notice_board.csv", "notes.md", "uv.lock", "chart.png", "guide.docx", "page.html", "Makefile"),
        *("nlu/train/seq.in", "nlu/train/label", "nlu/train/seq.out", "cooking.train", "Inbox"),
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"From ann@example.org" if name == "Inbox" else b"x")
    files = find_all(tmp_path)
    assert [file.name for file in files.data] == [
        *("Inbox", "agent/intents/Hi.json", "config.yml", "cooking.train", "nlu/train/label", "nlu/train/seq.in"),
        *("notes.md", "notice_board.csv", "saved/train/data-00000-of-00001.arrow", "slack/general/2026-01-01.json"),
        *("state.json", "users.json"),
    ]
    assert [file.name for file in files.others] == sorted(set(names) - {file.name for file in files.data})
    skipped = {entry.file: entry.reason for entry in files.skipped}
    assert skipped["slack/users.json"] == "a list of a Slack export, not messages"
    assert skipped["agent/entities/city.json"] == "entities of a Dialogflow agent"
    assert skipped["saved/train/cache-12ab.arrow"] == "a cache of the library `datasets`"
    assert skipped["page.html"] == "a web page; export as JSON or text instead"
    assert [file.name for file in find_all(tmp_path / "README.md").data] == ["README.md"]  # named by the user
