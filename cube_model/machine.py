"""What the work runs on: device, processor, and the versions of all that decides a result."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any


def hardware(device: str, processes: int = 1) -> dict[str, Any]:
    """Of this machine: what bears on time and energy.

    Args:
        device: Torch device of the training: `"cpu"`, `"cuda"`, ...
        processes: Processes that trained together.
    """
    import torch

    found: dict[str, Any] = {
        "processor": _processor(),
        "threads": torch.get_num_threads() * processes,  # all processes are taken to be on one machine
    }
    kind = device.partition(":")[0]
    if kind != "cpu":
        name = torch.cuda.get_device_name() if kind == "cuda" else kind
        found |= {"accelerator": name, "accelerators": processes}
    return found


def _processor() -> str:
    """Its name; the kind of machine where that is not told."""
    try:
        name = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        name = None
    return name[1] if name else platform.processor() or platform.machine()


def default_device() -> str:
    """The first accelerator, else the processor."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def has_native_bfloat16(device: str) -> bool:
    """True where bfloat16 is faster than float32: a CUDA card that has it, or a processor with AMX tiles."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def versions() -> dict[str, str]:
    """Of Python, this project and the libraries that decide the numbers."""
    from importlib.metadata import PackageNotFoundError, version

    names = ("dialogue-cube", "torch", "transformers", "accelerate", "datasets", "numpy")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
