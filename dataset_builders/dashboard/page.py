"""Building blocks of the tabs: rows of figures, charts and tables with downloads, and hints."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from dataset_builders.common.spreadsheets import as_cell
from dataset_builders.dashboard.behind import PARAMETER, Behind, Opens
from dataset_builders.dashboard.charts import CLICKED
from dataset_builders.dashboard.choices import switch
from dataset_builders.dashboard.filters import COLUMNS, Filters
from dataset_builders.dashboard.settings import Settings
from dataset_builders.dashboard.store import Store
from dataset_builders.dashboard.texts import Texts

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

    from dataset_builders.dashboard.charts import Specification

_MARKUP = re.compile(r"^[-+=]|[\\`*_$\[\]<>~:!#&@.|)]")
"""Signs with a meaning in Markdown or in Streamlit; dots and colons make links of addresses."""

_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
"""Where an address is broken by a word joiner, which has no width. Markdown would make a link of it even if its signs
are escaped, since it looks for addresses in the text that results."""

_MAX_HEIGHT = 20
"""Number of rows up to which tables do not scroll."""

_PHONE_COLUMNS = 3
"""Number of columns of a table on a phone."""

_PHONE_WIDTH = 340
"""Width of a table on a phone of 390 pixels, without its border."""

_SELECTOR = 40
"""Width of the column in which rows are selected, in pixels."""

_LONG = {"text", "anchor", "positive", "utterance", "answer", "holds", "sources", "turn", "figure"}
_LONG_SHARE = 2
"""Columns with sentences, and how much wider than others they are on a phone."""

PAUSE = 0.5
"""Pause between a visitor's first figures and the charts, in seconds. In Chromium on two cores (median of eight visits)
the figures appear .3 s sooner with it, and the last chart at the same time."""


@dataclass(frozen=True)
class Page:
    """The page that a tab draws on.

    Attributes:
        store: The database.
        filters: Filters of the visitor.
        texts: Texts in the language of the visitor.
        settings: Settings of the command.
    """

    store: Store
    filters: Filters
    texts: Texts
    settings: Settings

    def ask(self, sql: str, *conditions: str, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
        """Run a query on the rows that match the filters.

        Args:
            sql: SQL with `{where}` as the place of the WHERE clause.
            conditions: More conditions.
            columns: Columns from `filters.COLUMNS` that the table has.
        """
        where, parameters = self.filters.where(columns, *conditions)
        return self.store.frame(sql.format(where=where), parameters)

    def unit(self) -> str:
        """Show a switch between words and characters, which the address includes, and return the unit."""
        labels = {unit: self.texts(f"unit.{unit}") for unit in ("words", "characters")}
        return switch("unit", labels, self.texts("unit.choose"), help=self.texts("unit.help"))

    def figures(self, figures: Mapping[str, str], help: Mapping[str, str] | None = None) -> None:
        """Show large figures side by side, wrapped on narrow screens.

        Args:
            figures: Text of the figure by heading.
            help: Explanation by heading.
        """
        with st.container(key=f"figures-{next(iter(figures))}"):
            for label, value in figures.items():
                st.metric(label, value, border=True, help=(help or {}).get(label), height="stretch")
        self.let_draw()

    def let_draw(self) -> None:
        """Pause once per visit, so that the browser draws the first figures.

        Otherwise it would show nothing until it has loaded the code of all charts.
        """
        if not st.session_state.get("drawn"):
            st.session_state["drawn"] = True
            time.sleep(PAUSE)

    def chart(
        self, title: str, frame: pd.DataFrame, chart: Specification, note: str = "", opens: Opens | None = None
    ) -> None:
        """Show a chart with its title and a download of its numbers.

        Args:
            title: Title, also for screen readers.
            frame: Numbers of the download.
            chart: The chart.
            note: Small print below.
            opens: The rows that a click on a part of the chart opens, by the fields of that part.
        """
        self.heading(title, frame, has_toolbar=not on_phone())
        config = chart["config"] | {"locale": {"number": self.texts.chart_locale}}
        options = {"embedOptions": {"actions": False}}
        clicks: dict[str, Any] = {}
        if opens is not None:
            key = _clickable(f"chart-{title}")
            clicks = {"key": key, "selection_mode": CLICKED, "on_select": partial(_click_on_chart, key, opens)}
        spec = chart | {"config": config, "usermeta": options}
        st.vega_lite_chart(spec=spec, width="stretch", alt=title, **clicks)
        if note:
            st.caption(note)

    def heading(
        self,
        title: str,
        frame: pd.DataFrame,
        every: tuple[str, Sequence[Any]] | None = None,
        *,
        has_toolbar: bool = False,
    ) -> None:
        """Show a title with a download at the right; the file is made on demand.

        Args:
            title: Title.
            frame: Numbers of the download.
            every: Query and parameters of the download, in place of `frame`.
            has_toolbar: Whether Streamlit's toolbar of a table or chart needs room at the right.
        """
        kind = "toolbar" if has_toolbar else "plain"
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", key=f"heading-{kind}-{title}"):
            st.markdown(f"**{plain(title)}**", width="stretch")
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
        opens: Opens | None = None,
        phone: Sequence[str] = (),
        **options: Any,
    ) -> Any:
        """Show a table with its title and a download.

        A phone shows three columns, which fit, and the others on request.

        Args:
            title: Title.
            frame: Rows.
            columns: Format of the numbers (`"localized"`, `"percent"`, `"%.1f"`, ...) by column; `""` for text.
            note: Small print below.
            every: Query and parameters of all rows for the download, if `frame` holds only the first ones.
            config: Streamlit's configuration of columns that are neither text nor numbers.
            opens: The rows that a click on a row opens, by the columns of that row.
            phone: Columns on a phone; by default the first three.
            options: Options of `st.dataframe`.

        Returns:
            The result of `st.dataframe`.
        """
        names = list(columns)
        short = shown_first(names, phone)
        # the toolbar of a table covers what is above it: the heading, or on a phone the toggle of the columns
        self.heading(title, frame, every, has_toolbar=len(short) == len(names))
        if opens is not None:
            key = _clickable(f"table-{title}")
            click = partial(_click_on_table, key, frame, opens)
            options = {"key": key, "selection_mode": "single-cell", "on_select": click, **options}
        room = _PHONE_WIDTH - (_SELECTOR if options.get("selection_mode") == "single-row" else 0)
        widths = self.widths(title, names, short, room)
        state = st.dataframe(
            self._formatted(frame, columns),
            hide_index=True,
            column_order=list(widths),
            column_config={
                name: (st.column_config.NumberColumn if form else st.column_config.Column)(
                    self.texts(f"column.{name}"), width=widths.get(name)
                )
                for name, form in columns.items()
                if name not in (config or {})
            }
            | dict(config or {}),
            placeholder="–",
            **{"height": "content" if len(frame) <= _MAX_HEIGHT else "auto", **options},
        )
        if note:
            st.caption(note)
        return state

    def widths(
        self, title: str, columns: Sequence[str], short: Sequence[str], room: int = _PHONE_WIDTH
    ) -> dict[str, int | None]:
        """The columns to show, each with its width in pixels; None for one that Streamlit chooses.

        A phone gets a switch to show all columns.

        Args:
            title: Title of the table.
            columns: All columns.
            short: Those that are shown on a phone until the visitor asks for all.
            room: Width of a phone's table in pixels.
        """
        if len(short) < len(columns) and st.toggle(
            self.texts("page.all_columns", n=len(columns)), key=f"columns-{title}"
        ):
            short = columns
        if not on_phone() or len(short) > _PHONE_COLUMNS:
            return dict.fromkeys(short)
        shares = {name: _LONG_SHARE if name in _LONG else 1 for name in short}
        return {name: room * share // sum(shares.values()) for name, share in shares.items()}

    def _formatted(self, frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame | Styler:
        """The table with numbers in the format of the page's language rather than of the browser's."""
        formats = {name: partial(_number, self.texts, form) for name, form in columns.items() if form and name in frame}
        if not formats or frame.empty:
            return frame
        return frame.reset_index(drop=True).style.format(formats, na_rep="–")

    def nothing(self, key: str, **values: object) -> None:
        """Show a hint in place of missing data."""
        shown = {name: plain(value) if isinstance(value, str) else value for name, value in values.items()}
        st.info(self.texts(key, **shown), icon=":material/info:")

    def unfiltered(self, columns: Sequence[str]) -> None:
        """Name the filters that do not apply because the rows only have these columns."""
        if ignored := self.filters.ignored(columns):
            names = ", ".join(self.texts(f"filter.{name}").lower() for name in ignored)
            st.caption(self.texts("page.unfiltered", names=names))


def shown_first(columns: Sequence[str], phone: Sequence[str] = ()) -> list[str]:
    """The columns of a table that are shown at once: on a phone a few of them, by default the first three."""
    return (list(phone) or list(columns)[:_PHONE_COLUMNS]) if on_phone() else list(columns)


def on_phone() -> bool:
    """Whether the visitor has a phone, by what the browser says of itself; a narrow window of a desktop is none."""
    headers = st.context.headers
    return headers.get("Sec-Ch-Ua-Mobile") == "?1" or "Mobi" in headers.get("User-Agent", "")


def open_rows(behind: Behind, by: str = "") -> None:
    """Name the rows in the address, so that the window with them opens.

    Args:
        behind: The rows.
        by: Name of the chart or table that opens them.
    """
    st.query_params[PARAMETER] = behind.to_address()
    st.session_state["opened-by"] = by


def close_rows() -> None:
    """Close the window with rows, and forget the click that opened it, so that the same click opens it again."""
    st.query_params.pop(PARAMETER, None)
    clicks = st.session_state.setdefault("clicks", {})
    by = st.session_state.pop("opened-by", "")
    clicks[by] = clicks.get(by, 0) + 1


def _clickable(name: str) -> str:
    """Key of a chart or table; a new one makes a new widget, in which nothing is selected."""
    return f"{name}-{st.session_state.get('clicks', {}).get(name, 0)}"


def _click_on_chart(key: str, opens: Opens) -> None:
    points = st.session_state[key].selection.get(CLICKED) or []
    if points and (behind := opens(points[0])):
        open_rows(behind, key.rpartition("-")[0])


def _click_on_table(key: str, frame: pd.DataFrame, opens: Opens) -> None:
    cells = st.session_state[key].selection.cells
    if cells and (behind := opens(frame.iloc[cells[0][0]].to_dict())):
        open_rows(behind, key.rpartition("-")[0])


def _number(texts: Texts, form: str, value: float) -> str:
    """A number in a table; see `Page.table`."""
    if form == "percent":
        return texts.percent(value, 2)
    return texts.number(value, None if form == "localized" else int(form[2:-1]))


def plain(text: str) -> str:
    """A text as Markdown that shows it as it is: no link, image or formula in it takes effect."""
    return _MARKUP.sub(r"\\\g<0>", _ADDRESS.sub("\u2060", " ".join(text.split())))


def csv(frame: pd.DataFrame) -> bytes:
    """A CSV file for spreadsheets: UTF-8 with a byte order mark, and no text of it is taken for a formula.

    Texts that begin like a formula get an apostrophe in front, as OWASP advises.
    """
    return frame.map(_safe).to_csv(index=False).encode("utf-8-sig")


def _safe(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return str(as_cell(value)).replace("\r\n", "\n").replace("\r", "\n")  # pandas does not quote a carriage return


def file_name(title: str) -> str:
    """A title as a file name."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in title.lower()).split())
