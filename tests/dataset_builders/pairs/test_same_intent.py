"""Downstream rows -> pairs of the same intent."""

from collections import Counter

import pyarrow as pa
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.pairs.same_intent import CONFLICTING_LABEL, same_intent_pairs
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.text.normalize import text_ids


def utterance(label, number, text=None, language="en", scenario="home", out_of_scope=False, flags=()):
    return {
        "utterance_id": f"mine/{language}/{label}/{number}",
        "source": "mine",
        "utterance": text or f"{label} please, {number} times",
        "label": f"mine/{label}",
        "labels": [f"mine/{label}"],
        "scenario": scenario,
        "is_out_of_scope": out_of_scope,
        "language": language,
        "original_split": "train",
        "flags": list(flags),
        "license": "MIT",
        "redistributable": True,
    }


def table(rows):
    return pa.Table.from_pylist(list(rows), schema=ARROW_SCHEMAS["downstream"])


LAMP = [utterance("lamp_on", i) for i in range(7)]
DOOR = [utterance("open_door", i, scenario=None) for i in range(5)]
TUER = [utterance("open_door", i, language="de") for i in range(3)]


def ids(pairs):
    return pairs["pair_id"].to_pylist()


@pytest.mark.parametrize("per_utterance", [1, 3, 6, 50])
def test_each_utterance_is_paired_with_others_of_its_label_and_language(per_utterance):
    rows = {r["utterance_id"]: r for r in LAMP + DOOR + TUER}
    pairs = same_intent_pairs(table(rows.values()), per_utterance, seed=0)
    of_anchor = Counter()
    for pair in pairs.to_pylist():
        anchor, positive = (rows[name] for name in pair["pair_id"].split("~"))
        assert anchor is not positive
        assert (anchor["label"], anchor["language"]) == (positive["label"], positive["language"])
        assert (pair["anchor"], pair["positive"]) == (anchor["utterance"], positive["utterance"])
        assert pair["domains"] == ([anchor["scenario"]] if anchor["scenario"] else [])
        of_anchor[anchor["utterance_id"]] += 1
    sizes = {("mine/lamp_on", "en"): 7, ("mine/open_door", "en"): 5, ("mine/open_door", "de"): 3}
    assert of_anchor == {
        name: min(per_utterance, sizes[row["label"], row["language"]] - 1) for name, row in rows.items()
    }
    assert len(set(ids(pairs))) == len(pairs)
    assert list(of_anchor) == list(rows)  # in the order of the rows


def test_every_utterance_is_equally_often_a_positive():
    pairs = same_intent_pairs(table(LAMP), 2, seed=0)
    assert set(Counter(pairs["positive"].to_pylist()).values()) == {2}


def test_columns_about_dialogues_are_null():
    (row, _) = same_intent_pairs(table(LAMP[:2]), 1, seed=0).to_pylist()
    assert {name for name, value in row.items() if value is None} == {
        "dialogue_id",
        "turn_index",
        "negative",
        "cluster_id",
        "quality",
        "parallel_id",
        "origin",
        "metadata",
    }
    assert (row["pair_type"], row["source"], row["language"], row["license"]) == ("same_intent", "mine", "en", "MIT")
    assert (row["anchor_speaker"], row["positive_speaker"]) == ("user", "user")
    assert (row["context"], row["negatives"], row["flags"]) == ([], [], [])


def test_a_label_has_one_answer_id_in_all_languages_and_no_other_label_has_it():
    pairs = same_intent_pairs(table(LAMP + DOOR + TUER), 2, seed=0).to_pylist()
    of_label = {}
    for pair in pairs:
        of_label.setdefault(pair["pair_id"].split("/")[2], set()).add(pair["answer_id"])
    assert {label: len(found) for label, found in of_label.items()} == {"lamp_on": 1, "open_door": 1}
    assert of_label["lamp_on"] != of_label["open_door"]


def test_equal_texts_are_one_and_odd_rows_make_no_pair():
    rows = [
        utterance("lamp_on", 0, "Turn on the lamp!"),
        utterance("lamp_on", 1, "turn on the LAMP"),
        utterance("lamp_on", 2, "Lamp on"),
        utterance("lamp_on", 3, "Turn it on", flags=["other", CONFLICTING_LABEL]),
        utterance("lamp_on", 4, "Make light", flags=["other"]),
        utterance("oos", 5, "What is love?", out_of_scope=True),
        utterance("oos", 6, "Do you dream?", out_of_scope=True),
        utterance("alone", 7),
        *(utterance("lamp_on+open_door", i) | {"labels": ["mine/lamp_on", "mine/open_door"]} for i in (8, 9)),
        *(utterance("none", i) | {"labels": []} for i in (10, 11)),
    ]
    pairs = same_intent_pairs(table(rows), 50, seed=0)
    texts = {("Turn on the lamp!"), ("Lamp on"), ("Make light")}
    assert set(zip(pairs["anchor"].to_pylist(), pairs["positive"].to_pylist(), strict=True)) == {
        (a, b) for a in texts for b in texts if a != b
    }
    for pair in pairs.to_pylist():
        first, second = text_ids(pa.array([pair["anchor"], pair["positive"]]))
        assert first != second


def test_pairs_depend_only_on_the_seed():
    rows = LAMP + DOOR + TUER
    first = same_intent_pairs(table(rows), 2, seed=0)
    assert first.equals(same_intent_pairs(table(rows), 2, seed=0))
    assert set(ids(first)) == set(ids(same_intent_pairs(table(rows[::-1]), 2, seed=0)))
    lamps = {name for name in ids(first) if "lamp_on" in name}
    assert lamps == set(ids(same_intent_pairs(table(LAMP), 2, seed=0)))
    assert lamps != {name for name in ids(same_intent_pairs(table(rows), 2, seed=1)) if "lamp_on" in name}


def test_no_rows_no_pairs():
    for rows in ([], LAMP[:1]):
        pairs = same_intent_pairs(table(rows), 1, seed=0)
        assert len(pairs) == 0
        assert pairs.schema.equals(ARROW_SCHEMAS["pairs"], check_metadata=True)
    with pytest.raises(DataError, match="at least 1"):
        same_intent_pairs(table(LAMP), 0, seed=0)
