import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from cube_model import EmbeddingCache, ModelError


class Counter:
    """A teacher whose vectors tell the text; it counts what it is asked."""

    dimension, name, dtype = 4, "counter", "float32"

    def __init__(self, fingerprint="f"):
        self.fingerprint, self.asked = fingerprint, []

    def encode(self, texts, advance=None):
        self.asked += texts
        return np.array([[len(text), 0, 0, 1] for text in texts], dtype=np.float32)


def test_second_time_comes_from_the_cache(tmp_path):
    cache, teacher = EmbeddingCache(tmp_path), Counter()
    texts = ["a", "bb", "a", "", "\ud800"]  # the last one is half an emoji, as broken raw data has it
    first = cache.embed(teacher, texts)
    assert first[:, 0].tolist() == [1, 2, 1, 0, 1]
    assert teacher.asked == ["a", "bb", "", "\ud800"]
    assert (cache.stats.hits, cache.stats.misses) == (0, 4)
    again = cache.embed(teacher, [*texts, "new one"])
    assert np.array_equal(again[:-1], first)
    assert teacher.asked[4:] == ["new one"]
    assert (cache.stats.hits, cache.stats.misses) == (4, 5)
    assert len(cache) == 5


def test_another_teacher_gets_nothing_of_it(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.embed(Counter("one"), ["a"])
    other = Counter("two")
    cache.embed(other, ["a"])
    assert other.asked == ["a"]


def test_two_caches_of_one_folder_in_one_process(tmp_path):
    first, second = EmbeddingCache(tmp_path), EmbeddingCache(tmp_path)
    first.put_many("f", ["a"], np.ones((1, 4), np.float32))
    assert second.get_many("f", ["a", "b"])[0].tolist() == [1, 1, 1, 1]


def test_environment_variable_names_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "here"))
    assert EmbeddingCache().folder == tmp_path / "here" / "embeddings"
    assert (tmp_path / "here").is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="DIALOGUE_CUBE_CACHE"):
        EmbeddingCache(tmp_path / "file" / "cache")


def test_as_many_vectors_as_texts(tmp_path):
    with pytest.raises(ValueError, match="2 texts but 1 vectors"):
        EmbeddingCache(tmp_path).put_many("f", ["a", "b"], np.ones((1, 4), np.float32))


WRITER = """
import sys, numpy as np
from cube_model.embedding_cache import EmbeddingCache
cache, name, rounds = EmbeddingCache(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for i in range(rounds):
    cache.put_many(name, [f"{i}-{j}" for j in range(50)], np.full((50, 384), i, np.float32))
    if i == 0:
        print("started", flush=True)
"""


def writer(folder, name, rounds):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name, str(rounds)], stdout=subprocess.PIPE)


def test_two_writers_at_a_time(tmp_path):
    processes = [writer(tmp_path, name, 40) for name in ("one", "two")]
    assert [process.wait(60) for process in processes] == [0, 0]
    cache = EmbeddingCache(tmp_path)
    assert len(cache) == 2 * 40 * 50
    assert cache.get_many("two", ["39-49"])[0].tolist() == [39.0] * 384


def test_a_killed_writer_leaves_whole_rounds(tmp_path):
    process = writer(tmp_path, "one", 1_000_000)
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    cache = EmbeddingCache(tmp_path)
    assert len(cache) > 0
    assert len(cache) % 50 == 0
    assert cache.get_many("one", ["0-0"])[0].tolist() == [0.0] * 384
    cache.put_many("one", ["after"], np.ones((1, 384), np.float32))
    assert cache.get_many("one", ["after"])[0].sum() == 384
