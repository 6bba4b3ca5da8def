"""Build an index of more answers than fit in memory, in parts; a build that was killed goes on where it was.

The working folder beside the index keeps the mapped embeddings so far (`vectors.safetensors`) and the finished parts of
the lists.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError
from cube_model.inference.index import VECTORS, write_answers, write_record
from cube_model.inference.lists import build_lists
from cube_model.vectors.tensors import create_tensor, open_tensor
from dataset_builders.common.files import needs_room
from dataset_builders.common.outputs import Output
from dataset_builders.common.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_PART_BYTES = 1 << 26
"""Bytes of the embeddings that are encoded, mapped and written at once."""

_PLAN, _DONE = "index-plan.json", "index-done.json"


def build_in_parts(
    output: Output,
    answers: pa.Table,
    fingerprints: dict[str, str],
    dimension: int,
    embed: Callable[[list[str]], np.ndarray],
    advance: Callable[[int], object],
) -> None:
    """Write an index with lists on disk.

    Args:
        output: Claimed output of the kind `INDEX`.
        answers: See `AnswerIndex`.
        fingerprints: See `AnswerIndex`.
        dimension: Dimension of the embeddings.
        embed: Function of m texts that returns their embeddings mapped by the core, float32 `[m, dimension]`.
        advance: Called with the number of answers embedded since the last call.

    Raises:
        ModelError: faiss is not installed, or the index cannot be written.
    """
    storage = Storage(str(output.work))
    plan = {"fingerprints": fingerprints, "answers": len(answers)}
    if storage.exists(_PLAN) and storage.read_json(_PLAN) != plan:
        output.discard_work()
    storage.write_json(_PLAN, plan)
    try:
        with needs_room(output.place, "run the same command again", ModelError):
            mapped = output.work / VECTORS
            vectors = _embed(storage, mapped, answers, dimension, embed, advance)
            output.new.mkdir()
            build_lists(vectors, storage, output.new)
            del vectors
            try:
                os.link(mapped, output.new / VECTORS)
            except OSError:  # a file system without hard links
                mapped.replace(output.new / VECTORS)
                (output.work / _DONE).unlink()
            write_answers(answers, output.new, mapped=True)
            write_record(output.new, answers, dimension, fingerprints)
        output.put()
    except OSError as error:
        raise ModelError(f"{output.place}: cannot be written ({error.strerror or error})") from error
    output.discard_work()


def _embed(
    storage: Storage,
    file: Path,
    answers: pa.Table,
    dimension: int,
    embed: Callable[[list[str]], np.ndarray],
    advance: Callable[[int], object],
) -> np.ndarray:
    shape = (len(answers), dimension)
    done = storage.read_json(_DONE) if storage.exists(_DONE) else 0
    vectors = open_tensor(file, shape) if done else create_tensor(file, "vectors", shape)
    advance(done)
    step = max(1, _PART_BYTES // (4 * dimension))
    for start in range(done, len(answers), step):
        texts = answers["text"].slice(start, step).to_pylist()
        vectors[start : start + len(texts)] = embed(texts)
        vectors.flush()
        storage.write_json(_DONE, start + len(texts))
        advance(len(texts))
    return vectors
