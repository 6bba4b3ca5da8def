"""Devices, hardware and library versions of this machine."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def hardware(device: str, processes: int = 1) -> dict[str, Any]:
    """Describe the hardware that determines training time and energy.

    Args:
        device: Torch device of the training: `"cpu"`, `"cuda"`, ...
        processes: Number of training processes, all assumed to run on this machine.
    """
    import torch

    facts: dict[str, Any] = {
        "processor": _processor(),
        "threads": torch.get_num_threads() * processes,
    }
    kind = device.partition(":")[0]
    if kind != "cpu":
        name = torch.cuda.get_device_name() if kind == "cuda" else kind
        facts |= {"accelerator": name, "accelerators": processes}
    return facts


def _processor() -> str:
    """Return the processor's name, or its architecture if the name is unknown."""
    try:
        name = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        name = None
    return name[1] if name else platform.processor() or platform.machine()


def default_device() -> str:
    """Return the first accelerator, or the processor if there is none."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def has_native_bfloat16(device: str) -> bool:
    """Return whether bfloat16 is faster than float32: on CUDA devices and processors that multiply in it.

    On an AMD processor with AVX-512 BF16, all-MiniLM-L6-v2 encodes 2.8 times as fast and trains 3 times as fast as in
    float32 (`tests/benchmarks/bench_embedder.py`).
    """
    import torch

    kind = device.partition(":")[0]  # a process of a launch is on cpu:0
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return any(instructions in flags for instructions in ("amx_bf16", "avx512_bf16"))


def versions(others: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of Python, this project and the libraries that affect results.

    Args:
        others: Further packages.
    """
    from importlib.metadata import PackageNotFoundError, version

    names = ("dialogue-cube", "torch", "transformers", "accelerate", "datasets", "numpy", *others)
    result = {"python": platform.python_version()}
    for name in names:
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    return result
