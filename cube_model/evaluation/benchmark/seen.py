"""Which sources an encoder was trained on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cube_model.inference.loading import training_record
from cube_model.teacher.find import KNOWN_TEACHERS

if TYPE_CHECKING:
    from cube_model.evaluation.benchmark.config import BenchmarkConfig


def seen_sources(config: BenchmarkConfig) -> frozenset[str] | None:
    """Return the sources that the encoder and the core were trained on.

    Args:
        config: Configuration; its `seen_sources` count in place of the records.

    Returns:
        The sources; None if neither the option nor a `training.json` names them.

    Raises:
        ModelError: A `training.json` is damaged.
    """
    if config.seen_sources is not None:
        return frozenset(config.seen_sources)
    places = [place for place in (config.encoder, config.model) if isinstance(place, str | os.PathLike)]
    records = [training_record(place) for place in places if str(place) not in KNOWN_TEACHERS]
    sources = [_sources(record) for record in records]
    recorded = [names for names in sources if names is not None]
    return frozenset().union(*recorded) if recorded else None


def _sources(record: dict[str, Any]) -> list[str] | None:
    data = record.get("data")
    return data.get("sources") if isinstance(data, dict) else None
