"""Compare the embedding cache with a copy in memory, with other stores, and with encoding the texts again.

    python tests/benchmarks/bench_embedding_cache.py [--teacher minilm] [--texts 2000] [--vectors 100000]

First part: this cache, LMDB with one value per vector, and SQLite store `--vectors` x 768 float32 vectors and read them in
another order; the lower bound is a copy of the array in memory. Prints the best of `--repeats`, in wall seconds and in
CPU seconds, which depend less on other load. Second part: a real teacher encodes texts through the cache twice; the
ratio is the gain of the second use.
"""

import argparse
import hashlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lmdb
import numpy as np

from cube_model import EmbeddingCache, Teacher

DIMENSION = 768
WRITE = 1 << 14


def sentences(count: int) -> list[str]:
    things = ("a cheap room", "a table by the window", "two tickets for the evening train", "an appointment")
    return [f"Hello, I need {things[i % 4]} for {i % 7 + 1} people on day {i // 4}, please." for i in range(count)]


def keys(texts: list[str]) -> list[bytes]:
    return [hashlib.sha256(text.encode()).digest()[:16] for text in texts]


def this_cache(
    folder: Path, texts: list[str], vectors: np.ndarray, precision: str
) -> Callable[[list[str]], np.ndarray]:
    cache = EmbeddingCache(folder, precision=precision)
    for start in range(0, len(texts), WRITE):
        part = slice(start, start + WRITE)
        cache.put_many("f", texts[part], vectors[part])

    class CachedTeacher:
        fingerprint, dimension, parameters, name, dtype = "f", DIMENSION, 1, "test", "float32"

    return lambda texts: cache.embed(CachedTeacher, texts)


def lmdb_values(folder: Path, texts: list[str], vectors: np.ndarray) -> Callable[[list[str]], np.ndarray]:
    file = lmdb.open(str(folder), map_size=1 << 36, metasync=False)
    for start in range(0, len(texts), WRITE):
        part = slice(start, start + WRITE)
        rows = sorted(zip(keys(texts[part]), (row.tobytes() for row in vectors[part]), strict=True))
        with file.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(rows)

    def read(texts: list[str]) -> np.ndarray:
        with file.begin(buffers=True) as transaction:
            values = [transaction.get(key) for key in keys(texts)]
            return np.frombuffer(b"".join(values), dtype="<f4").reshape(-1, DIMENSION)

    return read


def sqlite(folder: Path, texts: list[str], vectors: np.ndarray) -> Callable[[list[str]], np.ndarray]:
    file = sqlite3.connect(folder / "vectors.sqlite", isolation_level=None)
    file.execute("pragma page_size=8192")
    file.execute("pragma journal_mode=wal")
    file.execute("pragma synchronous=normal")
    file.execute("pragma mmap_size=17179869184")
    file.execute("create table vectors (key integer primary key, vector blob)")

    def numbers(texts: list[str]) -> list[int]:
        return np.frombuffer(b"".join(keys(texts)), dtype="<i8")[::2].tolist()

    for start in range(0, len(texts), WRITE):
        part = slice(start, start + WRITE)
        file.execute("begin immediate")
        rows = sorted(zip(numbers(texts[part]), (row.tobytes() for row in vectors[part]), strict=True))
        file.executemany("insert or replace into vectors values (?, ?)", rows)
        file.execute("commit")

    def read(texts: list[str]) -> np.ndarray:
        ids = numbers(texts)
        values: dict[int, bytes] = {}
        for start in range(0, len(ids), 1000):
            part = ids[start : start + 1000]
            marks = ",".join("?" * len(part))
            values.update(file.execute(f"select key, vector from vectors where key in ({marks})", part))
        return np.frombuffer(b"".join([values[key] for key in ids]), dtype="<f4").reshape(-1, DIMENSION)

    return read


def best(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Measure the minimum of wall and CPU seconds."""
    wall, cpu = [], []
    for _ in range(repeats):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - wall_start)
        cpu.append(time.process_time() - cpu_start)
    return min(wall), min(cpu)


def size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def stores(count: int, repeats: int) -> None:
    rng = np.random.default_rng(0)
    texts, vectors = sentences(count), rng.standard_normal((count, DIMENSION), dtype=np.float32)
    order = rng.permutation(count)
    queries, expected = [texts[i] for i in order], vectors[order]
    makers: dict[str, Callable[[Path], Callable[[list[str]], np.ndarray]]] = {
        "this cache": lambda folder: this_cache(folder, texts, vectors, "float32"),
        "this cache, float16": lambda folder: this_cache(folder, texts, vectors, "float16"),
        "LMDB": lambda folder: lmdb_values(folder, texts, vectors),
        "SQLite": lambda folder: sqlite(folder, texts, vectors),
    }
    sys.stdout.write(f"{count:,} x {DIMENSION}\n{'':22} {'write s':>8} {'read s':>8} {'read CPU s':>11} {'MB':>7}\n")
    wall, cpu = best(lambda: vectors[order], repeats)
    sys.stdout.write(f"{'copy in memory':22} {'':>8} {wall:8.3f} {cpu:11.3f} {vectors.nbytes / 1e6:7.0f}\n")
    for name, make in makers.items():
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            read = make(Path(folder))
            write_seconds = time.perf_counter() - start
            np.testing.assert_allclose(read(queries), expected, rtol=1e-3, atol=1e-4)
            wall, cpu = best(lambda read=read: read(queries), repeats)
            sys.stdout.write(f"{name:22} {write_seconds:8.2f} {wall:8.3f} {cpu:11.3f} {size(Path(folder)):7.0f}\n")


def second_use(name: str, count: int, repeats: int) -> None:
    texts = sentences(count)
    sys.stdout.write(f"\n{count:,} texts\n{'teacher':22} {'first s':>8} {'second s':>9} {'ratio':>7}\n")
    for dtype in ("float32", "auto"):
        teacher = Teacher.load(name, dtype, "cpu")
        teacher.encode(texts[:64])  # warm up
        with tempfile.TemporaryDirectory() as folder:
            cache = EmbeddingCache(folder)
            start = time.perf_counter()
            vectors = cache.embed(teacher, texts)
            first = time.perf_counter() - start
            again = EmbeddingCache(folder)
            second, _ = best(lambda again=again, teacher=teacher: again.embed(teacher, texts), repeats)
            assert np.array_equal(again.embed(teacher, texts), vectors)
        sys.stdout.write(f"{f'{name}, {teacher.dtype}':22} {first:8.2f} {second:9.4f} {first / second:6.0f}x\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", default="minilm")
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    stores(args.vectors, args.repeats)
    second_use(args.teacher, args.texts, args.repeats)


if __name__ == "__main__":
    main()
