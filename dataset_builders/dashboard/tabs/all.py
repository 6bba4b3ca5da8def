"""All tabs, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from dataset_builders.dashboard.page import Page
from dataset_builders.dashboard.tabs import ask as tab_ask
from dataset_builders.dashboard.tabs import compare as tab_compare
from dataset_builders.dashboard.tabs import dialogs as tab_dialogs
from dataset_builders.dashboard.tabs import downstream as tab_downstream
from dataset_builders.dashboard.tabs import explorer as tab_explorer
from dataset_builders.dashboard.tabs import flow as tab_flow
from dataset_builders.dashboard.tabs import licences as tab_licences
from dataset_builders.dashboard.tabs import map as tab_map
from dataset_builders.dashboard.tabs import model as tab_model
from dataset_builders.dashboard.tabs import pairs as tab_pairs
from dataset_builders.dashboard.tabs import quality as tab_quality
from dataset_builders.dashboard.tabs import search as tab_search
from dataset_builders.dashboard.tabs import sql as tab_sql

TABS: dict[str, Callable[[Page], None]] = {
    "dialogs": tab_dialogs.show,
    "pairs": tab_pairs.show,
    "downstream": tab_downstream.show,
    "quality": tab_quality.show,
    "search": tab_search.show,
    "map": tab_map.show,
    "explorer": tab_explorer.show,
    "compare": tab_compare.show,
    "model": tab_model.show,
    "ask": tab_ask.show,
    "flow": tab_flow.show,
    "licences": tab_licences.show,
    "sql": tab_sql.show,
}
"""Function that draws a tab, by the tab's name in the address."""
