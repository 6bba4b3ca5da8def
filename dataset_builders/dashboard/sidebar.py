"""The sidebar: filters for all tabs, their config for the pipeline, and facts about the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from dataset_builders.dashboard.filters import COLUMNS, Filters, Metadata, value_of
from dataset_builders.dashboard.page import plain
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

_METADATA = "SELECT DISTINCT metadata FROM dialogs UNION SELECT DISTINCT metadata FROM downstream"

HAS_METADATA = "SELECT count(*) > 0 FROM duckdb_columns() WHERE table_name = 'dialogs' AND column_name = 'metadata'"
"""Whether the database has the column; one of an older version has not."""

METADATA_KEYS = f"SELECT DISTINCT unnest(json_keys(metadata)) AS name FROM ({_METADATA}) ORDER BY name"

METADATA_VALUES = f"""
SELECT DISTINCT {{value}} AS name FROM ({_METADATA})
WHERE name IS NOT NULL ORDER BY name LIMIT 1000
"""

CONFIGS = "SELECT source, config FROM sources"

RUN = "SELECT package_version, dataset_fingerprint FROM runs ORDER BY run DESC LIMIT 1"


def choose(store: Store, texts: Texts) -> Filters:
    """Show the filters, which the address includes, and return them."""
    with st.sidebar:
        st.subheader(texts("filter.title"), anchor=False)
        by_column = {name: _choice(store, texts, name) for name in COLUMNS}
        filters = Filters(**by_column, metadata=_metadata(store, texts))
        st.download_button(
            texts("filter.export"),
            lambda: pipeline_config(store, filters),
            file_name="pipeline.yaml",
            mime="application/yaml",
            help=texts("filter.export_metadata" if filters.metadata else "filter.export_help"),
            disabled=filters.metadata is not None,
            icon=":material/download:",
            on_click="ignore",
        )
        st.caption(texts("filter.link"))
    return filters.with_longer_tags(store.frame(NAMES.format(column="language"))["name"])


def about(store: Store, texts: Texts) -> None:
    """Show which data the page is about."""
    run = store.frame(RUN).iloc[0]
    with st.sidebar:
        made = {"fingerprint": run["dataset_fingerprint"], "version": run["package_version"]}
        st.caption(texts("page.about", **made, file=plain(Path(store.path).name)))


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
    return _several(texts, name, options)


def _metadata(store: Store, texts: Texts) -> Metadata | None:
    """Show a choice of a key of the metadata, if there is any, and of its values."""
    keys = store.frame(METADATA_KEYS)["name"].tolist() if store.value(HAS_METADATA) else []
    if not keys:
        return None
    key = st.selectbox(
        texts("filter.metadata"),
        keys,
        index=None,
        key="metadata",
        placeholder=texts("filter.all"),
        bind="query-params",
        persist_state="session",
    )
    if key is None:
        return None
    values = _several(texts, "value", store.frame(METADATA_VALUES.format(value=value_of(key)))["name"].tolist())
    return Metadata(key, values) if values else None


def _several(texts: Texts, name: str, options: list[str]) -> tuple[str, ...]:
    values = st.multiselect(
        texts(f"filter.{name}"),
        options,
        key=name,
        placeholder=texts("filter.all"),
        bind="query-params",
        persist_state="session",
    )
    return tuple(values)
