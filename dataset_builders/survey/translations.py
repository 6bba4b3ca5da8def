"""Translations: rows with the same `parallel_id`, which belong into one split. All of them fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from dataset_builders.arrow.exchange import array, load
from dataset_builders.common.choices import SPLITS
from dataset_builders.survey.grouping import row_splits
from dataset_builders.survey.leaks import NO_SPLIT, TRAIN, GroupSplits, by_source, group_splits, leak_counts
from dataset_builders.survey.plan import Plan


@dataclass(frozen=True)
class _Overrides:
    """Splits of the rows with translations, by their numbers, ascending."""

    rows: np.ndarray
    splits: GroupSplits

    def over(self, splits: GroupSplits, first: int) -> GroupSplits:
        """Put these splits over those of the clusters of the rows of a shard.

        Args:
            splits: Splits of the clusters of all rows of the shard.
            first: Number of its first row.
        """
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


@dataclass(frozen=True)
class Translated:
    """The rows with translations.

    Attributes:
        counts: Number of them in each shard.
        rows: Their numbers, ascending, shape (p,).
        keys: Their `parallel_id` as numbers from 0, shape (p,).
    """

    counts: list[int]
    rows: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, plan: Plan, counts: list[int]) -> Translated:
        """Read the rows that `keys.hash_rows` has found, by their number in each shard."""
        tables = [load(plan.storage, f"parallel/{number:05d}") for number, count in enumerate(counts) if count]
        rows = np.concatenate([np.zeros(0, np.int64), *(array(table, "row") for table in tables)])
        keys = np.concatenate([np.zeros(0, np.uint64), *(array(table, "hash") for table in tables)])
        return cls(counts, rows, np.unique(keys, return_inverse=True)[1])

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, plan: Plan) -> Translations:
        """What they change in the splits of clusters, by the official splits."""
        if not len(self):
            return Translations.none()
        official, groups = self._gather(plan, "official", "split"), self._gather(plan, "groups", "group")
        published = self._splits(plan, "groups", "official", "split")
        free = official == NO_SPLIT
        distinct, first, group = np.unique(groups[free], return_index=True, return_inverse=True)
        label = link(group, np.arange(len(group)), self.keys[free])
        latest = np.full(len(distinct), NO_SPLIT, np.int8)
        np.maximum.at(latest, label, published.splits.latest[free])
        return Translations(distinct, distinct[label[first]], latest[label[first]], published)

    def with_assigned(self, plan: Plan, translations: Translations) -> Translations:
        """The same, once every row has a split."""
        if not len(self):
            return translations
        return replace(translations, assigned=self._splits(plan, "assigned", "splits", "undropped"))

    def leaks(self, plan: Plan, name: str, column: str) -> dict[str, dict[str, int]]:
        """Leaks between translations (`leaks.by_source`), by the splits in a column of the files of all shards."""
        if not len(self):
            return {}
        split, sources = self._gather(plan, name, column), plan.sources[plan.shard_of(self.rows)]
        in_splits = np.stack([split == index for index in range(len(SPLITS))], axis=1).astype(np.int64)
        return by_source(leak_counts(self.keys, sources, in_splits, len(plan.names)), plan.names, np.unique(sources))

    def _splits(self, plan: Plan, exchange: str, name: str, column: str) -> _Overrides:
        """Splits of each row's cluster and of its translations together.

        Args:
            plan: The plan.
            exchange: Exchange that has combined the splits of the clusters.
            name: Name of the files with the splits of all rows.
            column: Their column.
        """
        parts = []
        for number, here in self._places(plan):
            groups = array(load(plan.storage, f"groups/{number:05d}"), "group")
            split = array(load(plan.storage, f"{name}/{number:05d}"), column)
            rows_of = row_splits(plan, number, exchange, groups, split)
            parts.append([values[here] for values in vars(rows_of).values()])
        of_clusters = GroupSplits(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        mine = group_splits(self.keys, self._gather(plan, name, column))
        return _Overrides(self.rows, merge(of_clusters, mine, self.rows))

    def _gather(self, plan: Plan, name: str, column: str) -> np.ndarray:
        """A column of the rows."""
        return np.concatenate(
            [array(load(plan.storage, f"{name}/{number:05d}"), column)[here] for number, here in self._places(plan)]
        )

    def _places(self, plan: Plan) -> Iterator[tuple[int, np.ndarray]]:
        """The shards with such rows, and the numbers of the rows there."""
        ends = np.cumsum([0, *self.counts])
        for number, (start, end) in enumerate(pairwise(ends.tolist())):
            if start < end:
                yield number, self.rows[start:end] - plan.shards[number].first


def link(groups: np.ndarray, place: np.ndarray, parallel: np.ndarray) -> np.ndarray:
    """Join groups through translations of translations.

    Args:
        groups: Group of each of n rows, numbers from 0; shape (n,).
        place: Rows that have translations, shape (p,).
        parallel: Their `parallel_id`, numbers from 0; shape (p,).

    Returns:
        The least of all groups that are joined with each row's, shape (n,).
    """
    label, rows = groups.copy(), np.arange(len(groups))
    while len(place):  # each pass goes one link further; chains are short
        before = label.copy()
        _lower(label, rows, groups)
        _lower(label, place, parallel)
        if np.array_equal(label, before):
            break
    return label


def merge(of_groups: GroupSplits, of_translations: GroupSplits, rows: np.ndarray) -> GroupSplits:
    """Splits of each row's group and of its translations together.

    Args:
        of_groups: Splits of the groups of p rows.
        of_translations: Splits of their translations; `blocking` is an index in `rows`.
        rows: Number of each row, shape (p,).
    """
    earliest, latest = of_groups.earliest, of_groups.latest
    has_split = of_translations.earliest >= TRAIN
    is_earlier = has_split & ((of_translations.earliest < earliest) | (earliest == NO_SPLIT))
    is_later = of_translations.latest > latest
    return GroupSplits(
        np.where(is_earlier, of_translations.earliest, earliest).astype(np.int8),
        np.where(is_later, of_translations.latest, latest).astype(np.int8),
        np.where(is_later, rows[np.maximum(of_translations.blocking, 0)], of_groups.blocking),
    )


def _lower(label: np.ndarray, place: np.ndarray, groups: np.ndarray) -> None:
    """Give the labels at these places the least label of their group."""
    least = np.full(int(groups.max()) + 1, len(label))
    np.minimum.at(least, groups, label[place])
    label[place] = least[groups]
