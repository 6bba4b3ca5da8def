"""What every tab is made of: rows of figures, charts with their numbers to download, hints where there is nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.dashboard.filters import COLUMNS, Filters
from dataset_builders.dashboard.settings import Settings
from dataset_builders.dashboard.store import Store
from dataset_builders.dashboard.texts import Texts

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.charts import Specification

_MARKUP = re.compile(r"([\\`*_$\[\]<>~:])")
"""What Markdown would not show as it is: titles quote texts of the corpus."""

_WHOLE = 20
"""Tables up to this many rows are shown whole, longer ones scroll."""

PAUSE = 0.5
"""Seconds between a visitor's first figures and the charts. Measured in Chromium on two cores, medians of eight visits:
the figures stand .3 s sooner, the last chart as soon as without."""


@dataclass(frozen=True)
class Page:
    """What a tab draws from.

    Attributes:
        store: The database.
        filters: What the visitor has chosen.
        texts: Of the visitor's language.
        settings: What the command was given.
    """

    store: Store
    filters: Filters
    texts: Texts
    settings: Settings

    def ask(self, sql: str, *conditions: str, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
        """An aggregate of what is chosen.

        Args:
            sql: With `{where}` in its place.
            conditions: Further conditions.
            columns: Those of `filters.COLUMNS` that the table has.
        """
        where, parameters = self.filters.where(columns, *conditions)
        return self.store.frame(sql.format(where=where), parameters)

    def unit(self) -> str:
        """Switch between words and characters; it stands in the address too."""
        labels = {unit: self.texts(f"unit.{unit}") for unit in ("words", "characters")}
        return switch("unit", labels, self.texts("unit.choose"), help=self.texts("unit.help"))

    def figures(self, figures: Mapping[str, str], help: Mapping[str, str] | None = None) -> None:
        """Large figures side by side, wrapped where the screen is narrow: heading -> what is shown."""
        with st.container(key=f"figures-{next(iter(figures))}"):
            for label, value in figures.items():
                st.metric(label, value, border=True, help=(help or {}).get(label), height="stretch")
        self.let_draw()

    def let_draw(self) -> None:
        """Leave the browser alone once, while it draws what a visitor sees first.

        Given everything at once it shows nothing before it has loaded the code of all charts.
        """
        if not st.session_state.get("drawn"):
            st.session_state["drawn"] = True
            time.sleep(PAUSE)

    def chart(self, title: str, frame: pd.DataFrame, chart: Specification, note: str = "") -> None:
        """A chart below its title, and its numbers as a file.

        Args:
            title: What is shown; also what a screen reader says.
            frame: What the file holds.
            chart: Drawn from it.
            note: Small print below.
        """
        self.heading(title, frame)
        config = chart["config"] | {"locale": {"number": self.texts.chart_locale}}
        options = {"embedOptions": {"actions": False}}
        st.vega_lite_chart(spec=chart | {"config": config, "usermeta": options}, width="stretch", alt=title)
        if note:
            st.caption(note)

    def heading(self, title: str, frame: pd.DataFrame, every: tuple[str, Sequence[Any]] | None = None) -> None:
        """A title with its download at the right; the file is made when it is wanted.

        Args:
            title: What is shown below it.
            frame: Numbers of the file.
            every: Query and parameters whose answer is the file in place of `frame`.
        """
        with st.container(horizontal=True, wrap=False, vertical_alignment="center"):
            st.markdown("**" + _MARKUP.sub(r"\\\1", title) + "**", width="stretch")
            st.download_button(
                "CSV",
                lambda: csv(frame if every is None else self.store.frame(*every)),
                file_name=f"{file_name(title)}.csv",
                mime="text/csv",
                key=f"csv-{title}",
                help=self.texts("page.download"),
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
            )

    def table(
        self,
        title: str,
        frame: pd.DataFrame,
        columns: Mapping[str, str],
        note: str = "",
        every: tuple[str, Sequence[Any]] | None = None,
        config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """A table below its title.

        Args:
            title: What is shown.
            frame: Rows.
            columns: Column -> format of its numbers (`"localized"`, `"percent"`, `"%.1f"`, ...), `""` for text.
            note: Small print below.
            every: Query and parameters of all rows, where `frame` holds the first of them: they go into the file.
            config: Columns that are neither text nor numbers.
            options: Of `st.dataframe`.
        """
        self.heading(title, frame, every)
        shown = st.dataframe(
            frame,
            hide_index=True,
            column_order=list(columns),
            column_config={
                name: st.column_config.NumberColumn(self.texts(f"column.{name}"), format=form)
                if form
                else st.column_config.Column(self.texts(f"column.{name}"))
                for name, form in columns.items()
            }
            | dict(config or {}),
            placeholder="–",
            **{"height": "content" if len(frame) <= _WHOLE else "auto", **options},
        )
        if note:
            st.caption(note)
        return shown

    def nothing(self, key: str, **values: object) -> None:
        """A hint in place of what is not there: it says what to do."""
        st.info(self.texts(key, **values), icon=":material/info:")

    def unfiltered(self, columns: Sequence[str]) -> None:
        """Say which part of the choice does not act on what follows, as its rows have no such column."""
        if ignored := self.filters.ignored(columns):
            names = ", ".join(self.texts(f"filter.{name}").lower() for name in ignored)
            st.caption(self.texts("page.unfiltered", names=names))


def csv(frame: pd.DataFrame) -> bytes:
    """A file that spreadsheets open with the right letters: UTF-8 with its mark."""
    return frame.to_csv(index=False).encode("utf-8-sig")


def file_name(title: str) -> str:
    """A title as a file name."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in title.lower()).split())


def switch(name: str, labels: Mapping[str, str], title: str, *, first: str | None = None, **options: Any) -> str:
    """One of a few values.

    Args:
        name: In the address.
        labels: Value -> what is shown for it.
        title: Above the switch.
        first: The value where the address has none; the first one when not given.
        options: Of `st.segmented_control`.
    """
    first = first or next(iter(labels))
    # another language is another widget: the labels are part of it
    key = f"{name} {' '.join(labels.values())}"

    def changed() -> None:
        st.query_params[name] = st.session_state[key]

    chosen = st.query_params.get(name, first)
    return str(
        st.segmented_control(
            title,
            list(labels),
            format_func=lambda value: labels.get(value, value),
            default=chosen if chosen in labels else first,
            required=True,
            key=key,
            on_change=changed,
            **options,
        )
    )
