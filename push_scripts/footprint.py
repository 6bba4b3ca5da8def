"""Time, energy and carbon of a training: an estimate whose assumptions stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WATTS_PER_THREAD = 10.0
"""Of a server processor with its memory: 150 to 350 W of the package by 16 to 48 cores."""

WATTS_PER_ACCELERATOR = 300.0
"""Of a graphics card under full load: between a T4 (70 W) and an H100 (700 W)."""

GRAMS_PER_KWH = 473.0
"""CO2 equivalent of electricity, world average of 2024 (Ember, Global Electricity Review 2025)."""


@dataclass(frozen=True)
class Footprint:
    """What a training took.

    Attributes:
        seconds: Its duration.
        hardware: What it ran on, in words.
        kwh: Energy, estimated.
        grams: CO2 equivalent, estimated.
        assumption: What the estimate assumes, in words.
    """

    seconds: float
    hardware: str
    kwh: float
    grams: float
    assumption: str

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> Footprint | None:
        """From a `training.json`; None where it does not say how long it took on what."""
        seconds, hardware = training.get("seconds"), training.get("hardware")
        if not isinstance(seconds, (int, float)) or not isinstance(hardware, dict):
            return None
        threads, cards = int(hardware.get("threads") or 1), int(hardware.get("accelerators") or 0)
        watts = cards * WATTS_PER_ACCELERATOR + (0 if cards else threads * WATTS_PER_THREAD)
        each = f"{WATTS_PER_ACCELERATOR:g} W an accelerator" if cards else f"{WATTS_PER_THREAD:g} W a thread"
        name = hardware.get("accelerator") if cards else hardware.get("processor")
        kwh = float(seconds) / 3600 * watts / 1000
        return cls(
            seconds=float(seconds),
            hardware=f"{cards} x {name}" if cards else f"{name}, {threads} {'threads' if threads > 1 else 'thread'}",
            kwh=kwh,
            grams=kwh * GRAMS_PER_KWH,
            assumption=f"{each}, {GRAMS_PER_KWH:g} g CO2eq/kWh (world average of 2024), nothing measured",
        )
