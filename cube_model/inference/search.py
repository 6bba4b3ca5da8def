"""Nearest-neighbour search: exact up to a million vectors, through a graph of neighbours up to four million.

`lists` is the search of more vectors, which are on disk.

The graph is built by faiss. On 50,000 invented vectors of 384 dimensions, with one thread, 10 neighbours and breadth
128, faiss (32 links) has a recall of 0.998 in 0.9 ms, usearch (16 links) 0.975 in 1.7 ms and hnswlib (16 links) 0.975
in 0.5 ms; they build the graph in 31, 60 and 25 s. hnswlib has no wheels and no release since 2023, usearch has none
for Python 3.10; faiss and usearch take 66 and 57 MB with their dependencies.

>>> rows, scores = make_search(vectors).nearest(questions, k=5)  # both [questions, 5], best first
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cube_model.errors import ModelError
from cube_model.inference.choices import SEARCH_KINDS, SearchKind

GRAPH_LIMIT = 4_000_000
"""Largest number of vectors whose graph `"auto"` builds in memory, 2.6 GB at 384 dimensions; above, lists on disk."""

EXACT_LIMIT = 1_000_000
"""Largest number of vectors that `"auto"` searches exactly. A question takes one pass over them, limited by memory
bandwidth: 22 ms on a CPU for 100,000 x 384, or 2.5 ms each in a batch (`tests/benchmarks/bench_retriever.py`)."""

_BLOCK = 1 << 24
"""Number of scores in memory at once (64 MB)."""


class Search(Protocol):
    """Search for the vectors with the largest inner products with a question.

    Attributes:
        vectors: float32 `[m, dimension]`.
    """

    vectors: np.ndarray

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the k nearest vectors of each question.

        Args:
            questions: float32 `[n, dimension]`.
            k: Number of neighbours; at most m are returned.

        Returns:
            Rows of `vectors`, int64 `[n, k]`, and their scores, float32 `[n, k]`, best first.
        """


class ExactSearch:
    """Compare every question with every vector, in blocks of bounded memory.

    Args:
        vectors: float32 `[m, dimension]`; may be a memory map.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search.nearest`; of equal scores, the lower row comes first."""
        batch = 256
        parts = [self._nearest(questions[start : start + batch], k) for start in range(0, len(questions), batch)]
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([scores for _, scores in parts])

    def _nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        k = min(k, len(self.vectors))
        step = max(k, _BLOCK // len(questions))
        rows = np.empty((len(questions), 0), dtype=np.int64)
        scores = np.empty((len(questions), 0), dtype=np.float32)
        for start in range(0, len(self.vectors), step):
            block = questions @ self.vectors[start : start + step].T
            best = np.argpartition(-block, k - 1, axis=1)[:, :k] if block.shape[1] > k else np.arange(block.shape[1])
            best = np.broadcast_to(best, (len(questions), best.shape[-1]))
            rows = np.concatenate([rows, best + start], axis=1)
            scores = np.concatenate([scores, np.take_along_axis(block, best, axis=1)], axis=1)
            rows, scores = _best_first(rows, scores, k)
        return rows, scores


class GraphSearch:
    """Search a graph of neighbours (HNSW, arXiv:1603.09320) over the vectors quantised to 8 bits.

    The graph proposes candidates, whose scores are then computed from the float32 vectors: scores are exact, but a
    neighbour may be missed.

    Args:
        vectors: float32 `[m, dimension]`.
        file: Graph of these vectors, written by `save`. Default: build one (minutes for millions of vectors).

    Raises:
        ModelError: faiss is not installed, or the file cannot be read.
    """

    NEIGHBOURS, BUILD_BREADTH, BREADTH = 32, 100, 256
    """Links per vector, and candidates while building and searching. On 100,000 x 384 MiniLM embeddings of SGD, the
    recall of the 10 nearest is 0.997 in 1 ms; with breadth 64 it is 0.983 in 0.4 ms, with 512 0.998 in 1.7 ms."""

    def __init__(self, vectors: np.ndarray, file: Path | None = None) -> None:
        self._faiss = load_faiss(len(vectors))
        self.vectors = vectors
        if file is not None:
            try:
                self._graph = self._faiss.read_index(str(file), self._faiss.IO_FLAG_MMAP_IFC)  # a memory map
            except RuntimeError as error:
                raise ModelError(f"{file}: cannot be read; delete the index and build it again") from error
        else:
            self._graph = self._build()

    def _build(self) -> Any:
        faiss, (count, dimension) = self._faiss, self.vectors.shape
        graph = faiss.IndexHNSWSQ(dimension, faiss.ScalarQuantizer.QT_8bit, self.NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self.BUILD_BREADTH
        graph.train(np.ascontiguousarray(self.vectors[:: max(1, count // 65536)]))  # the range of each dimension
        step = max(1, _BLOCK // dimension)
        for start in range(0, count, step):
            graph.add(np.ascontiguousarray(self.vectors[start : start + step]))
        return graph

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search.nearest`."""
        k = min(k, len(self.vectors))
        self._graph.hnsw.efSearch = max(self.BREADTH, 4 * k)
        _, rows = self._graph.search(np.ascontiguousarray(questions), min(4 * k, len(self.vectors)))
        return best_of_candidates(self.vectors, questions, rows, k)

    def save(self, file: Path) -> None:
        """Write the graph to a file, without the float32 vectors."""
        self._faiss.write_index(self._graph, str(file))


def check_kind(kind: str) -> None:
    """Check the name of a kind of search.

    Raises:
        ModelError: It is unknown.
    """
    if kind not in SEARCH_KINDS:
        raise ModelError(f"search {kind!r}: expected one of {', '.join(SEARCH_KINDS)}")


def uses_lists(kind: SearchKind, count: int) -> bool:
    """Return whether a new index of this many vectors has lists on disk."""
    check_kind(kind)
    return kind == "lists" or (kind == "auto" and count > GRAPH_LIMIT)


def make_search(vectors: np.ndarray, kind: SearchKind = "auto", file: Path | None = None) -> Search:
    """Create a search over vectors.

    Args:
        vectors: float32 `[m, dimension]`, of norm 1 so that scores are cosines.
        kind: `"exact"`, `"graph"`, or `"auto"`: exact up to `EXACT_LIMIT` vectors, else a graph.
        file: Graph of these vectors, for `GraphSearch`.

    Raises:
        ModelError: `kind` is unknown, faiss is not installed, or the file cannot be read.
    """
    check_kind(kind)
    if kind == "lists":
        raise ModelError("lists are built on disk, with an index: pass the dataset to search too (--data)")
    if kind == "exact" or (kind == "auto" and len(vectors) <= EXACT_LIMIT):
        return ExactSearch(vectors)
    return GraphSearch(vectors, file)


def best_of_candidates(
    vectors: np.ndarray, questions: np.ndarray, rows: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Select the best candidates by their exact scores.

    Args:
        vectors: float32 `[m, dimension]`.
        questions: float32 `[n, dimension]`.
        rows: Candidates of each question, int64 `[n, candidates]`; -1 where faiss found fewer.
        k: Number of candidates to select.

    Returns:
        Rows and scores `[n, k]`, best first.
    """
    scores = np.einsum("nkd,nd->nk", vectors[rows], questions)
    return _best_first(rows, np.where(rows < 0, -np.inf, scores).astype(np.float32), k)


def _best_first(rows: np.ndarray, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of each question, best first; of equal scores, the lower row comes first."""
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def load_faiss(count: int) -> Any:
    """Import faiss.

    Args:
        count: Number of vectors to search, for the message.

    Raises:
        ModelError: It is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ModelError(
            f"{count:,} answers: a graph or lists require faiss; `pip install 'dialogue-cube[index]'`, use exact "
            "search (--search exact, slower), or index fewer answers"
        ) from error
    return faiss
