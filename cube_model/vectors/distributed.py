"""Encoding shared by the processes of one run: each computes its part, all get the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cube_model.teacher.teacher import Teacher


def encode_together(
    teacher: Teacher,
    texts: Sequence[str],
    accelerator: Accelerator | None = None,
    advance: Callable[[int], object] | None = None,
) -> np.ndarray:
    """`teacher.encode`, shared by all processes of `accelerator`.

    Every process must call it with the same texts. Batches depend on the number of processes, and with them the last
    bits of a vector; within one run all processes get the same bytes.

    Args:
        teacher: Loaded in each process, on its own device.
        texts: n texts.
        accelerator: The run; alone when not given.
        advance: Called with the number of distinct texts that all processes together have done since its last call.

    Returns:
        float32 `[n, dimension]`.

    Raises:
        ModelError: The processes have different teachers or texts.
    """
    if accelerator is None or accelerator.num_processes == 1:
        return teacher.encode(texts, advance=advance)
    import torch

    _check_agreement(accelerator, teacher, texts)
    rank, world = accelerator.process_index, accelerator.num_processes
    order = np.argsort([len(text) for text in texts], kind="stable")  # dealt out by length: equal work for all
    mine = [texts[i] for i in order[rank::world]]
    share = -(-len(texts) // world)
    own = np.zeros((share, teacher.dimension), dtype=np.float32)  # gathering needs equal sizes
    own[: len(mine)] = teacher.encode(mine, advance=advance and (lambda count: advance(count * world)))
    parts = accelerator.gather(torch.from_numpy(own).to(accelerator.device)).cpu().numpy().reshape(world, share, -1)
    vectors = np.empty((len(texts), teacher.dimension), dtype=np.float32)
    for number, part in enumerate(parts):
        rows = order[number::world]
        vectors[rows] = part[: len(rows)]
    return vectors


def agreed_rows(rows: np.ndarray, accelerator: Accelerator | None) -> np.ndarray:
    """Rows that any process names, ascending: what another process stored meanwhile may be missing in some only."""
    if accelerator is None or accelerator.num_processes == 1:
        return rows
    from accelerate.utils import gather_object

    return np.unique(np.concatenate([np.array(part, dtype=np.int64) for part in gather_object([rows.tolist()])]))


def _check_agreement(accelerator: Accelerator, teacher: Teacher, texts: Sequence[str]) -> None:
    from accelerate.utils import gather_object

    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    seen = gather_object([(teacher.fingerprint, digest, teacher.name)])
    if len({fingerprint for fingerprint, _, _ in seen}) > 1:
        names = ", ".join(dict.fromkeys(name for _, _, name in seen))
        raise ModelError(f"the processes loaded different teachers ({names}); make the same one available to all")
    if len({digest for _, digest, _ in seen}) > 1:
        raise ModelError("the processes were given different texts to encode together")
