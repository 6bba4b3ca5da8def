"""Tasks that find leaking pairs, name the rows that keep others out, and write the decisions of each shard."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.chunks import take
from dataset_builders.arrow.exchange import array, load, records, save
from dataset_builders.common.choices import SPLITS
from dataset_builders.common.storage import Storage
from dataset_builders.survey.benchmark import Benchmark
from dataset_builders.survey.decisions import Decisions, shard_name
from dataset_builders.survey.grouping import combine, of_columns, splits_of
from dataset_builders.survey.keys import anchor_numbers, load_hashes, pair_hashes, repeated_rows
from dataset_builders.survey.leaks import TRAIN, leak_counts
from dataset_builders.survey.plan import Plan
from dataset_builders.survey.references import ask, ids_of
from dataset_builders.text.normalize import ids_of_hashes


def combine_pairs(plan: Plan, part: int) -> dict[str, Any]:
    """Task of a part: tell the shards the splits of the pairs that occur several times.

    Returns:
        `leak_counts` of pairs `before` and `after` the decisions, and of `rows` after them.
    """
    shards, names = len(plan.shards), len(plan.names)
    table, sent = plan.exchange("pair-splits").receive(part, shards)
    keys, sources = array(table, "hash"), plan.senders(sent)
    group, first = combine(keys, of_columns(table, "first"))
    splits = splits_of(first)
    there = np.zeros((len(first), len(SPLITS)), bool)
    np.logical_or.at(there, group, of_columns(table, "undropped") > 0)
    answers = records(
        hash=keys,
        latest=splits.latest[group],
        blocking=splits.blocking[group],
        flagged=(there.sum(axis=1) > 1)[group],
    )
    plan.exchange("pair-splits").answer(part, answers, np.repeat(np.arange(shards), sent), shards)
    after = of_columns(table, "after").copy()
    if plan.policy == "leak-free":  # the pairs that leak are dropped
        for index in range(len(SPLITS)):
            after[index < splits.latest[group], index] = 0
    groups, sent = plan.exchange("final-groups").receive(part, shards)
    rows = leak_counts(array(groups, "group"), plan.senders(sent), of_columns(groups, "count"), names)
    return {
        "before": leak_counts(keys, sources, of_columns(table, "before"), names).tolist(),
        "after": leak_counts(keys, sources, after, names).tolist(),
        "rows": rows.tolist(),
    }


def judge_pairs(plan: Plan, number: int) -> None:
    """Task of a shard: which of its pairs leak, and a request for the id of the pair that keeps each of them out."""
    starts, hashes = load_hashes(plan, number)
    anchors = anchor_numbers(np.diff(starts))
    keys = pair_hashes(hashes)[anchors]
    split = array(load(plan.storage, f"final/{number:05d}"), "split")[np.searchsorted(starts, anchors, "right") - 1]
    answers = plan.exchange("pair-splits").answers(number, plan.parts)
    order = np.argsort(array(answers, "hash"))
    names = array(answers, "hash")[order]
    leak, flagged = np.zeros(len(hashes), bool), np.zeros(len(hashes), bool)
    targets = np.zeros(0, np.int64)
    if len(names):
        place = np.minimum(np.searchsorted(names, keys), len(names) - 1)
        shared = names[place] == keys
        answer = order[place[shared]]
        leaks = (split[shared] >= TRAIN) & (split[shared] < array(answers, "latest")[answer])
        leak[anchors[shared]], flagged[anchors[shared]] = leaks, np.asarray(answers["flagged"])[answer]
        targets = array(answers, "blocking")[answer][leaks]
    save(plan.storage, f"pair-leaks/{number:05d}", records(leak=leak, flagged=flagged))
    ask(plan, "pairs-asked", number, np.flatnonzero(leak), targets, plan.shard_of_turns)


def name_rows(plan: Plan, number: int) -> None:
    """Task of a shard: answer the requests for the ids of its rows and pairs."""
    shard, shards, maps = plan.shards[number], len(plan.shards), list[mmap.mmap]()
    ids = plan.table(number, maps).column(0)
    asked, sent = plan.exchange("rows-asked").receive(number, shards)
    targets = array(asked, "target")
    answers = records(target=targets, id=take(ids, targets - shard.first))
    plan.exchange("rows-asked").answer(number, answers, np.repeat(np.arange(shards), sent), shards)
    if not plan.has_dialogues:
        return
    asked, sent = plan.exchange("pairs-asked").receive(number, shards)
    starts, _ = load_hashes(plan, number)
    targets = array(asked, "target")
    turns = targets - shard.first_turn
    rows = np.searchsorted(starts, turns, "right") - 1
    indices = pa.array(turns - starts[rows]).cast(pa.string())
    names = pc.binary_join_element_wise(take(ids, rows), indices, "#")
    plan.exchange("pairs-asked").answer(
        number, records(target=targets, id=names), np.repeat(np.arange(shards), sent), shards
    )


def decide(plan: Plan, results: Storage, benchmark_texts: np.ndarray, number: int) -> int:
    """Task of a shard: write its decisions (`Decisions`).

    Args:
        plan: The plan.
        results: Where to write.
        benchmark_texts: Hashes of the test utterances of the intent sets, ascending.
        number: Number of the shard.

    Returns:
        Number of pairs outside test with a test utterance of an intent set.
    """
    maps: list[mmap.mmap] = []
    starts, hashes = load_hashes(plan, number)
    final = load(plan.storage, f"final/{number:05d}")
    pairs = load(plan.storage, f"pair-leaks/{number:05d}")
    benchmark = Benchmark.of(plan.table(number, maps)["turns"], starts, hashes, benchmark_texts, plan.benchmark_words)
    groups = array(load(plan.storage, f"groups/{number:05d}"), "group")
    rows_table = pa.table(
        {
            "split": final["split"],
            "leak": final["leak"],
            "blocking": ids_of(plan, "rows-asked", number, len(final)),
            "flagged": final["flagged"],
            "repeated": pa.array(repeated_rows(plan, number)),
            "length": pa.array(np.diff(starts)),
            "cluster_id": ids_of_hashes(groups),
            "benchmark": pa.array(benchmark.rows),
            "benchmark_turn": pa.array(benchmark.turn, pa.int32()),
        }
    )
    pairs_table = pa.table(
        {
            "hash": pa.array(hashes),
            "leak": pairs["leak"],
            "blocking": ids_of(plan, "pairs-asked", number, len(pairs)),
            "flagged": pairs["flagged"],
            "first_in_benchmark": pa.array(benchmark.utterances),
            "benchmark": pa.array(benchmark.pairs),
        }
    )
    source = plan.shards[number].source
    own = number - int(np.searchsorted(plan.sources, source))
    Decisions(rows_table, pairs_table).save(results, shard_name(plan.names[source], own))
    return benchmark.leaks(starts, array(final, "split"))
