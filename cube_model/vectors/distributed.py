"""Distributed encoding: each process of a run encodes a share of the texts, and all get every embedding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cube_model.errors import ModelError

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cube_model.teacher.teacher import Teacher


def encode_distributed(
    teacher: Teacher,
    texts: Sequence[str],
    accelerator: Accelerator | None = None,
    advance: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Encode texts with all processes of a run.

    Every process must call this function with the same texts. All processes get identical bytes. The last bits of an
    embedding may differ between runs, because the batches depend on the number of processes.

    Args:
        teacher: Teacher, loaded by each process on its own device.
        texts: n texts.
        accelerator: Accelerator of the run. Default: encode in this process alone.
        advance: Progress callback, called with the number of distinct texts that all processes have encoded since its
            last call.

    Returns:
        Embeddings, float32 `[n, dimension]`.

    Raises:
        ModelError: The processes have different teachers or texts.
    """
    if accelerator is None or accelerator.num_processes == 1:
        return teacher.encode(texts, advance=advance)
    import torch

    _check_agreement(accelerator, teacher, texts)
    rank, world = accelerator.process_index, accelerator.num_processes
    order = np.argsort([len(text) for text in texts], kind="stable")  # sorted, so that shares need equal work
    share = [texts[i] for i in order[rank::world]]
    size = -(-len(texts) // world)
    own = np.zeros((size, teacher.dimension), dtype=np.float32)  # padded, because `gather` requires equal sizes
    own[: len(share)] = teacher.encode(share, advance=advance and (lambda count: advance(count * world)))
    parts = accelerator.gather(torch.from_numpy(own).to(accelerator.device)).cpu().numpy().reshape(world, size, -1)
    vectors = np.empty((len(texts), teacher.dimension), dtype=np.float32)
    for number, part in enumerate(parts):
        rows = order[number::world]
        vectors[rows] = part[: len(rows)]
    return vectors


def agreed_rows(rows: np.ndarray, accelerator: Accelerator | None) -> np.ndarray:
    """Return the union of the row numbers of all processes, ascending.

    Processes may miss different texts, since another run may store some of them between their lookups.
    """
    if accelerator is None or accelerator.num_processes == 1:
        return rows
    from accelerate.utils import gather_object

    return np.unique(np.concatenate([np.array(part, dtype=np.int64) for part in gather_object([rows.tolist()])]))


def _check_agreement(accelerator: Accelerator, teacher: Teacher, texts: Sequence[str]) -> None:
    from accelerate.utils import gather_object

    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    identities = gather_object([(teacher.fingerprint, digest, teacher.name)])
    if len({fingerprint for fingerprint, _, _ in identities}) > 1:
        names = ", ".join(dict.fromkeys(name for _, _, name in identities))
        raise ModelError(f"the processes loaded different teachers ({names}); make the same one available to all")
    if len({digest for _, digest, _ in identities}) > 1:
        raise ModelError("the processes received different texts to encode; pass the same ones to all")
