"""No duplicates in different splits: counted by `leak_check`, which shares no code with the build."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.own_data import load, own_builders
from dataset_builders.survey.leaks import (
    DROPPED,
    NO_SPLIT,
    check_policy,
    group_splits,
    with_twins,
)
from dataset_builders.text.normalize import ids_of_hashes
from support.in_memory import Parallel, assign, count_leaks, leaking, seeded_splits
from support.leak_check import contained_dialogues, leaks, rows

TRAIN, VALIDATION, TEST = 0, 1, 2
NO_TRANSLATIONS = Parallel(np.zeros(0, int), np.zeros(0, int))


def splits(*numbers):
    return np.array(numbers, np.int8)


def test_splits_of_groups():
    group = group_splits(np.array(["a", "b", "a", "b", "c"]), splits(TRAIN, VALIDATION, TEST, NO_SPLIT, DROPPED))
    assert group.earliest.tolist() == [TRAIN, VALIDATION, TRAIN, VALIDATION, NO_SPLIT]
    assert group.latest.tolist() == [TEST, VALIDATION, TEST, VALIDATION, NO_SPLIT]
    assert group.blocking.tolist() == [2, 1, 2, 1, -1]


@pytest.mark.parametrize("kind", [np.int32, np.uint64])
def test_twins_are_the_same_however_many_parts_are_sorted(kind, monkeypatch):
    groups = np.random.default_rng(0).integers(0, 600, 500).astype(kind)
    expected = np.flatnonzero(np.bincount(groups.astype(int))[groups.astype(int)] > 1)
    assert with_twins(groups).tolist() == expected.tolist()
    monkeypatch.setattr("dataset_builders.survey.leaks._ROWS_AT_ONCE", 7)
    assert with_twins(groups).tolist() == expected.tolist()


def test_hashes_are_keys_as_their_ids_are():
    rng = np.random.default_rng(0)
    hashes, groups = rng.integers(0, 2**63, 300).astype(np.uint64), rng.integers(0, 200, 300)
    official, sources = np.full(300, NO_SPLIT, np.int8), rng.integers(0, 2, 300)
    of_ids = seeded_splits(official, groups, ids_of_hashes(hashes), sources, seed=0)
    assert seeded_splits(official, groups, hashes, sources, seed=0).tolist() == of_ids.tolist()
    chunks = pa.chunked_array([ids_of_hashes(hashes[:100]), ids_of_hashes(hashes[100:])])
    assert seeded_splits(official, groups, chunks, sources, seed=0).tolist() == of_ids.tolist()


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
    keys, ids, sources = pa.array(f"group {g}" for g in groups), pa.array("abcdefg"), np.zeros(7, int)
    split = assign(official, groups, keys, ids, sources, "leak-free", 0, NO_TRANSLATIONS)
    assert split[:5].tolist() == [DROPPED, TEST, TEST, TRAIN, TRAIN]
    assert split[5] == split[6] >= TRAIN
    apart = {
        tuple(assign(official, groups, keys, ids, sources, "official", seed, NO_TRANSLATIONS)[5:].tolist())
        for seed in range(40)
    }
    assert any(a != b for a, b in apart)
    assert assign(official, groups, keys, ids, sources, "official", 0, NO_TRANSLATIONS)[[0, 1, 3]].tolist() == [
        TRAIN,
        TEST,
        TRAIN,
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([1], [1, 0, 0]),
        ([1] * 2, [2, 0, 0]),
        ([1] * 3, [2, 0, 1]),
        ([1] * 5, [4, 0, 1]),
        ([1] * 10, [8, 1, 1]),
        ([1] * 1000, [800, 100, 100]),
        ([600, *[1] * 400], [800, 100, 100]),
        ([850, *[1] * 150], [850, 75, 75]),
        ([100] * 10, [800, 100, 100]),
        ([500, 400, *[1] * 100], [900, 50, 50]),
    ],
)
def test_splits_of_a_source_have_their_shares_of_rows_and_train_is_never_empty(sizes, expected):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    official, keys = np.full(len(groups), NO_SPLIT, np.int8), pa.array(f"group {group}" for group in groups)
    for seed in range(3):
        split = seeded_splits(official, groups, keys, np.zeros(len(groups), int), seed)
        assert np.bincount(split, minlength=3).tolist() == expected
    order = np.random.default_rng(0).permutation(len(groups))
    shuffled = seeded_splits(official, groups[order], keys.take(pa.array(order)), np.zeros(len(groups), int), seed)
    assert shuffled.tolist() == split[order].tolist()


def test_each_source_has_its_own_shares():
    sources = np.repeat([0, 1], [1000, 5])
    ids, official = pa.array(f"row {row}" for row in range(1005)), np.full(1005, NO_SPLIT, np.int8)
    split = seeded_splits(official, np.arange(1005), ids, sources, seed=0)
    assert np.bincount(split[sources == 1], minlength=3).tolist() == [4, 0, 1]


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
    assert leaks(builds / "leak-free") == {"clusters": 0, "pairs": 0, "texts": 0, "translations": 0, "benchmark": 0}
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


def test_own_chats_that_share_greetings_lose_no_pair(cache_dir, tmp_path):
    chats = []
    for number in range(120):
        turns = [f"Where is parcel {number} with the long code {number * 7919}?", f"At depot {number}, behind gate 3."]
        if number % 3 == 0:
            turns += ["Have a lovely day!", "You too!"]
        if number % 3 == 1:
            turns = ["How is it going?", "Hello! What can I do for you?", *turns]
        roles = itertools.cycle(("user", "assistant"))
        chats.append({"messages": [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]})
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    own = own_builders(load(tmp_path / "chats.jsonl"), cache_dir=cache_dir)
    build_dataset([], None, tmp_path / "out", own=own, cache_dir=cache_dir)
    drops = pq.read_table(tmp_path / "out" / "quality" / "drops.parquet").to_pylist()
    assert [drop for drop in drops if drop["filter"] == "leak"] == []
    assert leaks(tmp_path / "out") == {"clusters": 0, "pairs": 0, "texts": 0, "translations": 0, "benchmark": 0}
    sizes = [
        len(rows(tmp_path / "out", "dialogues", split, ["dialogue_id"])) for split in ("train", "validation", "test")
    ]
    assert sizes == [96, 12, 12]


@pytest.mark.real_data
@pytest.mark.slow
def test_real_corpora_without_leaks(corpora, cache_dir, tmp_path):
    build_dataset(
        ["camrest676", "woz:en", "smd", "banking77", "clinc150", "snips"],
        corpora,
        tmp_path / "out",
        cache_dir=cache_dir,
    )
    assert leaks(tmp_path / "out") == {"clusters": 0, "pairs": 0, "texts": 0, "translations": 0, "benchmark": 0}
    assert contained_dialogues(tmp_path / "out", "camrest676", "woz") == []
    moved = sum(r["source"] == "camrest676" for r in rows(tmp_path / "out", "dialogues", "test", ["source"]))
    assert moved >= 232 // 2  # most of the dialogues that are also in WOZ's test set


@pytest.mark.parametrize("wish", ["i want to change my seat please", "我想换一个靠窗的座位"])
def test_small_talk_of_an_intent_set_may_occur_in_dialogues(wish, tmp_path, cache_dir):
    raw, said = tmp_path / "raw", "thank you so much for your help today"
    header = "conversationId\tturnNumber\tsentenceNumber\tutteranceId\tutterance\tslot-labels\tintent\n"
    test = raw / "multidogo" / "splits_annotated_at_sentence_level" / "airline" / "test.tsv"
    test.parent.mkdir(parents=True)
    test.write_text(f"{header}a\t1\t0\tx\t{said}\tO\tthankyou\na\t2\t0\ty\t{wish}\tO\tchangeseat\n", encoding="utf-8")
    dialogues = []
    for number, text in enumerate((said, f"{wish}!")):
        turns = [{"usr": {"transcript": text, "slu": []}, "sys": {"sent": "You are welcome, my dear guest", "DA": []}}]
        dialogues.append({"dialogue_id": number, "dial": turns})
    (raw / "camrest676").mkdir()
    (raw / "camrest676" / "CamRest676.json").write_text(json.dumps(dialogues))
    build_dataset([], raw, tmp_path / "out", cache_dir=cache_dir, warn=lambda _: None)
    kept = [
        row["dialogue_id"]
        for split in ("train", "validation", "test")
        for row in rows(tmp_path / "out", "dialogues", split, ["dialogue_id"])
    ]
    assert kept == ["camrest676/0"]
    assert leaks(tmp_path / "out")["benchmark"] == 0
