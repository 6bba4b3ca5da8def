"""The choice that holds on every tab, its file for the pipeline, and facts about the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard.filters import COLUMNS, Filters
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.schema import SPLITS

if TYPE_CHECKING:
    from dataset_builders.dashboard.store import Store
    from dataset_builders.dashboard.texts import Texts

KNOWN = "SELECT DISTINCT {column} AS name FROM row_counts WHERE {column} IS NOT NULL ORDER BY name"

KNOWN_SPLITS = """
SELECT split AS name FROM row_counts GROUP BY split
ORDER BY list_position(['train', 'validation', 'test'], split)
"""

CONFIGS = "SELECT source, config FROM sources"

RUN = "SELECT package_version, dataset_fingerprint FROM runs ORDER BY run DESC LIMIT 1"


def choose(store: Store, texts: Texts) -> Filters:
    """Draw the choice; what is chosen stands in the address and comes back with it."""
    with st.sidebar:
        st.subheader(texts("filter.title"), anchor=False)
        chosen = Filters(**{name: _choice(store, texts, name) for name in COLUMNS})
        st.download_button(
            texts("filter.export"),
            lambda: pipeline_config(store, chosen),
            file_name="pipeline.yaml",
            mime="application/yaml",
            help=texts("filter.export_help"),
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(texts("filter.link"))
    return chosen.with_longer_tags(store.frame(KNOWN.format(column="language"))["name"])


def about(store: Store, texts: Texts) -> None:
    """Which data is shown."""
    run = store.frame(RUN).iloc[0]
    with st.sidebar:
        st.caption(
            texts("page.about", fingerprint=run["dataset_fingerprint"], version=run["package_version"], file=store.path)
        )


def pipeline_config(store: Store, filters: Filters) -> str:
    """The choice as a config of `dialogue-cube pipeline`: a source with the config that it was read with."""
    configs = store.frame(CONFIGS).set_index("source")["config"].to_dict()
    names = (
        f"{name}:{configs[name]}" if configs.get(name, "default") != "default" else name for name in filters.source
    )
    splits = tuple(split for split in SPLITS if split in filters.split)
    return PipelineConfig(sources=tuple(names), languages=filters.language, splits=splits).to_yaml()


def _choice(store: Store, texts: Texts, name: str) -> tuple[str, ...]:
    known = store.frame(KNOWN_SPLITS if name == "split" else KNOWN.format(column=name))["name"].tolist()
    chosen = st.multiselect(
        texts(f"filter.{name}"),
        known,
        key=name,
        placeholder=texts("filter.all"),
        bind="query-params",
        persist_state="session",
    )
    return tuple(chosen)
