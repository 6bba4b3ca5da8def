"""Processes of the tests of the store: `python assistant_writer.py write|read FOLDER`.

The vector of an entry follows from its id, so that a reader notices entries with the vectors of others.
"""

import sys
import time
from pathlib import Path

import numpy as np

from cube_model.assistant.entries import entries_of_pairs
from cube_model.assistant.store import AnswerStore

DIMENSION = 8


def vector(id):
    row = np.random.default_rng(int(id, 16)).standard_normal(DIMENSION).astype(np.float32)
    return row / np.linalg.norm(row)


def rows(number):
    """Two entries: the number of the writer's round tells their texts."""
    table = entries_of_pairs([(f"question {number} {part}", f"answer {number} {part}") for part in "ab"])
    vectors = np.stack([vector(id) for id in table["id"].to_pylist()])
    return table, vectors, -vectors


def write(folder):
    """Add two entries and remove one of them, until killed; print each round when it is done."""
    store = AnswerStore(folder)
    for number in range(int(time.time() * 1000), sys.maxsize):
        table, vectors, answers = rows(number)
        store.add(table, vectors, answers)
        store.remove([table["id"][0].as_py()])
        print(table["id"][0].as_py(), table["id"][1].as_py(), flush=True)


def read(folder):
    """Read until a file `stop` appears; fail if a version goes back, or is not whole."""
    store, last, versions = AnswerStore(folder), 0, set()
    while not (folder.parent / "stop").exists():
        view = store.view()
        assert view.version >= last, (view.version, last)
        if view.version != last:
            check(view)
        last = view.version
        versions.add(last)
    print(len(versions))


def check(view):
    """Every entry has its own vector, and of each round at most the removed one is missing."""
    ids = view.table["id"].to_pylist()
    assert len(ids) == len(view.alive)
    got = view.vectors(np.arange(len(ids)))
    assert np.allclose(got, [vector(id) for id in ids])
    assert np.allclose(view.answer_vectors(np.arange(len(ids))), -got)
    assert len({id for id, there in zip(ids, view.alive, strict=True) if there}) == view.alive.sum()


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](Path(sys.argv[2]))
