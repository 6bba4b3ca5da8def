"""Frequent words, as bars and as a word cloud."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard import charts
from dataset_builders.dashboard.behind import by

if TYPE_CHECKING:
    import pandas as pd

    from dataset_builders.dashboard.page import Page

BARS = 30
"""Number of bars, as in the quality report."""

CLOUD = 100
"""Number of words in the cloud."""

_WIDTH, _HEIGHT = 720, 540

_SCALE = 2
"""Pixels of the picture for each pixel of the canvas on which the words are placed; 1 takes four times as long."""


WORDS = """
SELECT word, sum(occurrences)::BIGINT AS occurrences FROM word_counts {where}
GROUP BY ALL ORDER BY occurrences DESC, word LIMIT 400
"""


def words_of(page: Page, config: str) -> pd.DataFrame:
    """The most frequent words of the rows that match the filters.

    Args:
        page: The page.
        config: `"dialogues"` or `"downstream"`.
    """
    return page.ask(WORDS, f"config = '{config}'")


def show_words(page: Page, words: pd.DataFrame, kind: str) -> None:
    """Show bars at the left and the cloud at the right.

    Args:
        page: The page.
        words: Columns `word` and `occurrences`, most frequent first.
        kind: Kind of the rows that a bar opens; see `behind.Behind`.
    """
    t = page.texts
    plain = st.toggle(
        t("words.without_function_words"),
        value=True,
        key="words-plain",
        help=t("words.function_words"),
        bind="query-params",
        persist_state="session",
    )
    if plain:
        words = words[~words["word"].isin(function_words())]
    if words.empty:
        page.nothing("words.none")
        return
    left, right = st.columns(2)
    titles = {"word": t("column.word"), "occurrences": t("column.occurrences")}
    with left:
        top = words.head(BARS)
        chart = charts.bars(top, "word", "occurrences", titles)
        page.chart(t("words.frequent", n=len(top)), top, chart, opens=by(kind, "word"))
    with right:
        page.heading(t("words.cloud"), words.head(CLOUD))
        counts = words.head(CLOUD)
        st.image(cloud(tuple(zip(counts["word"], counts["occurrences"], strict=True))), width="stretch")
        st.caption(t("words.cloud_note"))


@st.cache_data(show_spinner=False)
def function_words() -> frozenset[str]:
    """English words with a grammatical role only, such as articles."""
    from wordcloud import STOPWORDS

    return frozenset(STOPWORDS)


@st.cache_data(max_entries=200, show_spinner=False)
def cloud(counts: tuple[tuple[str, int], ...]) -> str:
    """A word cloud as SVG, so that it scales and the browser supplies letters that the font lacks.

    Args:
        counts: (word, number of occurrences), most frequent first.
    """
    import matplotlib
    from PIL import ImageFont
    from wordcloud import WordCloud

    # matplotlib's font has Latin, Cyrillic, Greek, Arabic, Hebrew and more
    font = str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    picture = WordCloud(
        width=_WIDTH // _SCALE,
        height=_HEIGHT // _SCALE,
        scale=_SCALE,
        font_path=font,
        mode="RGBA",
        background_color=None,
        prefer_horizontal=1.0,
        relative_scaling=0.4,
        margin=5 // _SCALE,
        min_font_size=13 // _SCALE,
        max_font_size=84 // _SCALE,
        max_words=CLOUD,
        random_state=0,
        color_func=_colour,
    ).generate_from_frequencies(dict(counts))
    # the font is not in the file, as its letters would take most of the time: each word has its width instead
    widths = iter(
        "" if _WIDE.search(word) else f' textLength="{ImageFont.truetype(font, size * _SCALE).getlength(word):.0f}"'
        for (word, _), size, *_ in picture.layout_
    )
    svg = re.sub("<text ", lambda _: f'<text lengthAdjust="spacingAndGlyphs"{next(widths)} ', picture.to_svg())
    svg = svg.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif", 1)  # of nearly the same shapes
    # without a view box the image would be cropped rather than scaled
    return svg.replace("<svg ", f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" ', 1)


_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ufaff]")
"""Letters that the font lacks, and which are as wide as high."""


_DARK = (charts.BLUE, charts.VERMILION, charts.GREEN)
"""Colours of the palette that are readable on white."""


def _colour(word: str, **_: object) -> str:
    return _DARK[sum(word.encode()) % len(_DARK)]
