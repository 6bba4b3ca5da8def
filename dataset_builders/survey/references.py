"""Ids of rows and pairs in other shards that the decisions of a shard name: asked for by number, each once.

A greeting that is in test keeps out its copies of all other splits, so that all of them name one pair.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.survey.plan import Plan
from dataset_builders.text.ragged import distinct

ShardOf = Callable[[np.ndarray], np.ndarray]


def ask(plan: Plan, name: str, number: int, places: np.ndarray, targets: np.ndarray, shard_of: ShardOf) -> None:
    """Ask other shards for ids.

    Args:
        plan: The plan.
        name: Name of the exchange.
        number: Number of the shard that asks.
        places: Where it needs the ids, ascending, integers of shape (n,).
        targets: What it names there: a number among those of all shards, int64 of shape (n,).
        shard_of: Returns the shards that hold some targets.
    """
    save(plan.storage, f"{name}-for/{number:05d}", records(place=places, target=targets))
    asked = distinct(targets)
    plan.exchange(name).send(number, records(target=asked), shard_of(asked), len(plan.shards))


def ids_of(plan: Plan, name: str, number: int, count: int) -> pa.Array:
    """The ids that a shard has asked for, at the places that need them, and null elsewhere; n = `count` strings."""
    needed, answers = (
        load(plan.storage, f"{name}-for/{number:05d}"),
        plan.exchange(name).answers(number, len(plan.shards)),
    )
    if not len(needed):
        return pa.nulls(count, pa.string())
    order = np.argsort(array(answers, "target"))
    index, mask = np.zeros(count, np.int64), np.ones(count, bool)
    places = array(needed, "place")
    index[places] = order[np.searchsorted(array(answers, "target")[order], array(needed, "target"))]
    mask[places] = False
    return answers["id"].combine_chunks().take(pa.array(index, mask=mask))
