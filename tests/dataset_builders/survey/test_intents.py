"""The staged survey of intent sets decides what one in memory decides."""

import random

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.common.choices import SPLITS
from dataset_builders.common.errors import DataError
from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.survey import plan as plans
from dataset_builders.survey.decisions import Decisions, shard_name
from dataset_builders.survey.intents import survey_intents
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, TEST, group_splits
from dataset_builders.text.normalize import ids_of_hashes, text_hashes
from support.in_memory import Parallel, assign, count_leaks, duplicate_matrix, split_by_row
from support.surveys import parsed_sources, utterance


def survey(folder, rows, policy="leak-free", seed=0, shard_rows=1000):
    """Decisions in the order of the rows, the survey, and the test utterances."""
    parsed, results = parsed_sources(folder, rows, shard_rows), Storage(str(folder / "survey"))
    stages = Stages(Storage(str(folder / "work")), LocalExecutor())
    found, texts = survey_intents(parsed, policy, seed, stages, results)
    tables = [
        Decisions.load(results, [shard_name(s.builder.INFO.name, n) for n in range(len(s.parts))], pairs=False).rows
        for s in parsed
    ]
    return pa.concat_tables(tables).to_pylist(), found, texts


def invented(count, seed):
    """Rows of three sets by source: copies, translations, with and without official splits, and repeated records."""
    rng, rows = random.Random(seed), []
    for number in range(count):
        source = "abc"[number * 3 // count]
        split = None if source == "c" else rng.choice([*SPLITS, None])
        parallel = f"p{rng.randrange(count // 4)}" if rng.random() < 0.3 else None
        rows.append(utterance(f"{source}/{number}", f"Text {rng.randrange(count // 2)}", split, parallel))
        if rng.random() < 0.02:
            rows.append(rows[-1])
    return rows


@pytest.mark.parametrize(("policy", "seed"), [("leak-free", 0), ("leak-free", 1), ("official", 2), ("original", 3)])
def test_stages_decide_as_one_process_does(policy, seed, tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "_RECORDS_AT_ONCE", 50)
    monkeypatch.setattr(plans, "_ROWS_AT_ONCE", 70)
    rows = invented(300, seed)
    decisions, found, texts = survey(tmp_path, rows, policy, seed, shard_rows=37)
    ids, seen = [row["utterance_id"] for row in rows], set()
    repeated = [name in seen or seen.add(name) is not None for name in ids]
    official = np.array([NO_SPLIT if r["original_split"] == "all" else SPLITS.index(r["original_split"]) for r in rows])
    official = np.where(repeated, DROPPED, official).astype(np.int8)
    hashes = text_hashes(pa.array([row["utterance"] for row in rows]))
    sources = np.array(["abc".index(name[0]) for name in ids])
    places = np.array([n for n, row in enumerate(rows) if row["parallel_id"]])
    parallel = Parallel(places, np.array([int(rows[n]["parallel_id"][1:]) for n in places]))
    split = assign(official, hashes, ids_of_hashes(hashes), pa.array(ids), sources, policy, seed, parallel)
    undropped = np.where(official >= 0, official, split).astype(np.int8)
    group = parallel.with_splits(group_splits(hashes, undropped), undropped)
    blocking = parallel.blocking(hashes, official, group)
    for number, row in enumerate(decisions):
        leak = split[number] == DROPPED and official[number] != DROPPED
        expected = {"split": split[number], "leak": leak, "blocking": ids[blocking[number]] if leak else None}
        expected |= {"flagged": group.earliest[number] != group.latest[number], "repeated": repeated[number]}
        assert row == expected | {"length": 1}
    assert policy != "leak-free" or any(row["leak"] for row in decisions)
    names, before = list("abc"), split_by_row(official, pa.array(ids), sources, seed)
    for time, splits in (("before", before), ("after", split)):
        assert found.leaks[time] == {
            "text": count_leaks(hashes, splits, sources, names),
            "translated text": parallel.leaks(splits, sources, names),
        }
    assert found.duplicates == {"downstream": duplicate_matrix(hashes, sources, names)}
    assert texts.tolist() == np.unique(hashes[split == TEST]).tolist()


def test_small_talk_is_no_test_utterance(tmp_path):
    rows = [utterance("a/1", "Good day", "test", label="a/hello"), utterance("a/2", "Play jazz", "test", label="a/x")]
    _, _, texts = survey(tmp_path, rows)
    assert texts.tolist() == text_hashes(pa.array(["play jazz"])).tolist()


def test_two_records_with_one_id_are_refused(tmp_path):
    rows = [utterance("a/1", "Play jazz"), utterance("a/2", "Stop"), utterance("a/1", "Play rock")]
    with pytest.raises(DataError, match="two different records have the id 'a/1'"):
        survey(tmp_path, rows, shard_rows=2)
