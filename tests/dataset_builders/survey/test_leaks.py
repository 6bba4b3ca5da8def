"""No duplicates in different splits: counted by `leak_check`, which shares no code with the build."""

import json

import numpy as np
import pytest

from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, check_policy, count_leaks, group_splits, leaking
from dataset_builders.survey.splits import assign
from support.leak_check import contained_dialogues, leaks, rows

TRAIN, VALIDATION, TEST = 0, 1, 2


def splits(*numbers):
    return np.array(numbers, np.int8)


def test_splits_of_groups():
    group = group_splits(np.array(["a", "b", "a", "b", "c"]), splits(TRAIN, VALIDATION, TEST, NO_SPLIT, DROPPED))
    assert group.earliest.tolist() == [TRAIN, VALIDATION, TRAIN, VALIDATION, NO_SPLIT]
    assert group.latest.tolist() == [TEST, VALIDATION, TEST, VALIDATION, NO_SPLIT]
    assert group.blocking.tolist() == [2, 1, 2, 1, -1]


def test_the_row_in_the_earlier_split_leaks():
    groups = np.array([1, 1, 2, 2, 3, 3])
    split = splits(TRAIN, TEST, VALIDATION, VALIDATION, TRAIN, DROPPED)
    assert leaking(groups, split).tolist() == [True, False, False, False, False, False]


def test_leaks_are_counted_by_source_and_splits():
    groups, split = np.array([1, 1, 1, 2]), splits(TRAIN, VALIDATION, TEST, TEST)
    counts = count_leaks(groups, split, np.array([0, 0, 1, 1]), ["a", "b"])
    assert counts["a"] == {"train-test": 1, "train-validation": 1, "validation-test": 1}
    assert counts["b"] == {"train-test": 0, "train-validation": 0, "validation-test": 0}


def test_a_group_goes_to_the_latest_official_split_of_its_members():
    groups = np.array([0, 0, 0, 1, 1, 2, 2])
    official = splits(TRAIN, TEST, NO_SPLIT, TRAIN, NO_SPLIT, NO_SPLIT, NO_SPLIT)
    keys = [f"group {g}" for g in groups]
    split = assign(official, groups, keys, list("abcdefg"), "leak-free", seed=0)
    assert split[:5].tolist() == [DROPPED, TEST, TEST, TRAIN, TRAIN]
    assert split[5] == split[6] >= TRAIN
    apart = {
        tuple(assign(official, groups, keys, list("abcdefg"), "official", seed)[5:].tolist()) for seed in range(20)
    }
    assert any(a != b for a, b in apart)
    official_split = assign(official, groups, keys, list("abcdefg"), "official", 0)
    assert official_split[[0, 1, 3]].tolist() == [TRAIN, TEST, TRAIN]


def test_the_message_about_an_unknown_policy_lists_the_policies():
    with pytest.raises(Exception, match="leak-free, official, original"):
        check_policy("none")


@pytest.fixture(scope="module")
def builds(sample_raw, cache_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")
    for policy in ("leak-free", "official", "original"):
        build_dataset([], sample_raw, folder / policy, BuildOptions(split_policy=policy), cache_dir=cache_dir)
    return folder


def test_leak_free_is_free_of_leaks_and_official_is_not(builds):
    assert leaks(builds / "leak-free") == {"clusters": 0, "pairs": 0, "texts": 0, "benchmark": 0}
    official = leaks(builds / "official")
    assert official["pairs"] > 0, "the sample has no leak, so the assertion above proves nothing"


def test_official_test_sets_keep_every_row(builds):
    def ids(policy, config):
        key = {"dialogues": "dialogue_id", "downstream": "utterance_id"}[config]
        test_rows = rows(builds / policy, config, "test", [key, "original_split"])
        return {row[key] for row in test_rows if row["original_split"] != "all"}

    for config in ("dialogues", "downstream"):
        assert ids("leak-free", config) == ids("official", config)


def test_every_dropped_leak_names_a_row_of_a_later_split(builds):
    import pyarrow.parquet as pq

    drops = pq.read_table(builds / "leak-free" / "quality" / "drops.parquet").to_pylist()
    order = ["train", "validation", "test"]
    split_of = {
        row["pair_id"]: split for split in order for row in rows(builds / "leak-free", "pairs", split, ["pair_id"])
    }
    leaked = [d for d in drops if d["filter"] == "leak" and d["config"] == "pairs"]
    assert leaked
    for drop in leaked:
        assert order.index(split_of[drop["value"]]) > order.index(drop["split"])


def test_original_puts_all_but_multiwoz_into_train(builds):
    for split in ("validation", "test"):
        assert {row["source"] for row in rows(builds / "original", "dialogues", split, ["source"])} == {"multiwoz"}


def test_the_report_counts_the_leaks_that_the_check_finds(builds):
    report = json.loads((builds / "leak-free" / "quality" / "report.json").read_text())
    assert not any(n for kind in report["leaks"]["after"].values() for by in kind.values() for n in by.values())
    assert any(n for by in report["leaks"]["before"]["pair"].values() for n in by.values())


@pytest.mark.real_data
@pytest.mark.slow
def test_real_corpora_without_leaks(corpora, cache_dir, tmp_path):
    build_dataset(
        ["camrest676", "woz:en", "smd", "banking77", "clinc150", "snips"],
        corpora,
        tmp_path / "out",
        cache_dir=cache_dir,
    )
    assert leaks(tmp_path / "out") == {"clusters": 0, "pairs": 0, "texts": 0, "benchmark": 0}
    assert contained_dialogues(tmp_path / "out", "camrest676", "woz") == []
    moved = sum(r["source"] == "camrest676" for r in rows(tmp_path / "out", "dialogues", "test", ["source"]))
    assert moved >= 232 // 2  # most of the dialogues that are also in WOZ's test set
