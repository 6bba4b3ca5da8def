"""Clusters of duplicate dialogues: which are joined, which are not, and independence of their order."""

import hashlib
import random
import tempfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dataset_builders.arrow.exchange import load
from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.schema import CLUSTERS
from dataset_builders.survey import candidates, clusters, contained, keys, normal_texts, plan, run, similar
from dataset_builders.survey.decisions import Decisions, shard_name
from dataset_builders.survey.dialogues import survey_dialogues
from dataset_builders.survey.parsed import parse
from dataset_builders.survey.plan import ClusterConfig
from dataset_builders.text import near_duplicates
from dataset_builders.text.normalize import normalize, text_ids
from support.surveys import dialogue, groups, linked, survey_of

HOTEL = [
    "I am looking for a quiet guesthouse near the old harbour",
    "The Lantern Rooms are close to the harbour and have two free rooms tonight.",
    "Does it come with breakfast, and may I bring a small dog?",
    "Breakfast is included, dogs pay eight euros a night.",
    "Please book a double room for Ivo Marten, then.",
    "Done: room eleven is yours from six o'clock. Anything else?",
]
TRAIN = [
    "When does the next tram leave for Willow Square?",
    "Tram nine leaves in twelve minutes from platform three.",
    "And how long will the ride to the square take?",
    "About half an hour, since the bridge is being repaired.",
]
THANKS = ["thanks", "You're welcome!"]


def cluster(dialogues, config=None, order=None, shard_rows=1000):
    """Cluster ids and member rows by dialogue id, and the table of members."""
    rows = [dialogue(name, dialogues[name]) for name in order or dialogues]
    with tempfile.TemporaryDirectory() as folder:
        decisions, table, _ = survey_of(Path(folder), rows, config=config, policy="official", shard_rows=shard_rows)
    members = {row["dialogue_id"]: row for row in table.to_pylist()} if table else {}
    return {name: row["cluster_id"] for name, row in decisions.items()}, members, table


def invented(count, seed=0):
    """Dialogues of random words, some of them copies, variants and parts of others."""
    rng, dialogues = random.Random(seed), []
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(3, 9))) for _ in range(300)]

    def utterance():
        return " ".join(rng.choices(words, k=rng.randint(4, 12)))

    for _ in range(count):
        kind, earlier = rng.random(), rng.choice(dialogues) if dialogues else None
        if earlier is None or kind < 0.6:
            new = [utterance() for _ in range(rng.randint(3, 8))]
        elif kind < 0.7:
            new = [text.upper() + "!" for text in earlier]
        elif kind < 0.77:
            new = [text + "s" for text in earlier]
        elif kind < 0.83:
            new = [text if rng.random() < 0.9 else utterance() for text in earlier]
        elif kind < 0.9:
            new = earlier + [utterance() for _ in range(rng.randint(1, 8))]
        else:
            new = [*THANKS, *rng.sample(earlier, len(earlier) - 1)]
        dialogues.append(new)
    return {f"source{i % 3}/{i}": turns for i, turns in enumerate(dialogues)}


def normalized(dialogues):
    """The normalised utterances of each dialogue; all at once, since a call takes longer than a dialogue."""
    texts = iter(normalize(pa.array([text for turns in dialogues.values() for text in turns], pa.string())).to_pylist())
    return {name: [next(texts) for _ in turns] for name, turns in dialogues.items()}


def plain(dialogues, config):
    """Similarities by shingles and by words of whole utterances for each pair of ids, by brute force with sets."""
    said = normalized(dialogues)
    size = config.shingle
    pieces = {
        n: {t[i : i + size] for i in range(max(1, len(t) - size + 1))}
        for n, t in ((n, " ".join(u)) for n, u in said.items())
    }
    pairs = {}
    for a, b in combinations(sorted(said), 2):
        if min(len(pieces[a]), len(pieces[b])) < config.min_shingles:
            continue
        jaccard = len(pieces[a] & pieces[b]) / len(pieces[a] | pieces[b])
        common = sum(len(text.split()) for text in set(said[a]) & set(said[b]))
        contained = common / min(sum(len(t.split()) for t in set(said[n])) for n in (a, b))
        if jaccard >= config.jaccard or contained >= config.containment:
            pairs[a, b] = (jaccard, contained)
    return said, pairs


def test_dialogues_that_differ_in_case_and_punctuation_are_equal_whatever_their_length():
    labels, members, _ = cluster({"a/1": THANKS, "b/1": ["Thanks!", "you re  welcome"], "b/2": ["thanks"]})
    assert groups(labels) == {frozenset({"a/1", "b/1"})}
    assert members["a/1"] == {
        **members["b/1"],
        **{"dialogue_id": "a/1", "source": "a", "nearest_id": None, "similarity": None, "kind": None},
    }
    assert (members["b/1"]["nearest_id"], members["b/1"]["kind"], members["b/1"]["similarity"]) == ("a/1", "equal", 1)


def test_the_cluster_id_of_a_dialogue_without_duplicates_is_the_id_of_its_content():
    labels, members, _ = cluster({"a/1": HOTEL, "b/1": TRAIN})
    digest = hashlib.blake2b("".join(text_ids(pa.array(HOTEL))).encode(), digest_size=8)
    assert labels["a/1"] == digest.hexdigest()
    assert members == {}


def test_a_dialogue_with_a_changed_word_is_similar():
    other = [*HOTEL[:4], HOTEL[4].replace("Ivo Marten", "Una Brand"), HOTEL[5]]
    labels, members, _ = cluster({"a/1": HOTEL, "b/1": other, "b/2": TRAIN})
    assert groups(labels) == {frozenset({"a/1", "b/1"})}
    _, pairs = plain({"a/1": HOTEL, "b/1": other}, ClusterConfig())
    assert members["b/1"]["kind"] in ("jaccard", "containment")
    assert members["b/1"]["similarity"] == pytest.approx(max(pairs["a/1", "b/1"]))


def test_a_dialogue_inside_a_long_one_is_contained():
    longer = [*TRAIN, *HOTEL, *TRAIN[::-1], "A last word on luggage that nobody said before this very evening."]
    labels, members, _ = cluster({"a/1": HOTEL, "b/1": longer})
    assert labels["a/1"] == labels["b/1"]
    assert (members["b/1"]["kind"], members["b/1"]["similarity"]) == ("containment", 1)


def test_only_equal_dialogues_are_joined_without_near():
    labels, _, _ = cluster(
        {"a/1": HOTEL, "b/1": HOTEL[:-1], "c/1": [t.upper() for t in HOTEL]}, ClusterConfig(near=False)
    )
    assert groups(labels) == {frozenset({"a/1", "c/1"})}


def test_short_generic_dialogues_are_not_joined_by_similarity():
    talk = {
        "a/1": THANKS,
        "a/2": ["Thanks a lot", "You're welcome!"],
        "a/3": [*THANKS, "bye"],
        "a/4": [*HOTEL, *THANKS],
    }
    assert groups(cluster(talk)[0]) == set()
    assert groups(cluster(talk, ClusterConfig(min_shingles=0))[0]) != set()


def test_frequent_utterances_are_no_evidence():
    """Scripted sentences of many dialogues make no candidates, whatever their share of a dialogue."""
    script = [
        "Welcome to the ticket desk of the harbour museum, how can I help?",
        "Your tickets are at the desk, good bye!",
    ]
    rng = random.Random(0)
    names = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=45)) for _ in range(30)]
    talk = {f"a/{i}": [script[0], name, script[1]] for i, name in enumerate(names)}
    strict = ClusterConfig(rare=20)
    assert groups(cluster(talk, strict)[0]) == set()
    assert len(groups(cluster(talk, ClusterConfig(rare=30))[0])) == 1


def chain(length):
    """Each dialogue shares three of its four parts with the one before; distant ones have nothing in common."""
    rng = random.Random(1)
    parts = [" ".join("".join(rng.choices("abcdefgh", k=6)) for _ in range(8)) for _ in range(length + 3)]
    return {f"a/{i:02}": parts[i : i + 4] for i in range(length)}


def test_a_chain_is_one_cluster_so_that_every_match_stays_together():
    talk = chain(12)
    assert groups(cluster(talk)[0]) == {frozenset(talk)}


def test_a_large_component_is_cut_into_stars():
    talk, config = chain(40), ClusterConfig(max_linked=10)
    labels, members, _ = cluster(talk, config)
    _, pairs = plain(talk, config)
    for names in groups(labels):
        assert any(all(n == c or tuple(sorted([n, c])) in pairs for n in names) for c in names), "has a centre"
    for name, row in members.items():
        assert row["nearest_id"] is None or tuple(sorted([name, row["nearest_id"]])) in pairs
    assert len(groups(labels)) >= 13


def test_clusters_equal_those_of_a_brute_force_search():
    config, talk = ClusterConfig(), invented(160)
    labels, members, _ = cluster(talk, config)
    said, pairs = plain(talk, config)
    equal = [(a, b) for a, b in combinations(said, 2) if said[a] == said[b]]
    expected = linked(talk, [*equal, *pairs])
    assert groups(labels) == expected
    assert members.keys() == {name for names in expected for name in names}
    kinds = defaultdict(int)
    for name, row in members.items():
        kinds[row["kind"]] += 1
        if row["kind"] == "equal":
            assert said[name] == said[row["nearest_id"]]
        elif row["kind"] is not None:
            true = pairs[tuple(sorted([name, row["nearest_id"]]))][row["kind"] == "containment"]
            assert row["similarity"] == pytest.approx(true, abs=1e-6)
            others = {pair: both for pair, both in pairs.items() if name in pair and said[pair[0]] != said[pair[1]]}
            assert row["similarity"] == pytest.approx(max(map(max, others.values())), abs=1e-6), (
                "the best match is named"
            )
    assert min(kinds[kind] for kind in (None, "equal", "jaccard", "containment")) > 2


def test_members_are_rows_of_the_schema_in_order():
    labels, _, found = cluster(invented(120))
    assert found.schema == CLUSTERS.arrow_schema
    keys = list(zip(found["cluster_id"].to_pylist(), found["dialogue_id"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert {name: label for label, name in keys}.items() <= labels.items()
    assert all(len(label) == 16 and int(label, 16) >= 0 for label in labels.values())
    assert found["source"].to_pylist() == [name.partition("/")[0] for _, name in keys]
    firsts = [row for row in found.to_pylist() if row["nearest_id"] is None]
    assert [row["cluster_id"] for row in firsts] == sorted(set(found["cluster_id"].to_pylist()))


@pytest.mark.parametrize("config", [ClusterConfig(), ClusterConfig(max_linked=2)])
def test_order_of_dialogues_does_not_matter(config):
    talk = invented(150)
    shuffled = random.Random(2).sample(list(talk), len(talk))
    labels, _, found = cluster(talk, config)
    other_labels, _, other = cluster(talk, config, order=shuffled)
    assert labels == other_labels
    assert found.equals(other)


def test_clusters_do_not_depend_on_shards_parts_and_chunk_sizes(monkeypatch):
    talk = invented(60)
    labels, _, whole = cluster(talk)
    of_sets = {"_ROWS_AT_ONCE": 5, "_SIGNATURES_AT_ONCE": 2, "_PAIRS_AT_ONCE": 3, "_KEYS_AT_ONCE": 40}
    of_plan = {"_RECORDS_AT_ONCE": 100, "_SIGNATURES_AT_ONCE": 300, "_ROWS_AT_ONCE": 20}
    of_shards = {
        "_PAIRS_AT_ONCE": 4,
        "_PAIRS_SENT": 5,
        "_ITEMS_AT_ONCE": 50,
        "_VERIFIED_AT_ONCE": 2,
    }
    of_texts = {"_TEXTS_AT_ONCE": 7, "_BYTES_AT_ONCE": 900}
    modules = ((near_duplicates, of_sets), (plan, of_plan), (similar, of_shards), (normal_texts, of_texts))
    for module, sizes in modules:
        for name, size in sizes.items():
            monkeypatch.setattr(module, name, size)
    monkeypatch.setattr(contained, "_SHARED_AT_ONCE", 9)
    monkeypatch.setattr(candidates, "_PAIRS_AT_ONCE", 4)
    monkeypatch.setattr(clusters, "_AT_ONCE", 3)
    monkeypatch.setattr(run, "_MATCHES_AT_ONCE", 7)
    monkeypatch.setattr(keys, "_ROWS_AT_ONCE", 3)
    other_labels, _, found = cluster(talk, shard_rows=13)
    assert other_labels == labels
    assert found.equals(whole)


def test_of_too_many_dialogues_with_one_band_only_neighbours_are_compared(tmp_path):
    """A common part of a signature would else compare all pairs, which grow with the square of the dialogues."""
    talk = {f"a/{number}": [*HOTEL, f"number {number}"] for number in range(12)}
    rows = [dialogue(name, turns) for name, turns in talk.items()]
    found = {}
    for most in (3, 50):
        _, members, survey = survey_of(tmp_path / str(most), rows, config=ClusterConfig(most_alike=most))
        found[most] = len(members), survey.skipped["comparisons"] > 0
    assert found == {3: (12, True), 50: (12, False)}


def test_in_a_crowd_of_near_duplicates_each_is_compared_with_a_few(tmp_path):
    """The pairs of a crowd grow with its square; what is left out depends on the texts alone, and is counted."""
    talk = {f"a/{number}": [*HOTEL, f"number {number}"] for number in range(40)} | invented(30)
    rows = [dialogue(name, turns) for name, turns in talk.items()]
    shuffled = random.Random(3).sample(rows, len(rows))

    def survey(name, rows, shard_rows=1000, processes=1, **limits):
        config = ClusterConfig(max_linked=len(talk), **limits)
        found = survey_of(tmp_path / name, rows, config=config, shard_rows=shard_rows, processes=processes)
        return {name: row["cluster_id"] for name, row in found[0].items()}, found[1], found[2].skipped["comparisons"]

    few = {"most_candidates": 500, "crowd": 30, "neighbours": 2}
    whole, limited = survey("whole", rows), survey("limited", rows, **few)
    assert (whole[2], limited[0]) == (0, whole[0]), "the few connect the same clusters"
    assert 40 * 39 / 2 < limited[2] < 25 * 40 * 39 / 2
    others = survey("others", shuffled, shard_rows=25, processes=2, **few)
    assert others[0] == limited[0]
    assert others[1].equals(limited[1])
    assert others[2] == limited[2]
    enough = survey("enough", rows, **few | {"most_candidates": 1 << 20})
    assert enough[1].equals(whole[1]), "a crowd is compared as a whole if a task has room for it"


@pytest.mark.parametrize("talk", [{}, {"a/1": []}, {"a/1": HOTEL}])
def test_nothing_to_join(talk):
    labels, members, found = cluster(talk)
    assert len(labels) == len(talk)
    assert members == {}
    assert found is None or found.schema == CLUSTERS.arrow_schema


@pytest.mark.real_data
def test_camrest676_is_inside_woz(corpora, tmp_path):
    """By a plain search, 670 of 676 dialogues have 70 % of their utterances in one English WOZ 2.0 dialogue."""
    from dataset_builders.sources.registry import get_builder

    parsed = [parse(get_builder(name)(data_dir=corpora / name, cache_dir=tmp_path)) for name in ("camrest676", "woz")]
    table = pa.concat_tables([load(source.storage, part.name) for source in parsed for part in source.parts])
    lists = table["turns"].combine_chunks()
    turns = pa.ListArray.from_arrays(lists.offsets, pc.struct_field(lists.values, "text"))
    results, none = Storage(str(tmp_path / "survey")), np.zeros(0, np.uint64)
    survey_dialogues(parsed, "official", 0, none, 4, Stages(Storage(str(tmp_path / "work")), LocalExecutor()), results)
    shards = [shard_name(source.builder.INFO.name, number) for source in parsed for number in range(len(source.parts))]
    decisions = [Decisions.load(results, [shard], pairs=True).rows.select(["cluster_id"]) for shard in shards]
    clusters = pa.concat_tables(decisions)["cluster_id"].to_pylist()
    label = dict(zip(table["dialogue_id"].to_pylist(), clusters, strict=True))

    said = normalized(dict(zip(label, turns.to_pylist(), strict=True)))
    woz = {name: set(texts) for name, texts in said.items() if name.startswith("woz/en/")}
    holders = {
        name: [other for other, held in woz.items() if sum(t in held for t in texts) >= 0.7 * len(texts)]
        for name, texts in said.items()
        if name.startswith("camrest676/")
    }
    inside = [name for name, others in holders.items() if others]
    assert len(inside) == 670
    assert all(label[name] in {label[other] for other in holders[name]} for name in inside)

    tests = {
        n for n, split in zip(label, table["original_split"].to_pylist(), strict=True) if n in woz and split == "test"
    }
    covered = {other for others in holders.values() for other in others} & tests
    camrest = {label[name] for name in holders}
    assert len(covered) == 232
    assert all(label[name] in camrest for name in covered)
    by_cluster = sum(label[name] in {label[other] for other in woz} for name in holders)
    assert 670 <= by_cluster <= 676
