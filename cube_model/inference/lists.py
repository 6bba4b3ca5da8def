"""Search in inverted lists on disk, for more vectors than fit in memory.

k-means divides the vectors among lists; a question reads the lists whose centres are nearest. The lists hold 8 bits per
dimension, are built in parts of bounded memory, and are opened as a memory map, so that searching takes the memory of
the centres only.

Measured by `tests/benchmarks/bench_disk_index.py`, in processor time of one thread: of a million vectors (those of
25,000 sentences by MiniLM, multiplied), the lists are built in 180 s and .6 GB; a question takes 4 % of an exact
search and 30 MB and finds the 10 nearest with a recall of 1.00. Of 200,000 random vectors without clusters, the
recall is .95 for 12 % of an exact search, while a graph by faiss reaches 1.00 for 6 % and one by usearch for 8 %. But
graphs take 39 and 26 times as long to build, and are built in memory as a whole.

lists.faiss      centres
lists.ivfdata    vectors in 8 bits and their rows, list by list
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.inference.search import best_of_candidates, load_faiss
from dataset_builders.common.storage import Storage

LISTS, LISTS_DATA = "lists.faiss", "lists.ivfdata"

_MOST_LISTS = 8192
_SAMPLE = 40
"""Maximum number of lists, and vectors per list that k-means sees: half a gigabyte at 384 dimensions."""

_PART, _BLOCK = 1 << 19, 1 << 16
"""Number of vectors in a part, and in memory at once. A killed build repeats its last part."""


class ListSearch:
    """Search of the lists whose centres are nearest to a question; scores are those of the float32 vectors.

    Args:
        vectors: float32 `[m, dimension]`, of norm 1; may be a memory map.
        file: `lists.faiss` of these vectors, beside its `lists.ivfdata`.

    Raises:
        ModelError: faiss is not installed, or the files cannot be read.
    """

    PROBES, CANDIDATES = 128, 100
    """Lists that a question reads, and candidates whose exact scores are computed, more for many neighbours."""

    def __init__(self, vectors: np.ndarray, file: Path) -> None:
        faiss = load_faiss(len(vectors))
        self.vectors, self._file = vectors, file
        try:
            self._index = faiss.read_index(str(file), faiss.IO_FLAG_ONDISK_SAME_DIR)
        except RuntimeError as error:
            raise ModelError(f"{file}: cannot be read; delete the index and build it again") from error
        if self._index.ntotal != len(vectors):
            raise ModelError(f"{file}: {self._index.ntotal} vectors instead of {len(vectors)}; build the index again")
        self._index.nprobe = self.PROBES

    def nearest(self, questions: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search.nearest`."""
        k = min(k, len(self.vectors))
        count = min(max(self.CANDIDATES, 4 * k), len(self.vectors))
        _, rows = self._index.search(np.ascontiguousarray(questions), count)
        return best_of_candidates(self.vectors, questions, rows, k)

    def save(self, file: Path) -> None:
        """Copy the lists, without the float32 vectors."""
        shutil.copyfile(self._file, file)
        shutil.copyfile(self._file.with_name(LISTS_DATA), file.with_name(LISTS_DATA))


def build_lists(vectors: np.ndarray, storage: Storage, folder: Path) -> None:
    """Build the lists of vectors in parts; a build that was killed goes on with the part that is missing.

    Args:
        vectors: float32 `[m, dimension]`, of norm 1; may be a memory map.
        storage: Working folder of this build, which keeps the finished parts.
        folder: Folder for `lists.faiss` and `lists.ivfdata`.

    Raises:
        ModelError: faiss is not installed.
    """
    faiss = load_faiss(len(vectors))
    from faiss.contrib.ondisk import merge_ondisk

    centres = "lists/centres.faiss"
    if not storage.exists(centres):
        _write(faiss, _train(faiss, vectors), storage, centres)
    parts = []
    for start in range(0, len(vectors), _PART):
        parts.append(f"lists/{start // _PART:05d}.faiss")
        if storage.exists(parts[-1]):
            continue
        part = faiss.read_index(str(Path(storage.root, centres)))
        for first in range(start, min(start + _PART, len(vectors)), _BLOCK):
            block = np.ascontiguousarray(vectors[first : min(first + _BLOCK, start + _PART)])
            part.add_with_ids(block, np.arange(first, first + len(block)))
        _write(faiss, part, storage, parts[-1])
    index = faiss.read_index(str(Path(storage.root, centres)))
    with _quiet():
        merge_ondisk(index, [str(Path(storage.root, part)) for part in parts], str(folder / LISTS_DATA))
    faiss.write_index(index, str(folder / LISTS))


def _train(faiss: Any, vectors: np.ndarray) -> Any:
    """Find the centres of the lists by k-means over a random sample."""
    count, dimension = vectors.shape
    lists = max(1, min(_MOST_LISTS, count // _SAMPLE, 1 << round(np.log2(4 * count**0.5))))
    inner, quantised = faiss.METRIC_INNER_PRODUCT, faiss.ScalarQuantizer.QT_8bit
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dimension), dimension, lists, quantised, inner)
    sample = np.random.default_rng(0).choice(count, size=min(count, _SAMPLE * lists), replace=False)
    index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
    return index


@contextmanager
def _quiet() -> Iterator[None]:
    """Mute the standard output, to which faiss prints the size of a file, among the answers that a command prints."""
    flush = ctypes.CDLL(None).fflush if os.name == "posix" else lambda _: None
    sys.stdout.flush()
    flush(None)
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(kept, 1)
        os.close(kept)


def _write(faiss: Any, index: Any, storage: Storage, name: str) -> None:
    with storage.create(name) as path:
        faiss.write_index(index, str(path))
