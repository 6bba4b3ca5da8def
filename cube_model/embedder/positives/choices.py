"""Values of options; nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

Negatives = Literal["all", "source", "domain"]
"""Whose pairs share a batch: those of all sources, of one source, or of one domain of a source."""
