"""The sidebar: filters for all tabs, their config for the pipeline, and facts about the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard.filters import COLUMNS, Filters
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.schema import SPLITS

if TYPE_CHECKING:
    from dataset_builders.dashboard.store import Store
    from dataset_builders.dashboard.texts import Texts

NAMES = "SELECT DISTINCT {column} AS name FROM row_counts WHERE {column} IS NOT NULL ORDER BY name"

SPLIT_NAMES = """
SELECT split AS name FROM row_counts GROUP BY split
ORDER BY list_position(['train', 'validation', 'test'], split)
"""

CONFIGS = "SELECT source, config FROM sources"

RUN = "SELECT package_version, dataset_fingerprint FROM runs ORDER BY run DESC LIMIT 1"


def choose(store: Store, texts: Texts) -> Filters:
    """Show the filters, which the address includes, and return them."""
    with st.sidebar:
        st.subheader(texts("filter.title"), anchor=False)
        filters = Filters(**{name: _choice(store, texts, name) for name in COLUMNS})
        st.download_button(
            texts("filter.export"),
            lambda: pipeline_config(store, filters),
            file_name="pipeline.yaml",
            mime="application/yaml",
            help=texts("filter.export_help"),
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(texts("filter.link"))
    return filters.with_longer_tags(store.frame(NAMES.format(column="language"))["name"])


def about(store: Store, texts: Texts) -> None:
    """Show which data the page is about."""
    run = store.frame(RUN).iloc[0]
    with st.sidebar:
        st.caption(
            texts("page.about", fingerprint=run["dataset_fingerprint"], version=run["package_version"], file=store.path)
        )


def pipeline_config(store: Store, filters: Filters) -> str:
    """The filters as a config for `dialogue-cube pipeline`; each source has the config that it was built with."""
    configs = store.frame(CONFIGS).set_index("source")["config"].to_dict()
    names = (
        f"{name}:{configs[name]}" if configs.get(name, "default") != "default" else name for name in filters.source
    )
    splits = tuple(split for split in SPLITS if split in filters.split)
    return PipelineConfig(sources=tuple(names), languages=filters.language, splits=splits).to_yaml()


def _choice(store: Store, texts: Texts, name: str) -> tuple[str, ...]:
    options = store.frame(SPLIT_NAMES if name == "split" else NAMES.format(column=name))["name"].tolist()
    values = st.multiselect(
        texts(f"filter.{name}"),
        options,
        key=name,
        placeholder=texts("filter.all"),
        bind="query-params",
        persist_state="session",
    )
    return tuple(values)
