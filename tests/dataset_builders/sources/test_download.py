"""Download of raw files from a loopback server that can break off, change the file, or lack it."""

import dataclasses
import hashlib
import http.server
import io
import tarfile
import threading
from types import SimpleNamespace

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.corpus.build import build_dataset
from dataset_builders.sources import download as module
from dataset_builders.sources.download import download, fetched_automatically, missing
from dataset_builders.sources.info import SourceFile
from dataset_builders.sources.raw_files import RawFolder, members_digest
from dataset_builders.sources.registry import builders

CONTENT = b"text,category\n" + b"a line of text,label\n" * 20_000


@pytest.fixture
def server(monkeypatch):
    """An HTTP server with ranges. `answers` holds the answer to each request: whole, cut, a status code, or bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = state.answers.pop(0) if state.answers else "whole"
            state.ranges.append(self.headers.get("Range"))
            if isinstance(answer, int):
                self.send_error(answer)
                return
            body = answer if isinstance(answer, bytes) else CONTENT
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            stop = start + (len(body) - start) // 2 if answer == "cut" else len(body)
            self.wfile.write(body[start:stop])

        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def log_message(self, *_args):
            pass

    state = SimpleNamespace(answers=[], ranges=[])
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/train.csv"
    file = SourceFile("train.csv", state.url, sha256=hashlib.sha256(CONTENT).hexdigest())
    cls = builders()["banking77"]
    monkeypatch.setattr(cls, "INFO", dataclasses.replace(cls.INFO, files=(file,)))
    monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)
    yield state
    httpd.shutdown()
    httpd.server_close()


def test_a_whole_file_is_fetched_once(server, tmp_path):
    (path,) = download(["banking77"], tmp_path)
    assert path == tmp_path / "banking77" / "train.csv"
    assert path.read_bytes() == CONTENT
    download(["banking77"], tmp_path)
    assert len(server.ranges) == 1


def test_an_interrupted_transfer_resumes_where_it_stopped(server, tmp_path):
    server.answers = ["cut", 500, "cut"]
    reports = []
    (path,) = download(["banking77"], tmp_path, lambda _file, done, total: reports.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert server.ranges[0] is None
    assert [r is not None for r in server.ranges[1:]] == [True, True, True]
    assert reports[-1] == (len(CONTENT), len(CONTENT))


def test_a_changed_file_is_rejected_with_both_digests(server, tmp_path):
    server.answers = [b"something else"]
    with pytest.raises(DataError, match="the content has changed") as caught:
        download(["banking77"], tmp_path)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert hashlib.sha256(CONTENT).hexdigest() in str(caught.value)
    assert list((tmp_path / "banking77").iterdir()) == []


def test_a_missing_file_and_a_failing_server(server, tmp_path):
    server.answers = [404]
    with pytest.raises(DataError, match=r"no such file \(404\)"):
        download(["banking77"], tmp_path)
    server.answers = [500] * module.ATTEMPTS
    with pytest.raises(DataError, match="failed after 4 attempts"):
        download(["banking77"], tmp_path)


def test_no_network(server, tmp_path, monkeypatch):
    cls = builders()["banking77"]
    dead = dataclasses.replace(cls.INFO.files[0], url="http://127.0.0.1:1/train.csv")
    monkeypatch.setattr(cls, "INFO", dataclasses.replace(cls.INFO, files=(dead,)))
    with pytest.raises(DataError, match="no connection"):
        download(["banking77"], tmp_path)


def test_git_blob_ids_are_checked(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    # what `git hash-object` prints for this content
    assert module.git_blob_sha1(path) == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_a_file_without_a_recorded_digest_must_match_its_first_download(server, tmp_path, monkeypatch):
    cls = builders()["banking77"]
    unknown = dataclasses.replace(cls.INFO.files[0], sha256=None)
    monkeypatch.setattr(cls, "INFO", dataclasses.replace(cls.INFO, files=(unknown,)))
    (path,) = download(["banking77"], tmp_path)
    path.unlink()
    server.answers = [b"something else"]
    with pytest.raises(DataError, match="the content has changed"):
        download(["banking77"], tmp_path)
    assert download(["banking77"], tmp_path)[0].read_bytes() == CONTENT


def test_build_without_a_raw_folder_downloads_into_the_shared_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cube"))
    for out in ("one", "two"):
        (built,) = build_dataset(["banking77"], None, tmp_path / out, cache_dir=tmp_path / "cache", warn=lambda _: None)
        assert built.written["train"]["rows"] == 20_000
    assert len(server.ranges) == 1
    assert (tmp_path / "cube" / "raw" / "banking77" / "train.csv").read_bytes() == CONTENT


def test_a_source_whose_licence_must_be_accepted_is_never_downloaded(tmp_path):
    with pytest.raises(DataError, match=r"frames is not fetched automatically: .*accept its licence first") as caught:
        download(["frames"], tmp_path)
    assert "Frames-dataset.zip" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_others_are_downloaded_if_a_source_fails(server, tmp_path, monkeypatch):
    cls = builders()["snips"]
    dead = SourceFile("a.json", "http://127.0.0.1:1/a.json", git_blob="0" * 40)
    monkeypatch.setattr(cls, "INFO", dataclasses.replace(cls.INFO, files=(dead,)))
    with pytest.raises(DataError, match="1 of 2 sources failed") as caught:
        download(["snips", "banking77"], tmp_path)
    assert f"dialogue-cube download snips --to {tmp_path}" in str(caught.value)
    assert (tmp_path / "banking77" / "train.csv").read_bytes() == CONTENT


def test_the_sizes_of_missing_files_are_known_beforehand(server, tmp_path, monkeypatch):
    cls = builders()["snips"]
    dead = SourceFile("a.json", "http://127.0.0.1:1/a.json", git_blob="0" * 40)
    monkeypatch.setattr(cls, "INFO", dataclasses.replace(cls.INFO, files=(dead,)))
    plan = missing(["banking77", "snips"], tmp_path)
    assert [(one.name, one.files, one.bytes) for one in plan] == [("snips", 1, None), ("banking77", 1, len(CONTENT))]
    download(["banking77"], tmp_path)
    assert [one.name for one in missing(["banking77", "snips"], tmp_path)] == ["snips"]


def test_an_archive_that_is_packed_anew_is_known_by_its_files(server, tmp_path, monkeypatch):
    def packed(text, level):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=level) as tar:
            for name in ("repo-abc/data/1.json", "repo-abc/README.md"):
                info = tarfile.TarInfo(name)
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text))
        return out.getvalue()

    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "1.tar.gz").write_bytes(packed(b"[1]", 9))
    digest = members_digest(tmp_path / "known", "data/*.json")
    cls = builders()["banking77"]
    file = SourceFile("repo.tar.gz", server.url, members=digest, members_of=("data/*.json",))
    monkeypatch.setattr(cls, "INFO", dataclasses.replace(cls.INFO, files=(file,)))
    server.answers = [packed(b"[2]", 1), b"no archive", packed(b"[1]", 1)]
    for _ in range(2):
        with pytest.raises(DataError, match="the content has changed"):
            download(["banking77"], tmp_path / "raw")
    (path,) = download(["banking77"], tmp_path / "raw")
    assert [file.name for file in RawFolder(path.parent).glob("data/*.json")] == ["repo-abc/data/1.json"]


def test_without_names_every_source_is_downloaded_that_needs_no_accepted_licence():
    names = fetched_automatically([])
    assert {"banking77", "sgd"} < set(names)
    assert not {name for name in names if builders()[name].INFO.accept_license}
    assert fetched_automatically(["frames"]) == ["frames"]
