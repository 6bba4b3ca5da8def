"""Terms of the licences of training data, which `dataset_builders` declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.licenses import get_license
from dataset_builders.sources.registry import get_builder


def licenses_by_source(record: Mapping[str, Any]) -> dict[str, str]:
    """Return source -> licences, from the record of the training data or else from the reader of the source.

    Args:
        record: `data` of a `training.json`: `sources`, and `licenses` by source or, of an encoder, for all together.
    """
    recorded = record.get("licenses") or {}
    by_source = recorded if isinstance(recorded, Mapping) else {}
    licenses = {}
    for name in record.get("sources") or []:
        try:
            licenses[name] = by_source.get(name) or get_builder(name).INFO.license
        except DataError:  # the user's own data
            together = recorded if isinstance(recorded, list) else []
            licenses[name] = f"among {', '.join(together)}" if together else "not recorded"
    return {name: license if isinstance(license, str) else ", ".join(license) for name, license in licenses.items()}


def is_share_alike(licenses: str) -> bool:
    """Return whether one of the licences of a source, as `licenses_by_source` returns them, is share-alike."""
    return any(get_license(name).share_alike for name in licenses.removeprefix("among ").split(", "))


def may_be_quoted(license: str) -> bool:
    """Return whether rows under a licence may be redistributed, and so quoted on a card."""
    return get_license(license).redistributable
