"""The tab Compare: sources side by side, two builds, and two encoders or cores on the same questions."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("streamlit", reason="install the extra `dashboard`")

import duckdb

from dataset_builders.common.errors import DataError
from dataset_builders.dashboard.command import _compared
from dataset_builders.dashboard.compare.builds import COUNTS, every_change
from dataset_builders.dashboard.compare.questions import by_source, methods_side_by_side, named, true_ranks
from dataset_builders.dashboard.compare.sources import telling_words


@pytest.fixture(scope="module")
def older(database, tmp_path_factory):
    """An earlier build: it lacks a source and a dialogue, had dropped a pair, and had other splits and texts."""
    copy = shutil.copy(database, tmp_path_factory.mktemp("older") / "older.duckdb")
    with duckdb.connect(str(copy)) as connection:
        run = connection.execute
        for table in ("dialogs", "turns", "pairs", "sources"):
            run(f"DELETE FROM {table} WHERE source = 'woz'")
        run("DELETE FROM dialogs WHERE dialogue_id = (SELECT min(dialogue_id) FROM dialogs WHERE source = 'sgd')")
        (pair,) = run("SELECT min(pair_id) FROM pairs WHERE source = 'sgd'").fetchone()
        run(
            "INSERT INTO drops BY NAME SELECT 999999 AS drop_id, 'pairs' AS config, source, split, "
            "'wrong_language' AS \"filter\", pair_id AS row_id, anchor AS text FROM pairs WHERE pair_id = ?",
            [pair],
        )
        run("DELETE FROM pairs WHERE pair_id = ?", [pair])
        run("UPDATE dialogs SET split = 'moved' WHERE dialogue_id = (SELECT max(dialogue_id) FROM dialogs)")
        run("UPDATE downstream SET label = 'other' WHERE utterance_id = (SELECT min(utterance_id) FROM downstream)")
        run(
            "UPDATE downstream SET utterance_id = 'gone' WHERE utterance_id = (SELECT max(utterance_id) FROM downstream)"
        )
    return str(copy)


def test_builds_differ_by_the_rows_that_came_went_moved_and_changed(database, older):
    with duckdb.connect(str(older), read_only=True) as connection:
        connection.execute(f"ATTACH '{database}' AS this (READ_ONLY)")
        name = connection.execute("SELECT current_database()").fetchone()[0]
        sql = COUNTS.format(every=every_change("this.main")).replace("other.main", f'"{name}".main')
        rows = connection.execute(sql).fetchall()
    reasons = {(change, config, reason): count for change, config, _, reason, count in rows}
    assert reasons["came", "dialogues", "new_in_data"] == 1
    assert reasons["came", "pairs", "kept:wrong_language"] == 1
    assert reasons["came", "dialogues", "source_new"] > 1
    assert reasons["went", "downstream", "not_in_data"] == reasons["came", "downstream", "new_in_data"] == 1
    assert reasons["changed", "downstream", "text"] == 1
    moved = [(config, reason) for change, config, reason in reasons if change == "moved"]
    assert len(moved) == 1
    assert moved[0][0] == "dialogues"


def test_the_tab_names_the_reason_of_each_change(settings, page, older):
    settings(compared=older)
    at = page(tab="compare", what="builds")
    assert not at.error
    sizes, why = (table.value for table in at.dataframe[-2:])
    assert sizes["went"].tolist()[2] == 1
    assert "Was dropped before: wrong_language." in " ".join(why["why"])
    assert (why["rows"] > 0).all()


def test_the_tab_says_how_to_name_another_build(page):
    assert "--compare" in page(tab="compare", what="builds").info[0].value


def test_a_database_is_not_compared_with_itself(database):
    with pytest.raises(DataError, match="the same database"):
        _compared(Path(database), str(database))


def test_sources_are_side_by_side(page):
    at = page(tab="compare", sources=["sgd", "woz"], split="train")
    assert not at.error
    figures = at.dataframe[0].value
    assert {"figure", "sgd", "woz", "ratio"} <= set(figures.columns)
    dialogues = figures[figures["figure"] == "Dialogues"].iloc[0]
    ratio = float(dialogues["ratio"].removeprefix("× "))
    assert ratio == pytest.approx(int(dialogues["woz"]) / int(dialogues["sgd"]), abs=0.01)
    assert set(at.dataframe[-1].value["source"]) == {"sgd", "woz"}
    assert page(tab="compare", sources=["sgd"], lang="ru").info


def test_words_tell_a_source_apart_if_the_others_have_them_less_often():
    counts = pd.DataFrame(
        [("a", "the", 50), ("a", "hotel", 50), ("b", "the", 50), ("b", "train", 49), ("b", "hotel", 1)],
        columns=["source", "word", "occurrences"],
    )
    telling = telling_words(counts).sort_values("source")
    assert telling[["source", "word"]].to_numpy().tolist() == [["a", "hotel"], ["b", "train"]]
    assert telling["share"].tolist() == [0.5, 0.49]
    assert telling["elsewhere"].tolist() == [0.01, 0]


def test_the_better_one_is_named_by_source():
    assert true_ranks(np.array([[0.5, 0.5, 0.1], [0.9, 0.3, 0.2], [0.0, 0.0, 1.0]])) == [2, 2, 1]
    ranks = pd.DataFrame({"source": ["a", "a", "b"], "first": [1, 2, 1], "second": [2, 1, 1]})
    whole, a, b = by_source(ranks).to_dict("records")
    assert (whole["questions"], whole["first_wins"], whole["second_wins"], whole["ties"]) == (3, 1, 1, 1)
    assert a["first"] == a["second"] == 0.5
    assert b["ties"] == 1
    assert whole["low"] < 0 < whole["high"]
    assert np.isnan(b["low"])  # one question has no interval


def test_methods_are_compared_on_the_sources_that_both_know():
    columns = ["source", "name", "accuracy", "low", "high"]
    rows = pd.DataFrame([("x", "m", 0.1, 0, 1), ("x", "n", 0.2, 0, 1), ("y", "m", 0.3, 0, 1)], columns=columns)
    assert set(methods_side_by_side(rows, ("m", "n"))["source"]) == {"x"}


def test_names_of_encoders_and_cores_are_short_and_differ():
    rivals = named(["/a/core", "/b/core"], ["minilm", "/c/large", "minilm"])
    assert list(rivals) == ["a/core", "b/core", "minilm", "large"]
    assert rivals["large"] == "encoder:/c/large"


def test_encoders_need_a_second_one_and_leave_the_questions_to_the_visitor(settings, page):
    assert "--encoder" in page(tab="compare", what="encoders").info[0].value
    settings(encoders=("other",))
    at = page(tab="compare", what="encoders")
    assert [box.options for box in at.selectbox[-2:]] == [["minilm", "other"]] * 2
    assert not at.dataframe


def test_two_encoders_rank_the_same_answers(settings, page, monkeypatch):
    class Encoder:
        def __init__(self, name):
            self.name = name

        def encode(self, texts, progress=False):
            """Vectors by the first letter, or by the length."""
            keys = [len(text) if self.name == "length" else ord(text[0]) for text in texts]
            angles = np.array(keys, np.float32) / 100
            return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    monkeypatch.setattr("dataset_builders.dashboard.compare.questions.teacher", Encoder)
    settings(teacher="letter", encoders=("length",))
    at = page(tab="compare", what="encoders", source="sgd")
    next(button for button in at.button if button.label == "Compare").click().run()
    assert not at.error
    table = at.dataframe[0].value
    assert table["source"].tolist() == ["All sources", "sgd"]
    row = table.iloc[0]
    assert row["first_wins"] + row["second_wins"] + row["ties"] == row["questions"] > 10
