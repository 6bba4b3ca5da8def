"""Dialogues -> pairs."""

import itertools

import pyarrow as pa
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.pairs.consecutive import DIRECTIONS, contexts_of, make_pairs
from dataset_builders.pairs.messages import chat_messages
from dataset_builders.schema import ALL, ARROW_SCHEMAS
from dataset_builders.text.normalize import normalize, text_ids


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
    ("user", "Thank you"),
)
SECOND = dialogue("mine/2", ("user", "Is the museum open today?"), ("system", "Yes, it is open today"))


def expected_pairs(dialogues, context_turns, directions):
    """The same rule in plain Python."""
    for d in dialogues:
        turns = [(t["speaker"], t["text"]) for t in d["turns"]]
        for i, (anchor, positive) in enumerate(itertools.pairwise(turns)):
            if f"{anchor[0]}-{positive[0]}" in directions:
                context = turns[max(0, i - context_turns) : i]
                yield d["dialogue_id"], i, anchor, positive, context


@pytest.mark.parametrize(
    "directions", [DIRECTIONS, ["user-system"], ["system-system", "user-user"], ["system-user", "user-system"]]
)
@pytest.mark.parametrize("context_turns", [0, 1, 50])
def test_pairs_are_the_consecutive_turns(context_turns, directions):
    dialogues = [dialogue("mine/0"), FIRST, dialogue("mine/3", ("user", "one lonely turn here")), SECOND]
    rows = make_pairs(table(*dialogues), context_turns, directions).to_pylist()
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
    assert found == list(expected_pairs(dialogues, context_turns, directions))
    for row in rows:
        assert row["pair_id"] == f"{row['dialogue_id']}#{row['turn_index']}"
        assert [row["answer_id"]] == text_ids(pa.array([row["positive"]]))
        assert (row["pair_type"], row["negatives"], row["quality"], row["flags"]) == ("consecutive", [], None, [])
        assert (row["cluster_id"], row["license"], row["redistributable"]) == (
            "c-" + row["dialogue_id"],
            "MIT",
            True,
        )


def test_every_direction_is_in_the_example_and_no_pair_is_lost():
    alone = [make_pairs(table(FIRST, SECOND), directions=[d]) for d in DIRECTIONS]
    assert [len(pairs) for pairs in alone] == [2, 2, 1, 1]
    assert len(make_pairs(table(FIRST, SECOND))) == 6


@pytest.mark.parametrize(("directions", "problem"), [(["user>system"], "'user>system'"), ([], "no direction")])
def test_the_message_about_a_wrong_direction_names_it(directions, problem):
    with pytest.raises(DataError, match=f"{problem}.*expected some of user-system, system-user"):
        make_pairs(table(FIRST), directions=directions)


def test_messages_alternate_from_the_user_on():
    only_system = dialogue("mine/3", ("system", "Hello?"))
    whole = table(FIRST, only_system, dialogue("mine/4"), SECOND)["turns"]
    expected = [
        [
            {"role": "user", "content": "I need a cheap room"},
            {"role": "assistant", "content": "The Lantern has one left\nShall I book it now?"},
            {"role": "user", "content": "Yes\nThank you"},
        ],
        [],
        [],
        [
            {"role": "user", "content": "Is the museum open today?"},
            {"role": "assistant", "content": "Yes, it is open today"},
        ],
    ]
    for start in range(5):
        for length in range(5 - start):
            messages = chat_messages(whole.slice(start, length)).to_pylist()
            assert messages == expected[start : start + length]


def test_a_slice_of_a_larger_table_gives_the_same_pairs():
    whole = table(SECOND, FIRST, SECOND)
    assert make_pairs(whole.slice(1, 1)).to_pylist() == make_pairs(table(FIRST)).to_pylist()


def test_a_table_in_chunks_gives_the_same_pairs():
    chunks = pa.concat_tables([table(FIRST), table(SECOND)])
    assert make_pairs(chunks).equals(make_pairs(table(FIRST, SECOND)))


@pytest.mark.parametrize("most", [0, 1, 5])
def test_context_that_is_made_later_is_the_same(most):
    dialogues = table(SECOND, FIRST, SECOND).slice(1)
    pairs, bare = make_pairs(dialogues, most), make_pairs(dialogues, most, with_context=False)
    assert bare.drop_columns("context").equals(pairs.drop_columns("context"))
    assert contexts_of(dialogues, most)(bare).equals(pairs["context"].combine_chunks())


def test_no_dialogue_no_pairs():
    for empty in (table(), table(FIRST).slice(1), table(dialogue("mine/0"))):
        pairs = make_pairs(empty)
        assert len(pairs) == 0
        assert pairs.schema.equals(ARROW_SCHEMAS["pairs"], check_metadata=True)


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
