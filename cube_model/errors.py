"""The one exception that tells a user what to do; the command line prints it in one line."""

from __future__ import annotations


class ModelError(Exception):
    """Something a user can put right: what is wrong, where, and what to do, in one line."""
