"""All tabs in the order in which they stand."""

from __future__ import annotations

from collections.abc import Callable

from dataset_builders.dashboard import (
    tab_dialogs,
    tab_downstream,
    tab_explorer,
    tab_licences,
    tab_model,
    tab_pairs,
    tab_quality,
)
from dataset_builders.dashboard.page import Page

TABS: dict[str, Callable[[Page], None]] = {
    "dialogs": tab_dialogs.show,
    "pairs": tab_pairs.show,
    "downstream": tab_downstream.show,
    "quality": tab_quality.show,
    "explorer": tab_explorer.show,
    "model": tab_model.show,
    "licences": tab_licences.show,
}
"""Name in the address -> what draws it."""
