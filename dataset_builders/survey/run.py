"""The stages that decide the split of every row, of dialogues and of intent sets alike.

They are tasks over shards, parts and ranges, which exchange files. None of them needs memory for more than its own
records; the matches between dialogues, and the clusters that share pairs, are joined in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dataset_builders.arrow.mapped import release_unused
from dataset_builders.common.errors import DataError
from dataset_builders.common.stages import Stages
from dataset_builders.survey import assign, contained, keys, pair_leaks, similar
from dataset_builders.survey.candidates import find_candidates, find_shared
from dataset_builders.survey.clusters import label_nodes, send_matches, sort_matches
from dataset_builders.survey.components import big_from
from dataset_builders.survey.fill import Bounds, find_bounds, sort_items
from dataset_builders.survey.linked import find_links, join_clusters
from dataset_builders.survey.plan import Plan
from dataset_builders.survey.translations import Translated, Translations

_MATCHES_AT_ONCE = 1 << 20
"""Matches that a task sorts, about: 21 bytes each, and several times that while they are sorted."""


@dataclass(frozen=True)
class Found:
    """What the stages have found, in lists of the results of their tasks.

    Attributes:
        twins: Results of `keys.find_twins`.
        alike: Results of `find_candidates`.
        grouped: Results of `assign.combine_groups`.
        paired: Results of `pair_leaks.combine_pairs`.
        translated: The rows with translations.
        common: Number of pairs that are too common to join anything.
    """

    twins: list[dict[str, Any]]
    alike: list[dict[str, int]]
    grouped: list[dict[str, Any]]
    paired: list[dict[str, Any]]
    translated: Translated
    common: int


class Run:
    """One survey.

    Args:
        plan: The plan.
        stages: Runs the tasks.
        prefix: Beginning of the names of the stages.

    Attributes:
        sources: Numbers of the sources with rows.
        step: Name of the current step for progress; a step has several stages.
    """

    def __init__(self, plan: Plan, stages: Stages, prefix: str) -> None:
        self.plan, self._stages, self._prefix = plan, stages, prefix
        self.sources = sorted(set(plan.sources.tolist()))
        self.step = f"equal {plan.rows}"

    def find(self) -> Found:
        """Find duplicates, and decide the split of every row.

        Raises:
            DataError: Two different records of a source have the same id.
        """
        plan = self.plan
        hashed = self.shards("hashes", keys.hash_rows)
        twins = self._parts("twins", keys.find_twins)
        self._check_ids([outcome["conflict"] for outcome in twins])
        translated = Translated.of(plan, [outcome["parallel"] for outcome in hashed])
        self.shards("signatures", partial(assign.open_rows, plan, _bits(plan, hashed)), bound=True)
        alike, ranges = self._match() if plan.config.near else ([], 0)
        self.step = "splits" if plan.has_dialogues else f"splits of {plan.rows}"
        label_nodes(plan, ranges)
        alone = self._bounds({source: [] for source in self.sources}, assign.rows_of, self._senders)
        self.shards("clusters", partial(assign.group_rows, plan, alone), bound=True)
        grouped = self._parts("clusters-joined", assign.combine_groups)
        outcome = translated.find(plan)
        common = self._seed_splits(outcome) if plan.policy == "leak-free" else 0
        self.shards("splits", assign.assign_rows)
        self._parts("splits-joined", assign.combine_assigned)
        outcome = translated.with_assigned(plan, outcome)
        self.step = "leaks" if plan.has_dialogues else f"leaks of {plan.rows}"
        self.shards("leaks", partial(assign.drop_leaks, plan, outcome), bound=True)
        paired = self._parts("pairs", pair_leaks.combine_pairs)
        if plan.has_dialogues:
            self.shards("pair-leaks-found", pair_leaks.judge_pairs)
        self.shards("names", pair_leaks.name_rows)
        return Found(twins, alike, grouped, paired, translated, common)

    def _match(self) -> tuple[list[dict[str, int]], int]:
        """Find similar and contained dialogues.

        Returns:
            Results of `find_candidates`; number of ranges of sorted matches.
        """
        self.step = "similar dialogues"
        self.run("shared-bands", partial(find_shared, self.plan), self.plan.band_parts)
        self.shards("small-bitmaps", similar.send_small_bitmaps)
        alike = self.run("candidates", partial(find_candidates, self.plan), self.plan.band_parts)
        self.shards("bitmaps", similar.send_bitmaps)
        self.shards("sets", similar.send_sets)
        matches = sum(self.shards("similar", similar.verify))
        self.step = "contained dialogues"
        self._parts("sharers-found", contained.find_sharers)
        self.shards("words", contained.send_words)
        ranges = 1 + 2 * (matches + sum(self.shards("contained", contained.compare))) // _MATCHES_AT_ONCE
        self.shards("matches-sent", partial(send_matches, self.plan, ranges), bound=True)
        self.run("matches-sorted", partial(sort_matches, self.plan), ranges)
        return alike, ranges

    def _seed_splits(self, translations: Translations) -> int:
        """Seeded splits of all that has no official one; returns the number of pairs that are too common to join."""
        plan = self.plan
        counts = self.shards("free-rows", partial(assign.link_rows, plan, translations), bound=True)
        totals = np.bincount(plan.sources, counts, len(plan.names)).astype(int).tolist()
        common = sum(self._parts("links-found", find_links))
        join_clusters(plan, translations, totals)
        self.shards("components-found", assign.send_components)
        sized = self._parts("components-sized", partial(assign.size_components, plan, totals), bound=True)
        rows = np.sum(sized, axis=0)
        limits = [float(big_from(count)) if count else float("inf") for count in rows]
        placed = self._parts("components-placed", partial(assign.place_components, plan, limits), bound=True)
        big: dict[int, list[tuple[int, int]]] = {source: [] for source in np.flatnonzero(rows).tolist()}
        for source, count, position in (item for items in placed for item in items):
            big[source].append((count, position))
        together = self._bounds(big, assign.components_of, lambda source: list(range(plan.parts)))
        self._parts("components-split", partial(assign.split_components, plan, together), bound=True)
        return common

    def _bounds(
        self, big: dict[int, list[tuple[int, int]]], name: Callable[[int], str], senders: Callable[[int], list[int]]
    ) -> dict[int, Bounds]:
        """Bounds of the seeded splits of some sources, with the rows and places of their big items."""
        bounds = {}
        for source, items in big.items():
            sort = partial(sort_items, self.plan, name(source), senders(source))
            ranges = self.run(f"{name(source)}-sorted", sort, self.plan.ranges)
            bounds[source] = find_bounds(self.plan, name(source), items, ranges)
        return bounds

    def _senders(self, source: int) -> list[int]:
        return np.flatnonzero(self.plan.sources == source).tolist()

    def _check_ids(self, conflicts: list[int | None]) -> None:
        rows = [row for row in conflicts if row is not None]
        if rows:
            number = int(self.plan.shard_of(np.array(min(rows))))
            name = self.plan.names[self.plan.shards[number].source]
            identifier = self.plan.table(number, []).column(0)[min(rows) - self.plan.shards[number].first].as_py()
            raise DataError(
                f"{name}: two different records have the id {identifier!r}; the raw folder mixes two releases, keep one"
            )

    def shards(self, name: str, work: Callable[..., Any], *, bound: bool = False) -> list[Any]:
        """Run a task for each shard; `bound` if the work has its plan already."""
        return self.run(name, work if bound else partial(work, self.plan), len(self.plan.shards))

    def _parts(self, name: str, work: Callable[..., Any], *, bound: bool = False) -> list[Any]:
        return self.run(name, work if bound else partial(work, self.plan), self.plan.parts)

    def run(self, name: str, work: Callable[[int], Any], count: int) -> list[Any]:
        """Run the tasks of a stage."""
        return self._stages.run(f"{self._prefix}-{name}", partial(_released, work), count, step=self.step)


def _released(work: Callable[[int], Any], number: int) -> Any:
    """Do a task, and return the memory that it no longer needs: the next one may run in another process."""
    result = work(number)
    release_unused()
    return result


def _bits(plan: Plan, hashed: Sequence[dict[str, int]]) -> int:
    """Number of bits of the bitmaps of shingles: four times the mean number of characters, which has little effect."""
    mean = sum(each["characters"] for each in hashed) / max(int(plan.first_rows[-1]), 1)
    return int(np.clip(1 << int(np.ceil(np.log2(max(4 * mean, 1)))), 256, 4096))


def total(results: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """Sum of a table in the results of several tasks."""
    return np.sum([np.array(outcome[key], np.int64) for outcome in results], axis=0)
