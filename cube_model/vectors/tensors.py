"""Safetensors files as memory maps: opened without a copy, and written piece by piece."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np


def map_tensors(path: Path, *names: str) -> list[np.ndarray]:
    """Open tensors of a file as memory maps, by the reader for torch; the one for numpy copies the file.

    Args:
        path: File to open.
        names: Names of the tensors.
    """
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return [np.asarray(file.get_tensor(name).numpy()) for name in names]


def map_tensor(path: Path, name: str) -> np.ndarray:
    """Open the only tensor of a file as a memory map that is read only, without torch.

    Args:
        path: File to open.
        name: Name of the tensor, float32.

    Raises:
        ValueError: The file is not one of a single such tensor.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        size = path.stat().st_size
        if not 0 < length <= size - 8:
            raise ValueError("no header of safetensors")
        header = json.loads(file.read(length))
    facts = header.get(name) if isinstance(header, dict) else None
    if not isinstance(facts, dict) or facts.get("dtype") != "F32":
        raise ValueError(f"no tensor {name!r} of float32")
    shape = tuple(int(extent) for extent in facts["shape"])
    count = int(np.prod(shape))
    if facts["data_offsets"] != [0, 4 * count] or size != 8 + length + 4 * count:
        raise ValueError("more or fewer numbers than its header says")
    if not count:
        return np.zeros(shape, np.float32)
    return np.memmap(path, np.dtype("<f4"), "r", 8 + length, shape)


def create_tensor(path: Path, name: str, shape: tuple[int, int]) -> np.memmap:
    """Create a file of one float32 tensor, to be filled in place.

    Args:
        path: File to create.
        name: Name of the tensor.
        shape: Its shape.

    Returns:
        The tensor as a memory map, all zeros.
    """
    size = 4 * shape[0] * shape[1]
    header = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}, separators=(",", ":"))
    header += " " * (-len(header) % 8)  # safetensors aligns the data to 8 bytes
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header.encode())
        file.truncate(8 + len(header) + size)
    return open_tensor(path, shape)


def open_tensor(path: Path, shape: tuple[int, int]) -> np.memmap:
    """Open a file of `create_tensor` to fill more of it."""
    offset = path.stat().st_size - 4 * shape[0] * shape[1]
    return np.memmap(path, np.dtype("<f4"), "r+", offset, shape)
