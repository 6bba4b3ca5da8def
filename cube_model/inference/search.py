"""The nearest of many vectors: exact up to a million, through a graph of neighbours above.

The library of the graph is faiss. On 50,000 invented vectors of 384 numbers, one thread, 10 nearest, breadth 128:
recall 0.998 in 0.9 ms (faiss, 32 links), 0.975 in 1.7 ms (usearch) and 0.5 ms (hnswlib), both of 16 links; built in
31, 60 and 25 s. hnswlib has no wheels and no release since 2023, usearch none for Python 3.10; faiss and usearch with
what they need take 66 and 57 MB.

>>> rows, scores = make_search(vectors).nearest(questions, k=5)  # both [questions, 5], best first
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cube_model.errors import ModelError

EXACT_LIMIT = 1_000_000
"""Vectors that are searched exactly. A question costs one pass over them, as fast as memory is: 22 ms of a processor
for 100,000 x 384 and 2.5 ms each for many questions together (`tests/benchmarks/bench_retriever.py`)."""

_BLOCK = 1 << 24
"""Scores held at a time, 64 MB."""


class Search(Protocol):
    """Finds the rows of the index that have the largest inner products with questions.

    Attributes:
        vectors: float32 `[m, d]`.
    """

    vectors: np.ndarray

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 `[n, k]` and scores float32 `[n, k]` for questions float32 `[n, d]`, best first.

        k is cut to the number of vectors.
        """


class ExactSearch:
    """Every question against every vector, in blocks of bounded memory; the vectors may be a memory map.

    Args:
        vectors: float32 `[m, d]`.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search`; of equal scores the lower row comes first."""
        at_once = 256
        parts = [self._nearest(questions[start : start + at_once], k) for start in range(0, len(questions), at_once)]
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([scores for _, scores in parts])

    def _nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        k = min(k, len(self.vectors))
        step = max(k, _BLOCK // len(questions))
        rows = np.empty((len(questions), 0), dtype=np.int64)
        scores = np.empty((len(questions), 0), dtype=np.float32)
        for start in range(0, len(self.vectors), step):
            found = questions @ self.vectors[start : start + step].T
            best = np.argpartition(-found, k - 1, axis=1)[:, :k] if found.shape[1] > k else np.arange(found.shape[1])
            best = np.broadcast_to(best, (len(questions), best.shape[-1]))
            rows = np.concatenate([rows, best + start], axis=1)
            scores = np.concatenate([scores, np.take_along_axis(found, best, axis=1)], axis=1)
            rows, scores = _best_first(rows, scores, k)
        return rows, scores


class GraphSearch:
    """A graph of near neighbours (HNSW, arXiv:1603.09320) over vectors of 8 bits a number proposes candidates.

    Their scores are then computed from the vectors themselves: what is shown is exact, only a neighbour may be missed.

    Args:
        vectors: float32 `[m, d]`.
        file: A graph that `save` wrote for these vectors; built when not given, which takes minutes for millions.

    Raises:
        ModelError: The index library is missing, or the file cannot be read.
    """

    NEIGHBOURS, BUILD_BREADTH, BREADTH = 32, 100, 256
    """Links of a vector, candidates held while building and while searching. Of 100,000 x 384 MiniLM vectors of SGD the
    graph finds 0.997 of the 10 nearest in 1 ms; breadth 64: 0.983 in 0.4 ms, 512: 0.998 in 1.7 ms."""

    def __init__(self, vectors: np.ndarray, file: Path | None = None) -> None:
        self._faiss = _library(len(vectors))
        self.vectors = vectors
        if file is not None:
            try:
                self._graph = self._faiss.read_index(str(file))
            except RuntimeError as error:
                raise ModelError(f"{file}: cannot be read; delete the index and build it again") from error
        else:
            self._graph = self._build()

    def _build(self) -> Any:
        faiss, (count, dimension) = self._faiss, self.vectors.shape
        graph = faiss.IndexHNSWSQ(dimension, faiss.ScalarQuantizer.QT_8bit, self.NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self.BUILD_BREADTH
        graph.train(np.ascontiguousarray(self.vectors[:: max(1, count // 65536)]))  # the range of each number
        step = max(1, _BLOCK // dimension)
        for start in range(0, count, step):
            graph.add(np.ascontiguousarray(self.vectors[start : start + step]))
        return graph

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search`."""
        k = min(k, len(self.vectors))
        self._graph.hnsw.efSearch = max(self.BREADTH, 4 * k)
        _, rows = self._graph.search(np.ascontiguousarray(questions), min(4 * k, len(self.vectors)))
        scores = np.einsum("nkd,nd->nk", self.vectors[rows], questions)
        # the graph says -1 where it reached fewer
        return _best_first(rows, np.where(rows < 0, -np.inf, scores).astype(np.float32), k)

    def save(self, file: Path) -> None:
        """Write the graph, without the vectors themselves."""
        self._faiss.write_index(self._graph, str(file))


def make_search(vectors: np.ndarray, kind: str = "auto", file: Path | None = None) -> Search:
    """A search over vectors float32 `[m, d]`.

    Args:
        vectors: Of length 1, for cosines.
        kind: `"exact"`, `"graph"`, or `"auto"`: exact up to `EXACT_LIMIT` vectors.
        file: See `GraphSearch`.

    Raises:
        ModelError: Another kind, or the index library is missing.
    """
    if kind not in ("auto", "exact", "graph"):
        raise ModelError(f"search {kind!r}: expected auto, exact or graph")
    if kind == "exact" or (kind == "auto" and len(vectors) <= EXACT_LIMIT):
        return ExactSearch(vectors)
    return GraphSearch(vectors, file)


def _best_first(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of each line, best first; of equal scores the lower row."""
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _library(count: int) -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ModelError(
            f"{count:,} answers: a search through a graph needs the library faiss; "
            "`pip install 'dialogue-cube[index]'`, search exactly (--search exact: slower), or index fewer answers"
        ) from error
    return faiss
