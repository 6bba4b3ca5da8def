"""Terms of the licences of training data, which `dataset_builders` declares."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
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


def restricted_data(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the training data that may not be redistributed or whose licence is unknown: source -> licences.

    For a source that this project reads, its own licence counts beside the recorded one.

    Args:
        record: As for `licenses_by_source`. If it names no source, the entry is "training data".
    """
    sources = licenses_by_source(record) or {"training data": "not recorded"}
    return {name: licenses for name, licenses in sources.items() if not _are_open(name, licenses)}


def _are_open(source: str, licenses: str) -> bool:
    names = _names(licenses)
    with suppress(DataError):  # the user's own data
        names.append(get_builder(source).INFO.license)
    return all(map(may_be_quoted, names))


def _names(licenses: str) -> list[str]:
    return licenses.removeprefix("among ").split(", ")


def is_share_alike(licenses: str) -> bool:
    """Return whether one of the licences of a source, as `licenses_by_source` returns them, is share-alike."""
    return any(get_license(name).share_alike for name in _names(licenses))


def may_be_quoted(license: str) -> bool:
    """Return whether rows under a licence may be redistributed, and so quoted on a card."""
    return get_license(license).redistributable
