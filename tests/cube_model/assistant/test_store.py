"""The store: segments are added while others read, and a killed writer leaves a whole version."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cube_model.assistant.entries import entries_of_pairs
from cube_model.assistant.store import FORMAT, MANIFEST, SEGMENTS, AnswerStore, write_segment, writers_locked_out
from cube_model.errors import ModelError
from support import assistant_writer
from support.assistant_writer import check, rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "store"
    place.mkdir()
    segment = write_segment(place, 1, *rows(0))
    manifest = {"format": FORMAT, "version": 1, "encoder": {}, "segments": [segment]}
    (place / MANIFEST).write_text(json.dumps(manifest))
    return place


def start(mode, folder):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, assistant_writer.__file__, mode, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def alive(store):
    view = store.view()
    return {id for id, there in zip(view.table["id"].to_pylist(), view.alive, strict=True) if there}


def test_entries_are_added_removed_and_added_again(folder):
    store, other = AnswerStore(folder), AnswerStore(folder)
    table, vectors, answers = rows(1)
    first, second = table["id"].to_pylist()
    assert store.add(table, vectors, answers) == 2
    assert store.add(table, vectors, answers) == 0  # there already: no new version
    assert other.view().version == store.view().version == 2
    assert other.remove([first, first]) == 1
    assert first not in alive(store)
    assert store.add(table, vectors, answers) == 1  # only the removed one is new
    assert {first, second} <= alive(other)
    store.compact()
    assert len(other.manifest()["segments"]) == 1
    assert {first, second} <= alive(other)
    assert len(other.view().table) == 4  # without the removed copy
    check(other.view())
    assert [path.name for path in (folder / SEGMENTS).iterdir()] == [other.manifest()["segments"][0]["name"]]


def test_many_segments_are_merged(folder, monkeypatch):
    monkeypatch.setattr("cube_model.assistant.store._MOST_SEGMENTS", 4)
    store, versions = AnswerStore(folder), []
    for number in range(1, 8):
        store.add(*rows(number))
        versions.append(store.view().version)
    assert len(store.manifest()["segments"]) < 5
    assert versions == sorted(set(versions))
    assert len(alive(store)) == 16
    check(store.view())


def test_what_cannot_be_removed(folder):
    store = AnswerStore(folder)
    with pytest.raises(ModelError, match="no answer with the id nothing"):
        store.remove(["nothing"])
    with pytest.raises(ModelError, match="these are all its answers"):
        store.remove(rows(0)[0]["id"].to_pylist())
    assert store.view().version == 1


@pytest.mark.parametrize("name", ["entries.parquet", "vectors.safetensors", "answers.safetensors", "removed.json"])
def test_a_damaged_segment_is_named(folder, name):
    file = folder / SEGMENTS / "000001" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: damaged or changed since it was written; build it again"):
        AnswerStore(folder).view()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "manifest.json: damaged"),
        (
            '{"format": 99, "version": 1, "encoder": {}, "segments": []}',
            "assistant of format 99, but this version reads 1",
        ),
        ('{"format": 1}', "`version` is missing"),
    ],
)
def test_a_damaged_manifest_is_named(folder, content, message):
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match=message):
        AnswerStore(folder)


def test_what_a_killed_writer_left_is_swept(folder):
    store = AnswerStore(folder)
    write_segment(folder, 2, *rows(5))  # renamed, but the manifest was not replaced any more
    (folder / SEGMENTS / ".000003.part").mkdir()
    assert len(store.view().table) == 2
    store.add(*rows(6))
    assert sorted(path.name for path in (folder / SEGMENTS).iterdir()) == ["000001", "000002"]
    assert rows(6)[0]["id"][0].as_py() in alive(store)
    assert rows(5)[0]["id"][0].as_py() not in alive(store)


def test_a_writer_is_killed_again_and_again_beside_two_readers(folder):
    readers = [start("read", folder) for _ in range(2)]
    pauses, done = random.Random(0), []
    for _ in range(4):
        writer = start("write", folder)
        done.append(writer.stdout.readline())  # it works by now
        time.sleep(pauses.uniform(0.02, 0.25))
        os.kill(writer.pid, signal.SIGKILL)
        done += writer.stdout.read().splitlines(keepends=True)
        writer.wait()
    store = AnswerStore(folder)
    there = alive(store)
    check(store.view())
    finished = [line.split() for line in done if line.endswith("\n")]
    assert len(finished) >= 4
    assert not [second for _, second in finished if second not in there]  # what was confirmed is not lost
    assert not [first for first, _ in finished if first in there]
    store.add(*rows(7))  # the lock of a killed writer is free
    time.sleep(0.1)
    (folder.parent / "stop").touch()
    for reader in readers:
        output, _ = reader.communicate(timeout=60)
        assert reader.returncode == 0
        assert int(output) > 4  # it saw versions while they were written


def test_equal_pairs_have_equal_ids():
    first = entries_of_pairs([("Open on Sunday?", "No.")])
    again = entries_of_pairs([(" Open on Sunday? ", "No.")])
    assert first["id"].to_pylist() == again["id"].to_pylist()
    with pytest.raises(ModelError, match="a question or its answer is empty"):
        entries_of_pairs([("Open on Sunday?", " ")])


def test_vectors_keep_their_length(folder):
    vectors = AnswerStore(folder).view().vectors(np.array([[0, 1], [1, 0]]))
    assert vectors.shape == (2, 2, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=-1), 1)


def test_a_writer_leaves_what_somebody_else_has_put_among_the_segments(folder):
    (folder / SEGMENTS / "backup").mkdir()
    (folder / SEGMENTS / "backup" / "thesis.txt").write_text("mine")
    (folder / SEGMENTS / ".000009.part").mkdir()  # of a killed writer
    AnswerStore(folder).add(*rows(1))
    assert (folder / SEGMENTS / "backup" / "thesis.txt").read_text() == "mine"
    assert not (folder / SEGMENTS / ".000009.part").exists()


def test_a_reader_notices_an_assistant_that_was_built_again_in_the_same_place(folder, tmp_path):
    """Its segments have the same names; a reader must not show the old ones, nor mix vectors of two encoders."""
    store = AnswerStore(folder)
    before = alive(store)
    for encoder, core in (({}, None), ({}, {"fingerprint": "another"}), ({"fingerprint": "another"}, None)):
        other = tmp_path / "other"
        other.mkdir()
        segment = write_segment(other, 1, *rows(5))
        manifest = {"format": FORMAT, "version": 1, "encoder": encoder, "core": core, "segments": [segment]}
        (other / MANIFEST).write_text(json.dumps(manifest))
        shutil.rmtree(folder)
        other.rename(folder)
        if not encoder and not core:
            assert alive(store) == set(rows(5)[0]["id"].to_pylist()) != before
        else:
            with pytest.raises(ModelError, match="was built again with another encoder or core meanwhile"):
                store.view()
    for use in (store.view, lambda: store.add(*rows(6)), lambda: store.remove(sorted(before))):
        with pytest.raises(ModelError, match="was built again with another encoder or core meanwhile; open it again"):
            use()


def test_no_writer_writes_while_another_assistant_takes_the_place(folder, tmp_path):
    writer = threading.Thread(target=lambda: AnswerStore(folder).add(*rows(1)))
    with writers_locked_out(folder):
        writer.start()
        writer.join(0.3)
        assert AnswerStore(folder).view().version == 1
    writer.join()
    assert AnswerStore(folder).view().version == 2
    with writers_locked_out(tmp_path / "nothing"):
        assert not (tmp_path / "nothing").exists()
