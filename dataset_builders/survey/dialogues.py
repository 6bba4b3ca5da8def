"""The survey of dialogues: duplicates over all sources, and the decisions about each dialogue and each pair.

Its stages are tasks over shards, parts and ranges, which exchange files. None of them needs memory for more than its
own records; the matches between dialogues, and the clusters that share pairs, are joined in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from dataset_builders.arrow.mapped import release_unused
from dataset_builders.common.errors import DataError
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.survey import assign, contained, keys, pair_leaks, similar
from dataset_builders.survey.clusters import label_nodes, list_members, members_file
from dataset_builders.survey.components import big_from
from dataset_builders.survey.decisions import Survey
from dataset_builders.survey.fill import Bounds, find_bounds, sort_items
from dataset_builders.survey.leaks import SplitPolicy, by_source, matrix
from dataset_builders.survey.linked import find_links, join_clusters
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.plan import ClusterConfig, Plan
from dataset_builders.survey.translations import Translated, Translations


def survey_dialogues(
    parsed: Sequence[ParsedSource],
    policy: SplitPolicy,
    seed: int,
    benchmark_texts: np.ndarray,
    benchmark_words: int,
    stages: Stages,
    results: Storage,
    config: ClusterConfig | None = None,
) -> Survey:
    """Find duplicates among the dialogues of all sources and decide the split of each one.

    Args:
        parsed: The dialogue sources.
        policy: See `leaks.SplitPolicy`.
        seed: Random seed of the splits of sources without official ones.
        benchmark_texts: Hashes of the test utterances of the intent sets, ascending, uint64.
        benchmark_words: Dialogues outside test are dropped if they contain one of more words than this.
        stages: Runs the tasks; its storage holds the files that they exchange.
        results: Where to write the decisions.
        config: Criteria for duplicate dialogues.

    Raises:
        DataError: Two different records have the same id.
    """
    names = [source.builder.INFO.name for source in parsed]
    if not parsed:
        return Survey(results, {"before": _leaks(), "after": _leaks()}, {"dialogues": {}, "utterances": {}}, [], {})
    plan = Plan(stages.storage, names, Plan.places(parsed), policy, seed, benchmark_words, config or ClusterConfig())
    return _Run(plan, stages, results).survey(benchmark_texts)


def _leaks(**known: Any) -> dict[str, Any]:
    """Figures of all kinds of leaks; without any for those that are not given."""
    return {kind: known.get(kind.replace(" ", "_"), {}) for kind in ("dialogue", "pair", "translated dialogue")}


class _Run:
    """One survey; see `survey_dialogues`.

    Attributes:
        step: Name of the current step for progress; a step has several stages.
    """

    def __init__(self, plan: Plan, stages: Stages, results: Storage) -> None:
        self.plan, self.stages, self.results = plan, stages, results
        self.step = "equal dialogues"

    def survey(self, benchmark_texts: np.ndarray) -> Survey:
        plan, names = self.plan, self.plan.names
        hashed = self._shards("hashes", keys.hash_rows)
        twins = self._parts("twins", keys.find_twins)
        self._check_ids([found["conflict"] for found in twins])
        translated = Translated.of(plan, [found["parallel"] for found in hashed])
        self._shards("signatures", partial(assign.open_rows, plan, _bits(plan, hashed)), bound=True)
        alike = self._match() if plan.config.near else []
        self.step = "splits"
        label_nodes(plan)
        sources = sorted(set(plan.sources.tolist()))
        alone = self._bounds({source: [] for source in sources}, assign.rows_of, self._senders)
        self._shards("clusters", partial(assign.group_rows, plan, alone), bound=True)
        grouped = self._parts("clusters-joined", assign.combine_groups)
        found = translated.find(plan)
        common = self._seed_splits(found) if plan.policy == "leak-free" else 0
        self._shards("splits", assign.assign_rows)
        self._parts("splits-joined", assign.combine_assigned)
        found = translated.with_assigned(plan, found)
        self.step = "leaks"
        self._shards("leaks", partial(assign.drop_leaks, plan, found), bound=True)
        paired = self._parts("pairs", pair_leaks.combine_pairs)
        self._shards("pair-leaks-found", pair_leaks.judge_pairs)
        self._shards("names", pair_leaks.name_rows)
        decide = partial(pair_leaks.decide, plan, self.results, benchmark_texts)
        in_benchmark = self._shards("decisions", decide, bound=True)
        self._run("clusters-listed", partial(list_members, plan, self.results), plan.ranges)

        total = plan.sources.max() + 1
        by_sources = np.bincount(plan.sources, in_benchmark, total).astype(int).tolist()
        spoken = [source for source in sources if self._turns(source)]
        before = _leaks(
            dialogue=by_source(_sum(grouped, "before"), names, sources),
            pair=by_source(_sum(paired, "before"), names, spoken),
            translated_dialogue=translated.leaks(plan, "groups", "before"),
        )
        after = _leaks(
            dialogue=by_source(_sum(paired, "dialogues"), names, sources),
            pair=by_source(_sum(paired, "after"), names, spoken),
            translated_dialogue=translated.leaks(plan, "final", "split"),
        )
        benchmark = {name: {"train-test": count} for name, count in zip(names, by_sources, strict=True)}
        return Survey(
            self.results,
            {"before": {"benchmark": benchmark, **before}, "after": after},
            {
                "dialogues": matrix(_sum(grouped, "duplicates"), names),
                "utterances": matrix(_sum(twins, "texts"), names),
            },
            [members_file(part) for part in range(plan.ranges)],
            {
                "signature parts": sum(found["keys"] for found in alike),
                "comparisons": sum(found["skipped"] for found in alike),
                "pairs": common,
            },
        )

    def _match(self) -> list[dict[str, int]]:
        """Find similar and contained dialogues; returns the results of `find_candidates`."""
        self.step = "similar dialogues"
        alike = self._run("candidates", partial(similar.find_candidates, self.plan), self.plan.band_parts)
        self._shards("bitmaps", similar.send_bitmaps)
        self._shards("sets", similar.send_sets)
        self._shards("similar", similar.verify)
        self.step = "contained dialogues"
        self._parts("sharers-found", contained.find_sharers)
        self._shards("words", contained.send_words)
        self._shards("contained", contained.compare)
        return alike

    def _seed_splits(self, found: Translations) -> int:
        """Seeded splits of all that has no official one; returns the number of pairs that are too common to join."""
        plan = self.plan
        counts = self._shards("free-rows", partial(assign.link_rows, plan, found), bound=True)
        totals = np.bincount(plan.sources, counts, len(plan.names)).astype(int).tolist()
        common = sum(self._parts("links-found", find_links))
        join_clusters(plan, found, totals)
        self._shards("components-found", assign.send_components)
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
            ranges = self._run(f"{name(source)}-sorted", sort, self.plan.ranges)
            bounds[source] = find_bounds(self.plan, name(source), items, ranges)
        return bounds

    def _senders(self, source: int) -> list[int]:
        return np.flatnonzero(self.plan.sources == source).tolist()

    def _turns(self, source: int) -> int:
        return sum(shard.part.turns for shard in self.plan.shards if shard.source == source)

    def _check_ids(self, conflicts: list[int | None]) -> None:
        rows = [row for row in conflicts if row is not None]
        if rows:
            number = int(self.plan.shard_of(np.array(min(rows))))
            name = self.plan.names[self.plan.shards[number].source]
            found = self.plan.table(number, [])["dialogue_id"][min(rows) - self.plan.shards[number].first].as_py()
            raise DataError(
                f"{name}: two different records have the id {found!r}; the raw folder mixes two releases, keep one"
            )

    def _shards(self, name: str, work: Callable[..., Any], *, bound: bool = False) -> list[Any]:
        return self._run(name, work if bound else partial(work, self.plan), len(self.plan.shards))

    def _parts(self, name: str, work: Callable[..., Any], *, bound: bool = False) -> list[Any]:
        return self._run(name, work if bound else partial(work, self.plan), self.plan.parts)

    def _run(self, name: str, work: Callable[[int], Any], count: int) -> list[Any]:
        return self.stages.run(f"survey-{name}", partial(_released, work), count, step=self.step)


def _released(work: Callable[[int], Any], number: int) -> Any:
    """Do a task, and return the memory that it no longer needs: the next one may run in another process."""
    result = work(number)
    release_unused()
    return result


def _bits(plan: Plan, hashed: Sequence[dict[str, int]]) -> int:
    """Number of bits of the bitmaps of shingles: four times the mean number of characters, which has little effect."""
    mean = sum(found["characters"] for found in hashed) / max(int(plan.first_rows[-1]), 1)
    return int(np.clip(1 << int(np.ceil(np.log2(max(4 * mean, 1)))), 256, 4096))


def _sum(results: Sequence[dict[str, Any]], key: str) -> np.ndarray:
    """Sum of a table in the results of several tasks."""
    return np.sum([np.array(found[key], np.int64) for found in results], axis=0)
