"""Suggestions for utterances whose groups are known."""

import csv

import numpy as np
import pytest

from cube_model.data.own_utterances import utterances_of_files
from cube_model.intents.config import TrainIntentsConfig
from cube_model.intents.suggestion_file import COLUMNS, write_suggestions
from cube_model.intents.suggestions import proposed_names, suggest
from cube_model.intents.utterances import read_labelled

pytest.importorskip("scipy", reason="install the extra `flow`")

GROUPS = {
    "refund": ["I want a refund for the order", "please refund my order", "refund that order", "order refund now"],
    "router": ["the router has a red lamp", "red lamp on my router", "why is the lamp red", "a red lamp is on"],
    "music": ["play some music", "play music in the hall", "some music please", "could you play music"],
}
TEXTS = [text for texts in GROUPS.values() for text in texts] + ["what a day"]
WHICH = np.array([0] * 4 + [1] * 4 + [2] * 4 + [3])


def invented(seed=0):
    rng = np.random.default_rng(seed)
    return (np.eye(4, 16)[WHICH] + 0.1 * rng.standard_normal((len(TEXTS), 16))).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"count": 3}, {"threshold": 0.4}])
def test_groups_are_found_and_named(options):
    made = suggest(TEXTS, invented(), min_size=3, **options)
    assert [sorted(set(WHICH[each.rows].tolist()) - {3}) for each in made.clusters] == [[0], [1], [2]]
    assert [each.name for each in made.clusters] == ["refund_order", "red_lamp", "play_music"]
    for each in made.clusters:
        assert (np.diff(each.similarities) <= 1e-6).all()  # the representative texts come first
        assert each.cohesion == pytest.approx(each.similarities.mean())


def test_equal_texts_and_seeds_give_equal_suggestions():
    first, second = (suggest(TEXTS, invented(), min_size=3) for _ in range(2))
    assert first.labels.tolist() == second.labels.tolist()
    assert [each.rows.tolist() for each in first.clusters] == [each.rows.tolist() for each in second.clusters]


def test_small_clusters_have_no_name():
    rows = np.concatenate([np.arange(4), [4, 5]])
    made = suggest([TEXTS[row] for row in rows], invented()[rows], count=2, min_size=3)
    sizes = sorted(len(each.rows) for each in made.clusters)
    assert sum(sizes) + len(made.rest) == len(rows)
    assert all(size >= 3 for size in sizes)


def test_names_are_distinct_in_any_language():
    russian = ["верните деньги за заказ", "хочу вернуть деньги", "деньги назад"]
    other = ["где мой заказ", "заказ не пришёл", "когда придёт заказ"]
    japanese = ["返金してください", "返金をお願いします", "返金"]
    texts = [*russian, *other, *japanese, *(f"ещё {number}" for number in "абв")]
    names = proposed_names([russian, other, japanese, russian], texts)
    assert len(set(names)) == 4
    assert "деньги" in names[0]
    assert "заказ" in names[1]
    assert names[2].startswith("返金")
    assert names[3] == f"{names[0]}_2"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_text_of_the_file_is_a_formula(tmp_path, delimiter):
    signs = ("=HYPERLINK(A1) refund", "+1 refund", "-1 order", "@SUM(A1) order", "\trefund", "'tis a refund")
    texts = [*signs, *TEXTS[len(signs) :]]
    made = suggest(texts, invented(), min_size=3)
    write_suggestions(made, texts, tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert not [text for row in rows for text in row if text.startswith(("=", "+", "@", "\t", "-"))]
    with (tmp_path / "s.csv").open("w", encoding="utf-8", newline="") as file:  # as a spreadsheet saves it
        csv.writer(file, delimiter=delimiter).writerows(rows)
    read = read_labelled(TrainIntentsConfig(own=[str(tmp_path / "s.csv")])).texts
    assert {text for text in signs if text.strip() in {each.strip() for each in read}} == set(signs)


def test_the_file_is_read_back_after_labels_were_renamed(tmp_path):
    made = suggest(TEXTS, invented(), min_size=3)
    write_suggestions(made, TEXTS, tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["text"] for row in rows} == set(TEXTS)
    assert sum(row["representative"] == "yes" for row in rows) == 3 * len(made.clusters)
    for row in rows:
        row["intent"] = {"refund_order": "billing/refund", "red_lamp": ""}.get(row["intent"], row["intent"])
    with (tmp_path / "s.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    read = utterances_of_files(tmp_path / "s.csv")
    labels = dict(zip(read.texts, read.labels, strict=True))
    assert labels["please refund my order"] == ["billing/refund"]
    assert labels["play some music"] == ["play_music"]
    assert "red lamp on my router" not in labels
    assert sum(read.dropped.values()) == len(TEXTS) - len(labels)
