"""Turns with their acts and slots."""

import pytest

from cube_model.data.turns import plain_slot, read_turns
from cube_model.errors import ModelError
from support.annotated_dialogues import dialogues, write_annotated


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_annotated(tmp_path_factory.mktemp("turns") / "corpus")


def test_turns_keep_order_annotations_and_places(data):
    turns = read_turns(data, "train", sources=["inns"], languages=["en"])
    assert turns.texts[:2] == ["Hello there", "I want soup near the harbour"]
    assert turns.positions[:5].tolist() == [0, 1, 2, 3, 0]
    assert turns.dialogues[:5].tolist() == [0, 0, 0, 0, 1]
    assert turns.action(0) == "greet"
    assert turns.action(1) == "inform area, food"
    assert turns.action(3) == "affirm thank"
    assert turns.spans[1] == ((21, 28, "area"),)
    assert turns.domains[0] == ("restaurant",)
    assert set(turns.languages) == {"en"}


def test_slots_in_common_words_or_those_of_the_source(data):
    turns = read_turns(data, "train", sources=["buses"])
    assert (turns.action(1), turns.action(1, own=True)) == ("inform line", "inform bus line")
    assert turns.action(0) == "request line, to"


def test_slots_without_acts_are_informed_of(tmp_path):
    row = dialogues()[0]
    row["turns"][1]["annotations"]["acts"] = []
    turns = read_turns(write_annotated(tmp_path / "corpus", dialogues=[row]), "train")
    assert turns.action(1) == "inform area"


def test_leaks_and_sources_are_left_out(tmp_path):
    rows = dialogues()
    rows[0]["flags"] = ["leak:dialogue"]
    data = write_annotated(tmp_path / "corpus", dialogues=rows)
    assert "inns/en/0" not in read_turns(data, "train").dialogue_ids
    assert set(read_turns(data, "train", leave_out=["inns"]).sources) == {"buses"}
    with pytest.raises(ModelError, match="no source rails in split train; choose from buses, inns"):
        read_turns(data, "train", sources=["rails"])
    with pytest.raises(ModelError, match="no dialogue in split train in fr"):
        read_turns(data, "train", languages=["fr"])


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("movie_ticket.name.movie.accept", "name movie"),
        ("coffee_ordering.preference", "preference"),
        ("name.movie", "name movie"),
        ("time.showing", "time showing"),
        ("hotel_search.check-in_date", "check-in date"),
        ("hotel-book_day", "book day"),
        ("Price_Range", "price range"),
    ],
)
def test_slot_names_of_sources_become_words(own, words):
    assert plain_slot(own) == words
