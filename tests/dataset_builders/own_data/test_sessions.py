"""Division of a long chat by time."""

import pytest

from dataset_builders.own_data.turns.sessions import cut_by_time
from dataset_builders.schema import Dialogue, Turn


def chat(speakers: str) -> Dialogue:
    """Dialogue of turns by these speakers, "u" for the user and "s" for the system."""
    turns = [Turn("user" if who == "u" else "system", f"turn {number}") for number, who in enumerate(speakers)]
    return Dialogue("chat", "all", turns, language="en", domains=["tea"])


@pytest.mark.parametrize(
    ("speakers", "expected"),
    [
        ("us" * 20, {"train": "us" * 16, "validation": "us" * 2, "test": "us" * 2}),
        ("us", {"train": "us"}),
        ("usus", {"train": "usus"}),
        ("ususus", {"train": "usus", "test": "us"}),
        ("us" * 5, {"train": "us" * 4, "test": "us"}),
        ("s" + "uuss" * 10 + "u", {"train": "s" + "uuss" * 8, "validation": "uuss", "test": "uussu"}),
        ("u" * 30, {"train": "u" * 30}),
        ("", {}),
    ],
)
def test_a_chat_is_divided_between_exchanges_in_order(speakers, expected):
    dialogue = chat(speakers)
    parts = cut_by_time(dialogue)
    assert {part.split: "".join(turn.speaker[0] for turn in part.turns) for part in parts} == expected
    assert [turn for part in parts for turn in part.turns] == dialogue.turns


def test_parts_have_ids_of_their_own_and_the_rest_of_the_dialogue():
    parts = cut_by_time(chat("ususus"))
    assert [part.id for part in parts] == ["chat.1", "chat.3"]
    assert {(part.original_id, part.language, *part.domains) for part in parts} == {("chat", "en", "tea")}


def test_shares_may_have_any_unit():
    parts = cut_by_time(chat("us" * 10), {"train": 0.5, "test": 0.5})
    assert [(part.split, len(part.turns)) for part in parts] == [("train", 10), ("test", 10)]
