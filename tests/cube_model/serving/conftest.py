"""Fixtures of the server."""

from support.served_assistant import small_assistant

__all__ = ["small_assistant"]
