"""The survey of the intent sets: equal utterances over all of them, and the decisions about each one."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.survey.decisions import Decisions, Survey, shard_name
from dataset_builders.survey.keys import repeated_rows
from dataset_builders.survey.leaks import TEST, SplitPolicy, by_source, matrix
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.plan import ClusterConfig, Plan
from dataset_builders.survey.references import ids_of
from dataset_builders.survey.run import Run, total
from dataset_builders.text.ragged import distinct


def survey_intents(
    parsed: Sequence[ParsedSource], policy: SplitPolicy, seed: int, stages: Stages, results: Storage
) -> tuple[Survey, np.ndarray]:
    """Decide the splits of the rows of all intent sets.

    Args:
        parsed: The intent sets.
        policy: See `leaks.SplitPolicy`; `original` acts like `official` here.
        seed: Random seed of the splits of sets without official ones.
        stages: Runs the tasks; its storage holds the files that they exchange.
        results: Where to write the decisions.

    Returns:
        The survey, and the hashes of the test utterances that must not occur in a pretraining pair: all but small talk.

    Raises:
        DataError: Two different records of a set have the same id.
    """
    names = [source.builder.INFO.name for source in parsed]
    if not parsed:
        leaks: dict[str, dict] = {"text": {}, "translated text": {}}
        return Survey(results, {"before": leaks, "after": leaks}, {"downstream": {}}, [], 0, {}), np.zeros(0, np.uint64)
    policy = "official" if policy == "original" else policy
    storage, config = stages.storage.below("intents"), ClusterConfig(near=False)
    plan = Plan(storage, names, Plan.places(parsed), policy, seed, 0, config, has_dialogues=False)
    run = Run(plan, stages, "intents")
    outcome = run.find()
    small_talk = [
        [f"{name}/{label}" for label in s.builder.INFO.small_talk] for name, s in zip(names, parsed, strict=True)
    ]
    run.shards("decisions", partial(decide, plan, results, small_talk), bound=True)
    tests = [array(load(storage, f"test/{number:05d}"), "hash") for number in range(len(plan.shards))]
    leaks = {
        "before": {
            "text": by_source(total(outcome.grouped, "before"), names, run.sources),
            "translated text": outcome.translated.leaks(plan, "groups", "before"),
        },
        "after": {
            "text": by_source(total(outcome.paired, "rows"), names, run.sources),
            "translated text": outcome.translated.leaks(plan, "final", "split"),
        },
    }
    duplicates = {"downstream": matrix(total(outcome.grouped, "duplicates"), names)}
    return Survey(results, leaks, duplicates, [], 0, {}), distinct(np.concatenate(tests))


def decide(plan: Plan, results: Storage, small_talk: Sequence[Sequence[str]], number: int) -> None:
    """Task of a shard: write its decisions (`Decisions`), and the hashes of its test utterances.

    Args:
        plan: The plan.
        results: Where to write.
        small_talk: Labels of the small talk of each source.
        number: Number of the shard.
    """
    final, source = load(plan.storage, f"final/{number:05d}"), plan.shards[number].source
    columns = {
        "split": final["split"],
        "leak": final["leak"],
        "blocking": ids_of(plan, "rows-asked", number, len(final)),
        "flagged": final["flagged"],
        "repeated": pa.array(repeated_rows(plan, number)),
        "length": pa.array(np.ones(len(final), np.int64)),
    }
    own = number - int(np.searchsorted(plan.sources, source))
    Decisions(pa.table(columns)).save(results, shard_name(plan.names[source], own))
    maps: list[mmap.mmap] = []
    labels = pa.array(small_talk[source], pa.string())
    is_small_talk = np.asarray(pc.is_in(plan.table(number, maps)["label"], labels))
    hashes = array(load(plan.storage, f"utterances/{number:05d}"), "hash")
    save(plan.storage, f"test/{number:05d}", records(hash=hashes[(array(final, "split") == TEST) & ~is_small_talk]))
