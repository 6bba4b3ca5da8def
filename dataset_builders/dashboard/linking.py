"""Switches whose choice stands in the address by its name, whatever language the page is in.

Streamlit's own binding (`bind="query-params"`) writes the label that is shown: right for names that are not translated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


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
