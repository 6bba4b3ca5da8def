"""Measure the time of a search, and the recall of the graph.

    python tests/benchmarks/bench_retriever.py [--index DIR | --npy FILE] [--vectors 100000] [--dimension 384]

The vectors come from a saved index (`dialogue-cube ask --index`) or a .npy file, or they are random (near a subspace of
32 dimensions, without clusters, which is harder for a graph than vectors of sentences). Every 500th vector is removed and
used as a question. Prints wall and CPU milliseconds per question, the best of `--repeats`. `read` sums all vectors, which
is the lower bound of an exact search. Recall is the share of the exact 10 nearest vectors that the graph finds. Requires
the extra `index`.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np

from cube_model.inference.index import AnswerIndex
from cube_model.inference.search import ExactSearch, GraphSearch


def say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def random_vectors(count: int, dimension: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((32, dimension), dtype=np.float32)
    vectors = rng.standard_normal((count, 32), dtype=np.float32) @ basis
    vectors += rng.standard_normal((count, dimension), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def milliseconds(run: Callable[[], object], questions: int, repeats: int) -> str:
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return f"{min(walls) / questions * 1e3:8.2f} ms wall {min(processors) / questions * 1e3:8.2f} ms CPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--index")
    source.add_argument("--npy")
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    if options.index:
        vectors = np.array(AnswerIndex.load(options.index, search="exact").search.vectors)
    else:
        vectors = np.load(options.npy) if options.npy else random_vectors(options.vectors, options.dimension)
    vectors = vectors[: options.vectors]
    is_question = np.arange(len(vectors)) % 500 == 0
    vectors, questions = np.ascontiguousarray(vectors[~is_question]), vectors[is_question]
    say(f"{len(vectors):,} x {vectors.shape[1]}, {len(questions)} questions")

    exact = ExactSearch(vectors)
    say("read             ", milliseconds(lambda: vectors.sum(0), 1, options.repeats))
    say("exact, one       ", milliseconds(lambda: exact.nearest(questions[:1], 10), 1, options.repeats))
    say("exact, together  ", milliseconds(lambda: exact.nearest(questions, 10), len(questions), 2))
    expected, _ = exact.nearest(questions, 10)

    start, processor = time.perf_counter(), time.process_time()
    graph = GraphSearch(vectors)
    say(f"graph, build      {time.perf_counter() - start:8.1f} s  wall {time.process_time() - processor:8.1f} s  CPU")
    for breadth in (64, 128, 256, 512):
        graph.BREADTH = breadth
        times = milliseconds(lambda: [graph.nearest(question[None], 10) for question in questions], len(questions), 2)
        nearest, _ = graph.nearest(questions, 10)
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(nearest, expected, strict=True)])
        say(f"graph, breadth {breadth:3d}{times} recall {recall:.4f}")


if __name__ == "__main__":
    main()
