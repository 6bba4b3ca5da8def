"""Tab Flow: how dialogues proceed, as `dialogue-cube flow` has drawn it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dataset_builders.dashboard.choices import one_of
from dataset_builders.dashboard.cores import cores_for

if TYPE_CHECKING:
    from dataset_builders.dashboard.page import Page

_HEIGHT = 860
"""Height of the picture, in pixels."""


def show(page: Page) -> None:
    """Draw the tab."""
    t, folders = page.texts, page.settings.flows
    cores = cores_for(page, folders, "flow.none")
    if cores is None:
        return
    folder = one_of("flow", folders, t("flow.choose"))
    flow = cores.flow(Path(folder))
    figures = flow["figures"]
    shown = {t(f"flow.{name}"): t.number(figures[name]) for name in ("dialogues", "turns", "steps", "transitions")}
    if figures["true_nodes"] is not None:
        true = f"{t.number(figures['nodes'])} / {t.number(figures['true_nodes'])}"
        page.figures(shown | {t("flow.nodes"): true}, {t("flow.nodes"): t("flow.nodes_help")})
    else:
        page.figures(shown)
    _picture(flow["page"])
    steps, transitions = pd.DataFrame(flow["steps"]), pd.DataFrame(flow["transitions"])
    if not steps.empty:
        steps["speaker"] = steps["speaker"].map(lambda speaker: t(f"speaker.{speaker}"))
    columns = {"step": "", "speaker": "", "turns": "localized", "dialogues": "localized", "utterance": "", "action": ""}
    page.table(t("flow.table"), steps, columns)
    columns = {"from": "", "to": "", "transitions": "localized", "probability": "percent"}
    page.table(t("flow.transitions_table"), transitions, columns)
    st.caption(t("flow.unfiltered"))


def _picture(html: str) -> None:
    """Show the page of a flow in a frame of its own, which has no access to the dashboard."""
    style = "border: 0; width: 100%; height: 100vh; display: block"
    frame = f'<iframe sandbox="allow-scripts" style="{style}" srcdoc="{escape(html)}"></iframe>'
    st.iframe(f"<!doctype html><style>body {{margin: 0}}</style>{frame}", height=_HEIGHT)
