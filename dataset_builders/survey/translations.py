"""Translations of dialogues: rows with one `parallel_id`, of which all decisions fit into memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dataset_builders.survey.exchange import array, load
from dataset_builders.survey.leaks import NO_SPLIT, GroupSplits, by_source, group_splits, leak_counts
from dataset_builders.survey.parallel import lower
from dataset_builders.survey.plan import Plan


@dataclass(frozen=True)
class _Overrides:
    """Splits of the rows with translations, by their numbers, ascending."""

    rows: np.ndarray
    splits: GroupSplits

    def over(self, splits: GroupSplits, first: int) -> GroupSplits:
        """Put the splits of the rows of a shard, of which the first one is given, over those of their clusters."""
        start, end = np.searchsorted(self.rows, [first, first + len(splits.latest)])
        if start == end:
            return splits
        place = self.rows[start:end] - first
        result = GroupSplits(splits.earliest.copy(), splits.latest.copy(), splits.blocking.copy())
        for mine, all_rows in zip(vars(self.splits).values(), vars(result).values(), strict=True):
            all_rows[place] = mine[start:end]
        return result


_NO_ROWS = _Overrides(np.zeros(0, np.int64), group_splits(np.zeros(0, np.int64), np.zeros(0, np.int8)))


@dataclass(frozen=True)
class Translations:
    """What the translations change in the splits of clusters.

    Attributes:
        groups: Clusters without an official split that have translations, ascending; uint64 of shape (g,).
        names: The least of all clusters that are joined with each, through translations of translations.
        latest: The latest official split of a translation of all these.
        published: Splits of the rows with translations, by the official splits.
        assigned: The same, by the assigned ones.
    """

    groups: np.ndarray
    names: np.ndarray
    latest: np.ndarray
    published: _Overrides = _NO_ROWS
    assigned: _Overrides = _NO_ROWS

    @classmethod
    def none(cls) -> Translations:
        """No translations."""
        return cls(np.zeros(0, np.uint64), np.zeros(0, np.uint64), np.zeros(0, np.int8))

    def joined(self, groups: np.ndarray, latest: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Join the clusters of the free rows of a shard; returns their names and their latest official splits.

        Args:
            groups: Cluster of each of n rows.
            latest: Its latest official split.
            free: Whether the row has no official split.
        """
        if not len(self.groups):
            return groups, latest
        place = np.minimum(np.searchsorted(self.groups, groups), len(self.groups) - 1)
        mine = free & (self.groups[place] == groups)
        return np.where(mine, self.names[place], groups), np.where(mine, self.latest[place], latest).astype(np.int8)

    def with_published(self, splits: GroupSplits, first: int) -> GroupSplits:
        """Splits of the clusters and the translations of the rows of a shard, by the official splits."""
        return self.published.over(splits, first)

    def with_assigned(self, splits: GroupSplits, first: int) -> GroupSplits:
        """The same, by the assigned ones."""
        return self.assigned.over(splits, first)


def find_translations(
    plan: Plan, counts: list[int], of_groups: Callable[[Plan, int, str, np.ndarray, np.ndarray], GroupSplits]
) -> tuple[Translations, np.ndarray, np.ndarray]:
    """Join what is linked by translations.

    Args:
        plan: The plan.
        counts: Number of rows with translations in each shard.
        of_groups: `assign.row_splits`.

    Returns:
        The translations, without `assigned`; numbers of the rows, and their `parallel_id` as numbers.
    """
    rows, keys = read_rows(plan, counts)
    if not len(rows):
        return Translations.none(), rows, keys
    official = _gather(plan, counts, "official", "split")
    groups = _gather(plan, counts, "groups", "group")
    published = _override(plan, counts, rows, keys, official, "groups", official_name="official", of_groups=of_groups)
    free = official == NO_SPLIT
    _, group = np.unique(groups[free], return_inverse=True)
    label, places = group.copy(), np.arange(len(group))
    while len(label):  # each pass goes one link further; chains are short
        earlier = label.copy()
        lower(label, places, group)
        lower(label, places, keys[free])
        if np.array_equal(label, earlier):
            break
    distinct, first = np.unique(groups[free], return_index=True)
    latest = np.full(int(label.max(initial=-1)) + 1, NO_SPLIT, np.int8)
    np.maximum.at(latest, label, published.splits.latest[free])
    translations = Translations(distinct, distinct[label[first]], latest[label[first]], published)
    return translations, rows, keys


def with_assigned(
    plan: Plan,
    counts: list[int],
    translations: Translations,
    rows: np.ndarray,
    keys: np.ndarray,
    of_groups: Callable[[Plan, int, str, np.ndarray, np.ndarray], GroupSplits],
) -> Translations:
    """The translations with `assigned`, once every row has a split; see `find_translations`."""
    undropped = _gather(plan, counts, "splits", "undropped")
    splits = _override(plan, counts, rows, keys, undropped, "assigned", official_name="splits", of_groups=of_groups)
    return replace(translations, assigned=splits)


def count_translated(plan: Plan, counts: list[int], rows: np.ndarray, keys: np.ndarray, name: str, column: str) -> dict:
    """Leaks between translations (`leaks.by_source`), by the splits in a column of the files of all shards."""
    if not len(rows):
        return {}
    split = _gather(plan, counts, name, column)
    sources = plan.sources[plan.shard_of(rows)]
    in_splits = np.stack([split == index for index in range(3)], axis=1).astype(np.int64)
    table = leak_counts(keys, sources, in_splits, len(plan.names))
    return by_source(table, plan.names, np.unique(sources))


def read_rows(plan: Plan, counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows with translations, and their `parallel_id` as numbers."""
    tables = [load(plan.storage, f"parallel/{number:05d}") for number, count in enumerate(counts) if count]
    rows = np.concatenate([np.zeros(0, np.int64), *(array(table, "row") for table in tables)])
    keys = np.concatenate([np.zeros(0, np.uint64), *(array(table, "hash") for table in tables)])
    return rows, np.unique(keys, return_inverse=True)[1]


def _gather(plan: Plan, counts: list[int], name: str, column: str) -> np.ndarray:
    """A column of the rows with translations."""
    parts = []
    for number, count in enumerate(counts):
        if count:
            rows = array(load(plan.storage, f"parallel/{number:05d}"), "row") - plan.shards[number].first
            parts.append(array(load(plan.storage, f"{name}/{number:05d}"), column)[rows])
    return np.concatenate(parts)


def _override(
    plan: Plan,
    counts: list[int],
    rows: np.ndarray,
    keys: np.ndarray,
    split: np.ndarray,
    exchange: str,
    official_name: str,
    of_groups: Callable[[Plan, int, str, np.ndarray, np.ndarray], GroupSplits],
) -> _Overrides:
    """Splits of each row's cluster and of its translations together."""
    parts = []
    column = "split" if official_name == "official" else "undropped"
    for number, count in enumerate(counts):
        if count:
            here = array(load(plan.storage, f"parallel/{number:05d}"), "row") - plan.shards[number].first
            groups = array(load(plan.storage, f"groups/{number:05d}"), "group")
            whole = array(load(plan.storage, f"{official_name}/{number:05d}"), column)
            found = of_groups(plan, number, exchange, groups, whole)
            parts.append([values[here] for values in vars(found).values()])
    earliest, latest, blocking = (np.concatenate(values) for values in zip(*parts, strict=True))
    mine = group_splits(keys, split)
    has_split = mine.earliest > NO_SPLIT
    before = has_split & ((mine.earliest < earliest) | (earliest == NO_SPLIT))
    earliest = np.where(before, mine.earliest, earliest).astype(np.int8)
    later = mine.latest > latest
    latest = np.where(later, mine.latest, latest).astype(np.int8)
    blocking = np.where(later, rows[np.maximum(mine.blocking, 0)], blocking)
    return _Overrides(rows, GroupSplits(earliest, latest, blocking))
