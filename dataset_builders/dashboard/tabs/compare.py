"""Tab Compare: sources, builds, and encoders or cores, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataset_builders.dashboard.choices import switch
from dataset_builders.dashboard.compare.builds import show_builds
from dataset_builders.dashboard.compare.questions import show_questions
from dataset_builders.dashboard.compare.sources import show_sources

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

_SHOW = {"sources": show_sources, "builds": show_builds, "encoders": show_questions}
"""Function that draws each comparison, by its name in the address."""


def show(page: Page) -> None:
    """Draw the tab."""
    t = page.texts
    _SHOW[switch("what", {name: t(f"compare.what_{name}") for name in _SHOW}, t("compare.what"))](page)
