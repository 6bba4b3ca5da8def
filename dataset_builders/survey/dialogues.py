"""The survey of dialogues: duplicates over all sources, and the decisions about each dialogue and each pair."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.survey import pair_leaks
from dataset_builders.survey.clusters import list_members, members_file
from dataset_builders.survey.decisions import Survey
from dataset_builders.survey.leaks import SplitPolicy, by_source, matrix
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.plan import ClusterConfig, Plan
from dataset_builders.survey.run import Run, total


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
        return Survey(results, {"before": _leaks(), "after": _leaks()}, {"dialogues": {}, "utterances": {}}, [], 0, {})
    plan = Plan(stages.storage, names, Plan.places(parsed), policy, seed, benchmark_words, config or ClusterConfig())
    run = Run(plan, stages, "survey")
    outcome = run.find()
    decide = partial(pair_leaks.decide, plan, results, benchmark_texts)
    in_benchmark = run.shards("decisions", decide, bound=True)
    members = run.run("clusters-listed", partial(list_members, plan, results), plan.ranges)
    by_sources = np.bincount(plan.sources, in_benchmark, len(names)).astype(int).tolist()
    spoken = [source for source in run.sources if sum(s.part.turns for s in plan.shards if s.source == source)]
    before = _leaks(
        dialogue=by_source(total(outcome.grouped, "before"), names, run.sources),
        pair=by_source(total(outcome.paired, "before"), names, spoken),
        translated_dialogue=outcome.translated.leaks(plan, "groups", "before"),
    )
    after = _leaks(
        dialogue=by_source(total(outcome.paired, "rows"), names, run.sources),
        pair=by_source(total(outcome.paired, "after"), names, spoken),
        translated_dialogue=outcome.translated.leaks(plan, "final", "split"),
    )
    benchmark = {name: {"train-test": count} for name, count in zip(names, by_sources, strict=True)}
    return Survey(
        results,
        {"before": {"benchmark": benchmark, **before}, "after": after},
        {
            "dialogues": matrix(total(outcome.grouped, "duplicates"), names),
            "utterances": matrix(total(outcome.twins, "texts"), names),
        },
        [members_file(part) for part in range(plan.ranges)],
        sum(members),
        {
            "signature parts": sum(part["keys"] for part in outcome.alike),
            "comparisons": sum(part["skipped"] for part in outcome.alike),
            "pairs": outcome.common,
        },
    )


def _leaks(**counts: Any) -> dict[str, Any]:
    """Figures of all kinds of leaks; without any for those that are not given."""
    return {kind: counts.get(kind.replace(" ", "_"), {}) for kind in ("dialogue", "pair", "translated dialogue")}
