"""What a training ran on, for its record and the model card."""

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
