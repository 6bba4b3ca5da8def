"""Choices whose values are in the address, so that a link keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st


def remember(name: str, value: str) -> None:
    """Put a value that the visitor has chosen into the address."""
    st.session_state[f"chosen-{name}"] = st.query_params[name] = value


def remembered(name: str) -> str | None:
    """The value of a parameter of the address; None if it has none.

    A visitor who clicks twice in quick succession sends the second click with the address before the first one, so
    the session keeps what was chosen, and the address gets it again.
    """
    value = st.session_state.get(f"chosen-{name}")
    if value is not None and st.query_params.get(name) != value:
        st.query_params[name] = value
    return st.query_params.get(name)


def switch(name: str, labels: Mapping[str, str], title: str, *, first: str | None = None, **options: Any) -> str:
    """Show a switch between a few values, and return the value.

    Args:
        name: Name of the parameter in the address.
        labels: Label of each value.
        title: Title of the switch.
        first: Value if the address has none; None takes the first one.
        options: Options of `st.segmented_control`.
    """
    start, linked = _linked(name, labels, first)
    return str(st.segmented_control(title, list(labels), default=start, required=True, **linked, **options))


def choice(name: str, labels: Mapping[str, str], title: str, *, first: str | None = None, **options: Any) -> str:
    """Show a list to choose one of many values from, and return the value; see `switch`."""
    start, linked = _linked(name, labels, first)
    return str(st.selectbox(title, list(labels), index=list(labels).index(start), **linked, **options))


def _linked(name: str, labels: Mapping[str, str], first: str | None) -> tuple[str, dict[str, Any]]:
    """The value to begin with, and the options of a widget whose value is in the address."""
    start = first if first is not None and first in labels else next(iter(labels))
    # the labels are part of the key, so that each language has its own widget
    key = f"{name} {start} {' '.join(labels.values())}"

    def update_address() -> None:
        remember(name, st.session_state[key])

    in_address = remembered(name) or start
    linked: dict[str, Any] = {
        "format_func": lambda value: labels.get(value, value),
        "key": key,
        "on_change": update_address,
    }
    return in_address if in_address in labels else start, linked


def one_of(name: str, paths: Sequence[str], title: str) -> str:
    """The only path, or one that the visitor chooses; the address has its name, never a path.

    Args:
        name: Name of the parameter in the address.
        paths: Paths.
        title: Title of the list.
    """
    names: dict[str, str] = {}
    for path in paths:
        place = Path(path).name
        names[place if place not in names else f"{place} ({len(names) + 1})"] = path
    return paths[0] if len(paths) == 1 else names[choice(name, dict(zip(names, names, strict=True)), title)]
