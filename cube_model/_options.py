"""Helpers shared by the package's command lines."""

from __future__ import annotations


def comma_list(names: str | None) -> list[str] | None:
    """`"sgd, woz"` -> `["sgd", "woz"]`; None and blanks -> None (all)."""
    return [name.strip() for name in (names or "").split(",") if name.strip()] or None
