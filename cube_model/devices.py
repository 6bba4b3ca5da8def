"""Which device a teacher computes on, and whether bfloat16 pays there."""

from __future__ import annotations

from pathlib import Path


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
