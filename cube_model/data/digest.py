"""Fingerprints of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest_of(*columns: Iterable[object]) -> str:
    """Return the SHA-256 of columns of values."""
    digest = hashlib.sha256()
    for column in columns:
        for value in column:
            digest.update(f"{value}\0".encode("utf-8", "surrogatepass"))
        digest.update(b"\1")
    return digest.hexdigest()
