"""Why rows are dropped, flagged or counted as leaks: one sentence for each filter, flag and kind of leak.

The sentences are in the texts of the page, under `reason`: the one place for both languages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard.page import open_rows, plain

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.behind import Behind
    from dataset_builders.dashboard.page import Page
    from dataset_builders.dashboard.texts import Texts

_MASKED = ":masked"


def explained(name: str, texts: Texts) -> str:
    """One sentence on a filter, a flag such as `leak:pair`, or a kind of leak; empty if it has none.

    Args:
        name: Name of the filter or flag; flags may have a second part, such as `personal_data:email:masked`.
        texts: Texts in the language of the visitor.
    """
    flag = name.removesuffix(_MASKED)
    keys = (f"reason.{flag}", f"reason.{flag.partition(':')[0]}")
    sentence = next((texts(key) for key in keys if key in texts.entries), "")
    return " ".join(filter(None, (sentence, texts("reason.masked") if name.endswith(_MASKED) else "")))


def show_reasons(page: Page, rows: pd.DataFrame, column: str, behind: Callable[[str, str], Behind]) -> None:
    """Show each reason with its number of rows and its sentence; a click opens the rows.

    Args:
        page: The page.
        rows: Columns `config`, `rows` and that of the reasons.
        column: Name of the column of the reasons.
        behind: The rows of a config and a reason.
    """
    t = page.texts
    for name in dict.fromkeys(rows[column]):
        of_name = rows[rows[column] == name]
        with st.container(gap=None):
            with st.container(horizontal=True):
                for config, count in zip(of_name["config"], of_name["rows"], strict=True):
                    st.button(
                        f"{plain(name)} · {t(f'short.{config}')} · **{t.number(int(count))}**",
                        key=f"reason-{config}-{name}",
                        type="tertiary",
                        icon=":material/table_rows:",
                        on_click=open_rows,
                        args=(behind(config, name),),
                    )
            if sentence := explained(name, t):
                st.caption(sentence)
