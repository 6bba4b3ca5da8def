"""Tasks that decide the split of every dialogue.

Under `leak-free`, a cluster is in one split only: the latest official split of its rows. Rows without an official split
join that split; rows with an earlier official split are dropped. The same holds for translations. What has no official
split at all is kept together with all dialogues that share a pair with it, and gets a seeded split (`fill`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.chunks import take
from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.survey.clusters import clusters_of, send_members, translated
from dataset_builders.survey.contained import send_utterances
from dataset_builders.survey.fill import Bounds, positions_of, send_items
from dataset_builders.survey.grouping import (
    columns,
    combine,
    count_in_splits,
    first_in_splits,
    of_columns,
    row_splits,
)
from dataset_builders.survey.keys import (
    anchor_numbers,
    first_contents,
    load_hashes,
    pair_hashes,
    repeated_rows,
    shared_pairs,
)
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, TRAIN, leak_counts, overlaps
from dataset_builders.survey.parsed import official_splits, read_splits
from dataset_builders.survey.plan import Plan
from dataset_builders.survey.references import ask
from dataset_builders.survey.similar import sketch
from dataset_builders.survey.translations import Translations
from dataset_builders.text.normalize import ids_of_hashes

KEEPS_ITS_SPLITS = "multiwoz"
"""The only corpus that keeps its splits under the policy `original`."""


def open_rows(plan: Plan, bits: int, number: int) -> None:
    """Task of a shard: its official splits, the seeded places of its rows without one, and its signatures."""
    shard = plan.shards[number]
    table = load(plan.storage, f"rows/{number:05d}")
    lengths, contents = array(table, "length"), array(table, "content")
    official = official_splits(*read_splits(shard.rows, shard.part), lengths, repeated_rows(plan, number))
    if plan.policy == "original" and plan.names[shard.source] != KEEPS_ITS_SPLITS:
        official = np.where(official == DROPPED, official, TRAIN).astype(np.int8)
    free = np.flatnonzero(official == NO_SPLIT)
    maps: list[Any] = []
    ids = take(plan.table(number, maps).column(0), free) if len(free) else pa.array([], pa.string())
    positions = positions_of(ids.cast(pa.binary()).to_pylist(), plan.seed)
    save(plan.storage, f"official/{number:05d}", records(split=official))
    save(plan.storage, f"places/{number:05d}", records(row=free, position=positions))
    send_items(plan, rows_of(shard.source), number, positions, np.ones(len(positions), np.int32))
    if plan.config.near:
        rows = np.flatnonzero(first_contents(plan, number))
        rich = sketch(plan, number, rows, contents[rows], bits)
        send_utterances(plan, number, rows[rich])


def rows_of(source: int) -> str:
    """Name of the exchange of single rows: those of a source that have no official split, for the splits before."""
    return f"alone-{source}"


def components_of(source: int) -> str:
    """Name of the exchange of the components of a source."""
    return f"together-{source}"


def group_rows(plan: Plan, alone: Mapping[int, Bounds], number: int) -> None:
    """Task of a shard: send its clusters, with their official splits, to their parts.

    Args:
        plan: The plan.
        alone: Bounds of the seeded splits of each source's rows by themselves.
        number: Number of the shard.
    """
    shard = plan.shards[number]
    groups = clusters_of(plan, array(load(plan.storage, f"rows/{number:05d}"), "content"))
    official = array(load(plan.storage, f"official/{number:05d}"), "split")
    before, places = official.copy(), load(plan.storage, f"places/{number:05d}")
    if len(places):
        before[array(places, "row")] = alone[shard.source].splits(array(places, "position"))
    save(plan.storage, f"groups/{number:05d}", records(group=groups, before=before))
    distinct, group = np.unique(groups, return_inverse=True)
    table = records(
        group=distinct,
        rows=np.bincount(group, minlength=len(distinct)),
        free=np.bincount(group[official == NO_SPLIT], minlength=len(distinct)),
        **columns("first", first_in_splits(group, len(distinct), shard.first + np.arange(len(groups)), official)),
        **columns("before", count_in_splits(group, len(distinct), before)),
    )
    plan.exchange("groups").send(number, table, plan.part_of(distinct), plan.parts)


def combine_groups(plan: Plan, part: int) -> dict[str, Any]:
    """Task of a part: tell the shards about the clusters of several rows.

    Returns:
        `duplicates`: see `overlaps`; `before`: `leak_counts` of the splits before the survey.
    """
    shards = len(plan.shards)
    table, sent = plan.exchange("groups").receive(part, shards)
    groups, rows, sources = array(table, "group"), array(table, "rows"), plan.senders(sent)
    group, first = combine(groups, of_columns(table, "first"))
    several = (np.bincount(group, rows) > 1)[group]
    answers = records(group=groups[several], **columns("first", first[group[several]]))
    plan.exchange("groups").answer(part, answers, np.repeat(np.arange(shards), sent)[several], shards)
    free = array(table, "free")
    save(plan.storage, f"free/{part:05d}", records(group=groups, source=sources, rows=free).filter(pa.array(free > 0)))
    names = len(plan.names)
    before = leak_counts(groups[several], sources[several], of_columns(table, "before")[several], names)
    return {
        "duplicates": overlaps(groups[several], sources[several], rows[several], names).tolist(),
        "before": before.tolist(),
    }


def link_rows(plan: Plan, translations: Translations, number: int) -> int:
    """Task of a shard: rows without an official split inherit one, and the pairs of all others go to their parts.

    Returns:
        Number of rows without any split.
    """
    groups = array(load(plan.storage, f"groups/{number:05d}"), "group")
    official = array(load(plan.storage, f"official/{number:05d}"), "split")
    free = official == NO_SPLIT
    latest = row_splits(plan, number, "groups", groups, official).latest
    groups, latest = translations.joined(groups, latest, free)
    inherited = np.where(free & (latest >= TRAIN), latest, official).astype(np.int8)
    save(plan.storage, f"inherited/{number:05d}", records(split=inherited, group=groups))
    starts, hashes = load_hashes(plan, number)
    lengths = np.diff(starts)
    anchors = anchor_numbers(lengths)
    owner = np.repeat(np.arange(len(lengths)), lengths)[anchors]
    is_free = inherited[owner] == NO_SPLIT
    keys, nodes = pair_hashes(hashes)[anchors[is_free]], groups[owner[is_free]]
    shared = np.isin(keys, shared_pairs(plan, number))
    keys, nodes = distinct_pairs(keys[shared], nodes[shared])
    plan.exchange("links").send(number, records(hash=keys, node=nodes), plan.part_of(keys), plan.parts)
    return int((inherited == NO_SPLIT).sum())


def distinct_pairs(keys: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of a key and a node, sorted."""
    order = np.lexsort((nodes, keys))
    keys, nodes = keys[order], nodes[order]
    new = np.append(True, (keys[1:] != keys[:-1]) | (nodes[1:] != nodes[:-1]))[: len(keys)]
    return keys[new], nodes[new]


def send_components(plan: Plan, number: int) -> None:
    """Task of a shard: send the components of its rows without any split to their parts."""
    table = load(plan.storage, f"inherited/{number:05d}")
    groups = array(table, "group")[array(table, "split") == NO_SPLIT]
    components, counts = np.unique(translated(plan, JOINED, groups), return_counts=True)
    plan.exchange("components").send(
        number, records(component=components, rows=counts), plan.part_of(components), plan.parts
    )


JOINED = "joined.arrow"
"""File with the component of each cluster that is joined to another one (`linked`)."""


def size_components(plan: Plan, totals: Sequence[int], part: int) -> list[int]:
    """Task of a part: the rows of each component, its source, and its place in the seeded order.

    Args:
        plan: The plan.
        totals: Number of rows without any split of each source.
        part: Number of the part.

    Returns:
        Number of rows in the components of each source.
    """
    table, sent = plan.exchange("components").receive(part, len(plan.shards))
    components, inverse = np.unique(array(table, "component"), return_inverse=True)
    names = len(plan.names)
    by_source = np.zeros((len(components), names), np.int64)
    np.add.at(by_source, (inverse, plan.senders(sent)), array(table, "rows"))
    home = np.argmax(by_source / np.maximum(totals, 1), axis=1)  # the source with most of its rows there
    rows = by_source.sum(axis=1)
    positions = positions_of(ids_of_hashes(components).cast(pa.binary()).to_pylist(), plan.seed)
    save(plan.storage, f"sizes/{part:05d}", records(component=components, rows=rows, home=home, position=positions))
    return np.bincount(home, rows, names).astype(int).tolist()


def place_components(plan: Plan, big_from: Sequence[float], part: int) -> list[tuple[int, int, int]]:
    """Task of a part: send the components that are not big to the ranges of their places.

    Args:
        plan: The plan.
        big_from: Number of rows above which a component of each source is big; infinite for a source without any.
        part: Number of the part.

    Returns:
        Source, rows and place of each big one.
    """
    table = load(plan.storage, f"sizes/{part:05d}")
    home, rows, position = (array(table, name) for name in ("home", "rows", "position"))
    big = rows > np.array(big_from)[home]
    for source in np.flatnonzero(np.isfinite(big_from)).tolist():
        here = ~big & (home == source)
        send_items(plan, components_of(source), part, position[here], rows[here])
    return list(zip(home[big].tolist(), rows[big].tolist(), position[big].tolist(), strict=True))


def split_components(plan: Plan, together: Mapping[int, Bounds], part: int) -> None:
    """Task of a part: tell the shards the split of each component."""
    shards = len(plan.shards)
    table = load(plan.storage, f"sizes/{part:05d}")
    home, position, split = array(table, "home"), array(table, "position"), np.zeros(len(table), np.int8)
    for source, bounds in together.items():
        split[home == source] = bounds.splits(position[home == source])
    sent, counts = plan.exchange("components").receive(part, shards)
    components = array(sent, "component")
    answers = records(component=components, split=split[np.searchsorted(array(table, "component"), components)])
    plan.exchange("components").answer(part, answers, np.repeat(np.arange(shards), counts), shards)


def assign_rows(plan: Plan, number: int) -> None:
    """Task of a shard: the split of each row before leaks are dropped; send those of shared clusters to their parts."""
    table = load(plan.storage, f"groups/{number:05d}")
    groups, split = array(table, "group"), array(table, "before").copy()
    official = array(load(plan.storage, f"official/{number:05d}"), "split")
    if plan.policy == "leak-free":
        inherited = load(plan.storage, f"inherited/{number:05d}")
        split = array(inherited, "split").copy()
        free = split == NO_SPLIT
        components = translated(plan, JOINED, array(inherited, "group")[free])
        answers = plan.exchange("components").answers(number, plan.parts)
        order = np.argsort(array(answers, "component"))
        place = order[np.searchsorted(array(answers, "component")[order], components)] if len(components) else order[:0]
        split[free] = array(answers, "split")[place]
    undropped = np.where(official >= TRAIN, official, split).astype(np.int8)
    save(plan.storage, f"splits/{number:05d}", records(split=split, undropped=undropped))
    taken = np.sort(array(plan.exchange("groups").answers(number, plan.parts), "group"))
    shared = np.isin(groups, taken)
    distinct, group = np.unique(groups[shared], return_inverse=True)
    rows = plan.shards[number].first + np.flatnonzero(shared)
    first = first_in_splits(group, len(distinct), rows, undropped[shared])
    table = records(group=distinct, **columns("first", first))
    plan.exchange("assigned").send(number, table, plan.part_of(distinct), plan.parts)


def combine_assigned(plan: Plan, part: int) -> None:
    """Task of a part: tell the shards the splits of the shared clusters."""
    shards = len(plan.shards)
    table, sent = plan.exchange("assigned").receive(part, shards)
    group, first = combine(array(table, "group"), of_columns(table, "first"))
    answers = records(group=array(table, "group"), **columns("first", first[group]))
    plan.exchange("assigned").answer(part, answers, np.repeat(np.arange(shards), sent), shards)


def drop_leaks(plan: Plan, translations: Translations, number: int) -> None:
    """Task of a shard: the final split of each row, and the row that keeps a dropped one out."""
    table = load(plan.storage, f"groups/{number:05d}")
    groups, before = array(table, "group"), array(table, "before")
    official = array(load(plan.storage, f"official/{number:05d}"), "split")
    table = load(plan.storage, f"splits/{number:05d}")
    split, undropped = array(table, "split").copy(), array(table, "undropped")
    first_row = plan.shards[number].first
    published = translations.with_published(row_splits(plan, number, "groups", groups, official), first_row)
    assigned = translations.with_assigned(row_splits(plan, number, "assigned", groups, undropped), first_row)
    if plan.policy == "leak-free":
        split[(official >= TRAIN) & (official < assigned.latest)] = DROPPED
    leak = (split == DROPPED) & (official != DROPPED)
    blocking = np.where(published.latest == assigned.latest, published.blocking, assigned.blocking)
    flagged = assigned.earliest != assigned.latest
    save(plan.storage, f"final/{number:05d}", records(split=split, leak=leak, flagged=flagged))
    places = np.flatnonzero(leak)
    targets = blocking[places]
    ask(plan, "rows-asked", number, places, targets, plan.shard_of)
    taken = np.sort(array(plan.exchange("groups").answers(number, plan.parts), "group"))
    shared = np.isin(groups, taken)
    distinct, group = np.unique(groups[shared], return_inverse=True)
    counts = records(group=distinct, **columns("count", count_in_splits(group, len(distinct), split[shared])))
    plan.exchange("final-groups").send(number, counts, plan.part_of(distinct), plan.parts)
    contents = array(load(plan.storage, f"rows/{number:05d}"), "content")
    if plan.has_dialogues:
        send_members(plan, number, np.flatnonzero(shared), groups[shared], contents[shared])
    send_pair_splits(plan, number, split, undropped, before)


def send_pair_splits(plan: Plan, number: int, split: np.ndarray, undropped: np.ndarray, before: np.ndarray) -> None:
    """Send the splits of the pairs of a shard that occur several times to their parts.

    Args:
        plan: The plan.
        number: Number of the shard.
        split: Split of each row, int8 of shape (n,).
        undropped: The same, before leaks are dropped.
        before: The same, before the survey.
    """
    starts, hashes = load_hashes(plan, number)
    anchors = anchor_numbers(np.diff(starts))
    keys = pair_hashes(hashes)[anchors]
    shared = np.isin(keys, shared_pairs(plan, number))
    anchors, keys = anchors[shared], keys[shared]
    row = np.searchsorted(starts, anchors, "right") - 1
    distinct, group = np.unique(keys, return_inverse=True)
    count, turns = len(distinct), plan.shards[number].first_turn + anchors
    table = records(
        hash=distinct,
        **columns("first", first_in_splits(group, count, turns, split[row])),
        **columns("undropped", count_in_splits(group, count, undropped[row])),
        **columns("before", count_in_splits(group, count, before[row])),
        **columns("after", count_in_splits(group, count, split[row])),
    )
    plan.exchange("pair-splits").send(number, table, plan.part_of(distinct), plan.parts)
