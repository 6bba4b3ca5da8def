"""Estimated time, energy and carbon emissions of a training, with the assumptions of the estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WATTS_PER_THREAD = 10.0
"""Server processor with its memory: packages of 16 to 48 cores draw 150 to 350 W."""

WATTS_PER_ACCELERATOR = 300.0
"""Graphics card under full load: between a T4 (70 W) and an H100 (700 W)."""

GRAMS_PER_KWH = 473.0
"""CO2 equivalent of electricity: world average of 2024 (Ember, Global Electricity Review 2025)."""


@dataclass(frozen=True)
class Footprint:
    """Time, energy and emissions of a training.

    Attributes:
        seconds: Duration in seconds.
        hardware: Description of the hardware.
        kwh: Estimated energy in kWh.
        grams: Estimated emissions in grams of CO2 equivalent.
        assumption: Description of what the estimate assumes.
    """

    seconds: float
    hardware: str
    kwh: float
    grams: float
    assumption: str

    @classmethod
    def of(cls, training: Mapping[str, Any]) -> Footprint | None:
        """Estimate the footprint from a `training.json`; None if it lacks the time or the hardware."""
        seconds, hardware = training.get("seconds"), training.get("hardware")
        if not isinstance(seconds, (int, float)) or not isinstance(hardware, dict):
            return None
        threads, cards = int(hardware.get("threads") or 1), int(hardware.get("accelerators") or 0)
        watts = cards * WATTS_PER_ACCELERATOR + (0 if cards else threads * WATTS_PER_THREAD)
        power = f"{WATTS_PER_ACCELERATOR:g} W an accelerator" if cards else f"{WATTS_PER_THREAD:g} W a thread"
        name = hardware.get("accelerator") if cards else hardware.get("processor")
        kwh = float(seconds) / 3600 * watts / 1000
        return cls(
            seconds=float(seconds),
            hardware=f"{cards} x {name}" if cards else f"{name}, {threads} {'threads' if threads > 1 else 'thread'}",
            kwh=kwh,
            grams=kwh * GRAMS_PER_KWH,
            assumption=f"{power}, {GRAMS_PER_KWH:g} g CO2eq/kWh (world average of 2024), nothing measured",
        )
