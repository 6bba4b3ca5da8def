"""Dialogues -> pairs."""

import itertools

import pyarrow as pa
import pytest

from dataset_builders.normalize import normalize, text_ids
from dataset_builders.pairs import make_pairs
from dataset_builders.schema import ALL, ARROW_SCHEMAS


def dialogue(name, *turns):
    return {
        "dialogue_id": name,
        "source": "mine",
        "original_id": name,
        "original_split": ALL,
        "language": "en",
        "domains": ["hotel"],
        "turns": [{"speaker": s, "text": t, "annotations": None} for s, t in turns],
        "empty_turns": 0,
        "cluster_id": "c-" + name,
        "license": "MIT",
        "redistributable": True,
        "source_version": "1",
    }


def table(*dialogues):
    return pa.Table.from_pylist(list(dialogues), schema=ARROW_SCHEMAS["dialogues"])


FIRST = dialogue(
    "mine/1",
    ("system", "Hello, how can I help?"),
    ("user", "I need a cheap room"),
    ("system", "The Lantern has one left"),
    ("system", "Shall I book it now?"),
    ("user", "Yes"),
)
SECOND = dialogue("mine/2", ("user", "Is the museum open today?"), ("system", "Yes, it is open today"))


def expected_pairs(dialogues, min_words, context_turns):
    """The rule once more, in plain Python."""
    for d in dialogues:
        turns = [(t["speaker"], t["text"]) for t in d["turns"]]
        for i, (anchor, positive) in enumerate(itertools.pairwise(turns)):
            if min(len(anchor[1].split()), len(positive[1].split())) > min_words:
                context = turns[max(0, i - context_turns) : i]
                yield d["dialogue_id"], i, anchor, positive, context


@pytest.mark.parametrize("min_words", [0, 3, 4])
@pytest.mark.parametrize("context_turns", [0, 1, 50])
def test_pairs_are_the_consecutive_turns(min_words, context_turns):
    dialogues = [dialogue("mine/0"), FIRST, dialogue("mine/3", ("user", "one lonely turn here")), SECOND]
    pairs = make_pairs(table(*dialogues), min_words, context_turns)
    rows = pairs.table.to_pylist()
    found = [
        (
            r["dialogue_id"],
            r["turn_index"],
            (r["anchor_speaker"], r["anchor"]),
            (r["positive_speaker"], r["positive"]),
            [(c["speaker"], c["text"]) for c in r["context"]],
        )
        for r in rows
    ]
    assert found == list(expected_pairs(dialogues, min_words, context_turns))
    assert len(rows) + pairs.too_short == 5
    for row in rows:
        assert row["pair_id"] == f"{row['dialogue_id']}#{row['turn_index']}"
        assert [row["answer_id"]] == text_ids(pa.array([row["positive"]]))
        assert (row["cluster_id"], row["license"], row["redistributable"]) == (
            "c-" + row["dialogue_id"],
            "MIT",
            True,
        )


def test_a_slice_of_a_larger_table_gives_the_same_pairs():
    whole = table(SECOND, FIRST, SECOND)
    assert make_pairs(whole.slice(1, 1)).table.to_pylist() == make_pairs(table(FIRST)).table.to_pylist()


def test_no_dialogue_no_pairs():
    assert len(make_pairs(table()).table) == 0
    assert make_pairs(table()).table.schema == ARROW_SCHEMAS["pairs"]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Thank  you!", "thank you.", True),
        ("Спасибо!", "спасибо", True),
        ("ＯＫ", "ok", True),
        ("Café", "Cafe\u0301", True),
        ("7:30", "7:31", False),
        ("नमस्ते", "नमसत", False),  # the marks of a script belong to its words
        ("?!", "...", False),
        ("", " ", True),
    ],
)
def test_texts_are_equal_but_for_case_punctuation_and_spacing(first, second, same):
    ids = text_ids(pa.array([first, second]))
    assert (ids[0] == ids[1]) is same


def test_a_text_without_a_word_stays():
    assert normalize(pa.array([" ?! ", "Да, да!"])).to_pylist() == ["?!", "да да"]
