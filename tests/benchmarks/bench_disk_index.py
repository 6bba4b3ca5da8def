"""Compare indexes of more vectors than fit in memory: memory and time of building and searching, and recall.

    python tests/benchmarks/bench_disk_index.py WORK [--npy FILE] [--vectors 1000000] [--kinds lists,graph,usearch]

The vectors come from a .npy file (fewer rows are multiplied: row a plus .3 times the difference of rows b and c), or they
are random, near a subspace of 32 dimensions. Questions are 500 rows, plus .3 times such a difference. Each step is a new
process. Memory is the peak of what a process allocates; pages of mapped files, which the system may drop, are counted
apart. Times are ratios to an exact search of one question, in processor time; the recall is that of the 10 nearest.
Candidates are scored again with the float32 vectors. `usearch` is measured where it can be imported. Requires the extra
`index`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import faiss
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # tests/ alone hides the packages

from benchmarks.peak import Peak, say
from cube_model.inference.lists import LISTS, build_lists
from cube_model.inference.search import ExactSearch, GraphSearch
from dataset_builders.common.storage import Storage

K, CANDIDATES, PART = 10, 100, 100_000


def make_vectors(options: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    if options.npy:
        base = np.load(options.npy, mmap_mode="r")
    else:
        basis = rng.standard_normal((32, 384), dtype=np.float32)
        base = rng.standard_normal((100_000, 32), dtype=np.float32) @ basis
        base += rng.standard_normal(base.shape, dtype=np.float32)

    def mixed(a: np.ndarray) -> np.ndarray:
        b, c = rng.integers(len(base), size=(2, len(a)))
        rows = base[a] + 0.3 * (base[b] - base[c])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    shape = (options.vectors, base.shape[1])
    vectors = np.lib.format.open_memmap(options.work / "vectors.npy", "w+", np.float32, shape)
    for start in range(0, len(vectors), PART):
        rows = np.arange(start, min(start + PART, len(vectors)))
        vectors[rows] = mixed(rows % len(base))
    questions = mixed(rng.integers(len(base), size=500))
    np.save(options.work / "questions.npy", questions)
    best = np.zeros((len(questions), 0), np.float32)
    rows = np.zeros((len(questions), 0), np.int64)
    for start in range(0, len(vectors), PART):
        scores = questions @ vectors[start : start + PART].T
        best = np.concatenate([best, scores], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)], axis=1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :K]
        best, rows = np.take_along_axis(best, order, 1), np.take_along_axis(rows, order, 1)
    np.save(options.work / "expected.npy", rows)


def build(kind: str, vectors: np.ndarray, file: Path) -> None:
    if kind == "usearch":
        from usearch.index import Index

        index = Index(ndim=vectors.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=100)
        for start in range(0, len(vectors), PART):
            rows = np.arange(start, min(start + PART, len(vectors)))
            index.add(rows, np.ascontiguousarray(vectors[rows]), threads=1)
        index.save(str(file))
    elif kind == "lists":
        faiss.omp_set_num_threads(1)
        file.mkdir()
        with tempfile.TemporaryDirectory(dir=file.parent) as work:
            build_lists(vectors, Storage(work), file)
    elif kind == "graph":
        faiss.omp_set_num_threads(1)
        GraphSearch(vectors).save(file)


def open_search(kind: str, vectors: np.ndarray, file: Path) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Functions from a question `[1, d]` to its candidates, by setting."""
    if kind == "exact":
        return {"": lambda question: ExactSearch(vectors).nearest(question, K)[0]}
    if kind == "usearch":
        from usearch.index import Index

        index = Index(ndim=vectors.shape[1], metric="ip", dtype="i8")
        index.view(str(file))

        def search(question: np.ndarray, breadth: int) -> np.ndarray:
            index.expansion_search = breadth
            return np.asarray(index.search(question[0], CANDIDATES, threads=1).keys)[None].astype(np.int64)

        return {f"breadth {n}": partial(search, breadth=n) for n in (128, 256, 512)}
    faiss.omp_set_num_threads(1)
    if kind == "graph":
        graph = faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)

        def walk(question: np.ndarray, breadth: int) -> np.ndarray:
            graph.hnsw.efSearch = breadth
            return np.asarray(graph.search(question, CANDIDATES)[1])

        return {f"breadth {n}": partial(walk, breadth=n) for n in (128, 256, 512)}
    lists = faiss.read_index(str(file / LISTS), faiss.IO_FLAG_ONDISK_SAME_DIR)

    def probe(question: np.ndarray, count: int) -> np.ndarray:
        lists.nprobe = count
        return np.asarray(lists.search(question, CANDIDATES)[1])

    return {f"{n} of {lists.nlist} lists": partial(probe, count=n) for n in (16, 32, 64, 128, 256)}


def step(options: argparse.Namespace) -> dict[str, object]:
    if options.step == "vectors":
        make_vectors(options)
        return {}
    vectors = np.load(options.work / "vectors.npy", mmap_mode="r")
    file = options.work / options.kinds
    peak = Peak()
    wall, processor = time.perf_counter(), time.process_time()
    if options.step == "build":
        build(options.kinds, vectors, file)
        peak.look()
        disk = sum(path.stat().st_size for path in [file, *file.glob("*")] if path.is_file()) / 1e6
        times = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - processor, "disk": disk}
        return {**times, "anonymous": peak.anonymous, "mapped": peak.mapped}
    questions = np.load(options.work / "questions.npy")
    expected = np.load(options.work / "expected.npy")
    results = {}
    for setting, search in open_search(options.kinds, vectors, file).items():
        chosen = questions[:20] if options.kinds == "exact" else questions
        hits, processor = 0, time.process_time()
        for question, right in zip(chosen, expected, strict=False):
            rows = search(question[None])[0]
            rows = rows[rows >= 0]
            best = rows[np.argsort(-(vectors[rows] @ question), kind="stable")[:K]]
            hits += len(set(best.tolist()) & set(right.tolist()))
        seconds = (time.process_time() - processor) / len(chosen)
        results[setting] = {"seconds": seconds, "recall": hits / K / len(chosen)}
    peak.look()
    return {"settings": results, "anonymous": peak.anonymous, "mapped": peak.mapped}


def run(options: argparse.Namespace, name: str, kind: str) -> dict[str, object]:
    words = [sys.executable, __file__, str(options.work), "--step", name, "--kinds", kind]
    words += ["--vectors", str(options.vectors), *(["--npy", options.npy] if options.npy else [])]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--npy")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--kinds", default="lists,graph,usearch")
    parser.add_argument("--step", choices=("vectors", "build", "search"))
    options = parser.parse_args()
    if options.step:
        say(json.dumps(step(options)))
        return
    options.work.mkdir(parents=True, exist_ok=True)
    if not (options.work / "expected.npy").exists():
        run(options, "vectors", "")
    exact = 0.0
    for kind in ["exact", *(kind for kind in options.kinds.split(",") if kind != "exact")]:
        built = run(options, "build", kind)
        searched = run(options, "search", kind)
        say(f"{kind}: build", {name: round(value, 1) for name, value in built.items()})
        for setting, figures in searched["settings"].items():
            exact = exact or figures["seconds"]
            say(
                f"{kind} {setting}: {figures['seconds'] / exact:.4f} of exact, {figures['seconds'] * 1e3:.2f} ms CPU, "
                f"recall {figures['recall']:.4f}, {searched['anonymous']:.0f} MB, {searched['mapped']:.0f} MB mapped"
            )


if __name__ == "__main__":
    main()
