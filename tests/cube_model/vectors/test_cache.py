import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from cube_model import EmbeddingCache, ModelError
from cube_model.vectors.store import LAYOUT


class Counter:
    """A fake teacher whose embeddings encode the length of the text; it records the texts it encodes."""

    dimension, parameters, name, dtype = 4, 1, "counter", "float32"

    def __init__(self, fingerprint="f", seconds=0.0):
        self.fingerprint, self.encoded, self.seconds = fingerprint, [], seconds

    def encode(self, texts, advance=None):
        self.encoded += texts
        time.sleep(self.seconds * len(texts))
        return np.array([[len(text), 0, 0, 1 / 3] for text in texts], dtype=np.float32)


def data_file(folder):
    return folder / LAYOUT / "data.mdb"


def in_a_new_process(code, *arguments):
    """Run code in a new process: within one process, a file is opened only once."""
    command = [sys.executable, "-W", "always", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_second_call_reads_from_the_cache(tmp_path):
    cache, teacher = EmbeddingCache(tmp_path), Counter()
    texts = ["a", "bb", "a", "", "\ud800"]  # the last one is half an emoji, as in broken raw data
    first = cache.embed(teacher, texts)
    assert first[:, 0].tolist() == [1, 2, 1, 0, 1]
    assert teacher.encoded == ["a", "bb", "", "\ud800"]
    assert (cache.stats.hits, cache.stats.misses) == (0, 4)
    again = cache.embed(teacher, [*texts, "new one"])
    assert np.array_equal(again[:-1], first)
    assert teacher.encoded[4:] == ["new one"]
    assert (cache.stats.hits, cache.stats.misses) == (4, 5)
    assert len(cache) == 5
    assert cache.embed(teacher, []).shape == (0, 4)


def test_embeddings_of_a_large_teacher_are_written_more_often(tmp_path, monkeypatch):
    cache, teacher = EmbeddingCache(tmp_path), Counter()
    teacher.parameters = 7_000_000_000

    def encode(texts, advance=None):
        if "499" in texts:
            raise KeyboardInterrupt
        return Counter.encode(teacher, texts)

    monkeypatch.setattr(teacher, "encode", encode)
    with pytest.raises(KeyboardInterrupt):
        cache.embed(teacher, [str(i) for i in range(600)])
    assert len(cache) == 256


def test_any_order_from_several_chunks(tmp_path):
    """Vectors match their texts across chunks, in ranges and scattered rows, with missing texts in between."""
    rng = np.random.default_rng(0)
    cache, texts = EmbeddingCache(tmp_path), [f"text {i}" for i in range(3000)]
    vectors = rng.standard_normal((3000, 7), dtype=np.float32)
    order = rng.permutation(3000)
    for part in np.array_split(order, 7):
        cache.put_many("f", [texts[i] for i in part], vectors[part])
    for rows in (np.arange(3000), rng.permutation(3000), rng.integers(0, 3000, 500), order[:400]):
        queries = [texts[i] if i % 5 else f"missing {i}" for i in rows]
        for i, vector in zip(rows, cache.get_many("f", queries), strict=True):
            assert (vector is None) if i % 5 == 0 else np.array_equal(vector, vectors[i])


def test_second_write_replaces_the_first(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.put_many("f", ["a", "b"], np.ones((2, 4), np.float32))
    cache.put_many("f", ["a"], np.full((1, 4), 2, np.float32))
    assert [vector[0] for vector in cache.get_many("f", ["a", "b"])] == [2, 1]
    assert len(cache) == 2


def test_teachers_do_not_share_embeddings(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.embed(Counter("one"), ["a"])
    other = Counter("two")
    cache.embed(other, ["a"])
    assert other.encoded == ["a"]


def test_empty_cache_is_true(tmp_path):
    cache = EmbeddingCache(tmp_path)
    assert len(cache) == 0
    assert cache


def test_two_caches_share_a_folder_in_one_process(tmp_path):
    first, second = EmbeddingCache(tmp_path), EmbeddingCache(tmp_path)
    first.put_many("f", ["a"], np.ones((1, 4), np.float32))
    assert second.get_many("f", ["a", "b"])[0].tolist() == [1, 1, 1, 1]


def test_half_precision_takes_half_the_space_and_is_separate(tmp_path):
    rng = np.random.default_rng(0)
    texts, vectors = [str(i) for i in range(500)], rng.standard_normal((500, 768), dtype=np.float32)
    full, half = EmbeddingCache(tmp_path), EmbeddingCache(tmp_path, precision="float16")
    full.put_many("f", texts, vectors)
    before = full.stats.bytes
    assert half.get_many("f", ["0"]) == [None]
    half.put_many("f", texts, vectors)
    assert 0.4 < (half.stats.bytes - before) / before < 0.6
    assert np.array_equal(half.get_many("f", ["7"])[0], vectors[7].astype(np.float16).astype(np.float32))
    assert np.array_equal(full.get_many("f", ["7"])[0], vectors[7])


def test_vectors_that_are_not_finite_are_not_stored(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.put_many("f", ["good", "bad"], np.array([[1, 2], [np.nan, 1]], np.float32))
    assert [vector is None for vector in cache.get_many("f", ["good", "bad"])] == [False, True]
    cache.put_many("f", ["bad"], np.array([[np.inf, 1]], np.float32))
    assert len(cache) == 1


def test_seconds_saved_estimate_the_encoding_time(tmp_path):
    cache, texts = EmbeddingCache(tmp_path), [f"text {i}" for i in range(20)]
    cache.embed(Counter(seconds=0.01), texts)
    assert cache.stats.seconds_saved == 0
    again = EmbeddingCache(tmp_path)
    again.embed(Counter(), texts[:10])
    # rounded to milliseconds
    assert 0.05 < again.stats.seconds_saved <= round(10 * cache.shelves()[0].seconds_per_text, 3)
    assert cache.shelves()[0].seconds_per_text >= 0.01


def test_size_limit_deletes_the_least_recently_used(tmp_path, monkeypatch):
    now = time.time()
    monkeypatch.setattr("cube_model.vectors.store.time.time", lambda: now)
    cache = EmbeddingCache(tmp_path, max_bytes=1_200_000)
    vectors = np.ones((100, 768), np.float32)  # 307,200 bytes per chunk, so three fit
    for name in ("first", "second", "third"):
        cache.put_many("f", [f"{name} {i}" for i in range(100)], vectors)
        now += 2 * 24 * 3600
    assert cache.get_many("f", ["first 5"])[0] is not None  # now "second" is the least recently used
    cache.put_many("f", [f"fourth {i}" for i in range(100)], vectors)
    stored = {
        name: cache.get_many("f", [f"{name} 5"])[0] is not None for name in ("first", "second", "third", "fourth")
    }
    assert stored == {"first": True, "second": False, "third": True, "fourth": True}
    assert cache.stats.bytes <= 1_200_000
    for round_ in range(30):  # space is reused, so the file does not keep growing
        cache.put_many("f", [f"{round_} {i}" for i in range(100)], vectors)
    assert cache.stats.bytes <= 1_200_000
    assert data_file(tmp_path).stat().st_size < 4_000_000


def test_environment_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE_GB", "1.5")
    cache = EmbeddingCache()
    assert cache.folder == tmp_path / "here" / "embeddings"
    assert cache.max_bytes == 1_500_000_000
    for wrong in ("much", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("DIALOGUE_CUBE_CACHE_GB", wrong)
        with pytest.raises(ModelError, match="expected a number of gigabytes above 0"):
            EmbeddingCache()


def test_error_names_the_wrong_argument(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="DIALOGUE_CUBE_CACHE"):
        EmbeddingCache(tmp_path / "file" / "cache")
    with pytest.raises(ModelError, match="expected one of float32, float16"):
        EmbeddingCache(tmp_path, precision="int8")
    with pytest.raises(ModelError, match="expected more than 0 bytes"):
        EmbeddingCache(tmp_path, max_bytes=-1)
    with pytest.raises(ValueError, match="2 texts but 1 vectors"):
        EmbeddingCache(tmp_path).put_many("f", ["a", "b"], np.ones((1, 4), np.float32))
    cache = EmbeddingCache(tmp_path)
    cache.put_many("f", ["a"], np.ones((1, 4), np.float32))
    with pytest.raises(ModelError, match="vectors have dimension 5: those of this teacher have 4"):
        cache.put_many("f", ["a"], np.ones((1, 5), np.float32))
    assert len(cache) == 1


WRITER = """
import sys, numpy as np
from cube_model.vectors.cache import EmbeddingCache
cache, name, rounds = EmbeddingCache(sys.argv[1], max_bytes=int(sys.argv[4])), sys.argv[2], int(sys.argv[3])
for i in range(rounds):
    texts = [f"{i}-{j}" for j in range(50)]
    cache.put_many(name, texts, np.full((50, 384), i, np.float32))
    for vector in cache.get_many(name, texts):
        assert vector is None or (vector == i).all()
    if i == 0:
        print("started", flush=True)
"""


def start_writer(folder, name, rounds, limit=10**9):
    command = [sys.executable, "-c", WRITER, str(folder), name, str(rounds), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_concurrent_writers(tmp_path):
    processes = [start_writer(tmp_path, name, 40) for name in ("one", "two")]
    assert [process.wait(60) for process in processes] == [0, 0]
    cache = EmbeddingCache(tmp_path)
    assert len(cache) == 2 * 40 * 50
    assert cache.get_many("two", ["39-49"])[0].tolist() == [39.0] * 384
    assert cache.get_many("one", ["0-0"])[0].tolist() == [0.0] * 384


def test_concurrent_writers_with_a_size_limit(tmp_path):
    """Each deletes what the other wrote, but neither ever reads a wrong vector."""
    processes = [start_writer(tmp_path, name, 60, limit=600_000) for name in ("same", "same")]
    assert [process.wait(60) for process in processes] == [0, 0]
    cache = EmbeddingCache(tmp_path, max_bytes=600_000)
    assert 0 < cache.stats.bytes <= 600_000


@pytest.mark.parametrize("limit", [10**9, 600_000])
def test_killed_writer_leaves_complete_chunks(tmp_path, limit):
    process = start_writer(tmp_path, "one", 1_000_000, limit)
    process.stdout.readline()
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    cache = EmbeddingCache(tmp_path)
    assert len(cache) > 0
    assert len(cache) % 50 == 0
    for i in range(2000):
        vectors = cache.get_many("one", [f"{i}-{j}" for j in range(50)])
        assert all(v is None for v in vectors) or all(v is not None and (v == i).all() for v in vectors)
    cache.put_many("one", ["after"], np.ones((1, 384), np.float32))
    assert cache.get_many("one", ["after"])[0].sum() == 384


def test_forked_process_opens_the_file_itself(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.put_many("f", ["a"], np.ones((1, 4), np.float32))
    child = os.fork()
    if not child:
        vector = cache.get_many("f", ["a"])[0]
        cache.put_many("f", ["child"], np.ones((1, 4), np.float32))
        os._exit(0 if vector is not None else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cache.get_many("f", ["child"])[0] is not None


FILL = """
import sys, numpy as np
from cube_model.vectors.cache import EmbeddingCache
rng = np.random.default_rng(0)
cache = EmbeddingCache(sys.argv[1])
for part in range(4):
    cache.put_many("f", [f"{part} {i}" for i in range(200)], rng.standard_normal((200, 64), dtype=np.float32))
"""

READ = """
import sys, numpy as np
from cube_model.vectors.cache import EmbeddingCache
rng = np.random.default_rng(0)
cache = EmbeddingCache(sys.argv[1])
stored = 0
for part in range(4):
    vectors = rng.standard_normal((200, 64), dtype=np.float32)
    for cached, vector in zip(cache.get_many("f", [f"{part} {i}" for i in range(200)]), vectors):
        assert cached is None or np.array_equal(cached, vector), "wrong vector"
        stored += cached is not None
    cache.put_many("f", [f"{part} {i}" for i in range(200)], vectors)
    assert all(v is not None for v in cache.get_many("f", [f"{part} {i}" for i in range(200)])), "not repaired"
print(stored)
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    assert in_a_new_process(FILL, folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    "damage", ["truncated", "only the header", "not a database", "emptied", "one bit", "a lost page"]
)
def test_damaged_file_never_returns_a_wrong_vector(filled, tmp_path, damage):
    folder = tmp_path / "cache"
    shutil.copytree(filled, folder)
    path = data_file(folder)
    content = bytearray(path.read_bytes())
    at = content.find(np.random.default_rng(0).standard_normal((200, 64), dtype=np.float32)[100].tobytes())
    assert at > 0
    changed = {
        "truncated": content[: len(content) // 2],
        "only the header": content[:100],
        "not a database": b"\x01" * len(content),
        "emptied": b"",
        "one bit": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
        "a lost page": content[: at // 4096 * 4096] + bytes(4096) + content[at // 4096 * 4096 + 4096 :],
    }
    path.write_bytes(changed[damage])
    result = in_a_new_process(READ, folder)
    assert result.returncode == 0, result.stderr
    # damage is detected when a vector is read; an empty file counts as a new one
    assert int(result.stdout) < 800
    assert ("damaged" in result.stderr) == (damage != "emptied")
    assert "Traceback" not in result.stderr


def test_older_file_is_ignored(tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"from an older version")
    cache = EmbeddingCache(tmp_path)
    assert len(cache) == 0
    cache.embed(Counter(), ["a"])
    assert (tmp_path / "data.mdb").read_bytes() == b"from an older version"


def test_writer_uses_the_new_file_after_another_process_replaces_it(tmp_path):
    cache = EmbeddingCache(tmp_path)
    cache.put_many("t", ["before"], np.ones((1, 4), np.float32))
    clear = f"from cube_model import EmbeddingCache; EmbeddingCache({str(tmp_path)!r}).clear()"
    subprocess.run([sys.executable, "-c", clear], check=True)
    cache.put_many("t", ["after"], np.full((1, 4), 2, np.float32))
    read = f"print(*EmbeddingCache({str(tmp_path)!r}).get_many('t', ['before', 'after']))"
    result = subprocess.run(
        [sys.executable, "-c", f"from cube_model import EmbeddingCache; {read}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert result.stdout.split() == ["None", "[2.", "2.", "2.", "2.]"]
