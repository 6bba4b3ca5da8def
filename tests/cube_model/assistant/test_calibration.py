"""Probabilities, the threshold and what is promised; and the questions of which these are made."""

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from cube_model.assistant.calibration import (
    FEWEST,
    MARKED,
    PRIOR,
    Calibration,
    Questions,
    calibrate,
    curve,
    expected_calibration_error,
    figures,
)
from cube_model.assistant.entries import EntryRows, entries_of_pairs
from cube_model.assistant.grouping import best_places, group_answers
from cube_model.assistant.logistic import Logistic
from cube_model.assistant.questions import calibration_questions, general_questions
from cube_model.assistant.retrieval import Matches, Segment, View, features, find, stems
from cube_model.assistant.topics import Topics
from cube_model.errors import ModelError
from support.assistant_fixtures import ENGLISH
from support.russian_faq import FAQ as RUSSIAN


def questions(answerable, unanswerable, seed, kind="held out"):
    """Invented questions whose similarity tells how probable it is that they have an answer."""
    random = np.random.default_rng(seed)
    count = answerable + unanswerable
    has_answer = np.arange(count) < answerable
    rows = np.tile(PRIOR.mean, (count, 1))
    rows[:, 0] = np.clip(random.normal(np.where(has_answer, 0.65, 0.25), 0.15), 0, 1)
    kinds = np.where(has_answer, kind, "general")
    return Questions(rows, has_answer, has_answer, np.arange(count), kinds, 0.0)


@pytest.mark.parametrize("max_refused", [0.05, 0.1, 0.3])
def test_a_promise_holds_on_average(max_refused):
    shares = []
    for seed in range(20):
        made = calibrate(questions(400, 200, seed), max_refused, seed)
        assert made.record["method"] == "split conformal"
        assert made.record["guarantee"] == max_refused
        test = questions(2000, 2000, 1000 + seed)
        shares.append(float((made.confidence(test.features) < made.threshold)[test.answerable].mean()))
    assert np.mean(shares) == pytest.approx(max_refused, abs=0.02)  # 20 x 200 questions: three standard errors


def test_probabilities_are_frequencies():
    # many, since similarity alone tells more here than the prior has seen
    made, test = calibrate(questions(4000, 4000, 0), 0.1, 0), questions(3000, 3000, 1)
    confidence = made.confidence(test.features)
    assert expected_calibration_error(confidence, test.right, test.sample) < 0.05
    result = figures(test, confidence, made.threshold)
    assert result["unanswerable_refused"] > 0.8
    assert result["auroc"] == pytest.approx(0.97, abs=0.01)  # of two normal distributions at a distance of .4 / .15


def test_few_questions_promise_nothing():
    made = calibrate(questions(FEWEST - 1, 50, 0), 0.1, 0)
    assert made.record["guarantee"] is None
    assert made.regression is PRIOR
    assert 0 < made.threshold < calibrate(questions(FEWEST - 1, 50, 0), 0.3, 0).threshold


def test_the_curve_and_the_figures_agree():
    asked = questions(100, 100, 0)
    confidence = PRIOR.probability(asked.features)
    for point in curve(asked, confidence):
        at = figures(asked, confidence, point["threshold"])
        assert point["risk"] == pytest.approx(1 - at["right_of_answered"])
        assert point["answerable_refused"] == at["answerable_refused"]
        refused = (at["answerable_refused"] + at["unanswerable_refused"]) / 2
        assert point["coverage"] == pytest.approx(1 - refused)
    assert curve(asked, confidence)[0]["coverage"] == 1


def test_figures_of_known_answers():
    kinds = np.array(["held out", "held out", "general", "general"])
    asked = Questions(
        np.zeros((4, 10)), kinds == "held out", np.array([True, False, False, False]), np.arange(4), kinds, 0
    )
    result = figures(asked, np.array([0.9, 0.6, 0.7, 0.1]), 0.5)
    assert result["answerable_refused"] == 0
    assert result["unanswerable_refused"] == 0.5
    assert result["right_of_answered"] == pytest.approx(1 / 3)
    assert result["auroc"] == 0.75
    assert result["expected_calibration_error"] == pytest.approx((0.1 + 0.6 + 0.7 + 0.1) / 4)


def test_marked_questions_count_as_much_as_all_other_unanswerable_ones():
    kinds = np.array(["held out"] * 4 + ["general"] * 3 + ["topic left out"] + [MARKED] * 2)
    asked = Questions(np.zeros((10, 10)), kinds == "held out", kinds == "held out", np.arange(10), kinds, 0)
    counts = {kind: asked.sample[kinds == kind].sum() for kind in np.unique(kinds)}
    assert counts == pytest.approx({"held out": 5, "general": 1.25, "topic left out": 1.25, MARKED: 2.5})


def test_a_regression_finds_the_weights_that_made_the_data():
    random = np.random.default_rng(0)
    x = random.standard_normal((20_000, 2))
    y = random.random(20_000) < 1 / (1 + np.exp(-(2 * x[:, 0] - x[:, 1] - 0.5)))
    fitted = Logistic.fit(x, y, np.ones(len(x)))
    assert (fitted.weights / fitted.scale).tolist() == pytest.approx([2, -1], abs=0.1)
    near = Logistic.fit(x[:30], y[:30], np.ones(30), fitted, penalty=1e6)
    assert near.weights.tolist() == pytest.approx(fitted.weights.tolist(), abs=0.01)  # 30 rows do not move it


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    made = calibrate(questions(50, 50, 0), 0.1, 0)
    content = made.as_json()
    again = Calibration.from_json(content, tmp_path)
    assert (again.threshold, again.unrelated, again.record) == (made.threshold, made.unrelated, made.record)
    with pytest.raises(ModelError, match="of another version of this package"):
        Calibration.from_json({**content, "features": ["best"]}, tmp_path)
    for broken in ({"weights": [1]}, {"threshold": "high"}, {"bias": None}):
        with pytest.raises(ModelError, match="damaged"):
            Calibration.from_json({**content, **broken}, tmp_path)


def letters(texts, contexts=()):
    """An encoder for tests: counts of pairs of letters."""
    vectors = np.zeros((len(texts), 512), np.float32)
    for row, text in zip(vectors, texts, strict=True):
        word = text.lower()
        for a, b in pairwise(word):
            row[(ord(a) * 31 + ord(b)) % 512] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def view_of(faq):
    table = entries_of_pairs([(question, answer) for answer, asked in faq.items() for question in asked])
    view = View([Segment.of(table, letters(table["question"].to_pylist()))], np.ones(len(table), bool))
    return view, EntryRows(table, table.slice(0, 0), np.ones(len(table), bool), [])


def test_the_questions_of_a_faq_are_asked_without_themselves():
    view, rows = view_of(ENGLISH)
    asked = calibration_questions(view, rows, letters, 0)
    counts = dict(zip(*np.unique(asked.kinds, return_counts=True), strict=True))
    assert counts == {"another question": 24, "answer left out": 24, "general": len(general_questions(view))}
    assert asked.features[asked.kinds == "another question", 0].max() < 0.999  # never the question itself
    with_answer, without = (asked.features[asked.kinds == kind, 0] for kind in ("another question", "answer left out"))
    assert with_answer.mean() > without.mean() > asked.features[asked.kinds == "general", 0].mean()
    assert not asked.right[asked.kinds != "another question"].any()


def test_variations_of_a_question_do_not_answer_it():
    asked = ("Where is your place of origin?", "What is your place of origin?", "Which country do you come from?")
    view, rows = view_of({"From Peru.": asked, "At nine.": ("When do you open?", "Is the shop open on Sunday?")})
    vectors = view.segments[0].vectors
    made = calibration_questions(view, rows, letters, 0)
    best = made.features[made.kinds == "another question", 0]
    others = [
        max(vectors[0] @ vectors[row] for row in (2, 3, 4)),
        max(vectors[2] @ vectors[row] for row in (0, 1, 3, 4)),
    ]
    assert best[[0, 2]].tolist() == pytest.approx(others)
    assert vectors[0] @ vectors[1] > best[0] + 0.2


def test_few_questions_of_a_faq_move_the_threshold_less():
    few, many = (questions(count, count, 0, kind="another question") for count in (100, 1000))
    cap = calibrate(questions(FEWEST - 1, 50, 0), 0.2, 0).threshold
    assert calibrate(few, 0.1, 0).threshold == pytest.approx(cap)
    assert calibrate(many, 0.1, 0).threshold > 1.2 * cap


def test_general_questions_have_the_script_of_the_entries():
    russian_faq = {answer: asked for answer, (asked, _) in RUSSIAN.items()}
    english, russian = (general_questions(view_of(faq)[0]) for faq in (ENGLISH, russian_faq))
    assert "What is the capital of France?" in english
    assert "Как называется столица Франции?" in russian
    assert not set(english) & set(russian)


def test_dialogues_are_calibrated_on_their_validation_split_and_on_other_topics():
    view, rows = view_of({f"Answer {number}.": [f"Question {number} about {number % 2}"] for number in range(20)})
    domains = pa.array([["bus" if number % 2 else "hotel"] for number in range(20)])
    index = rows.index.set_column(rows.index.schema.get_field_index("domains"), "domains", domains)
    view = View([Segment.of(index.slice(0, 16), view.segments[0].vectors[:16])], np.ones(16, bool))
    asked = calibration_questions(
        view, EntryRows(index.slice(0, 16), index.slice(16), np.zeros(16, bool), ["Off"]), letters, 0
    )
    counts = dict(zip(*np.unique(asked.kinds, return_counts=True), strict=True))
    assert counts == {"held out": 4, "topic left out": 4, MARKED: 1, "general": len(general_questions(view))}
    assert asked.answerable.sum() == 4


def test_hidden_and_removed_entries_are_not_found():
    view, _ = view_of(ENGLISH)
    text = view.questions[5]
    assert find(view, letters([text]), [text]).rows[0, 0] == 5
    hidden = np.arange(len(view.questions)) == 5
    assert 5 not in find(view, letters([text]), [text], lambda _: hidden).rows
    gone = View(view.segments, ~hidden)
    assert 5 not in find(gone, letters([text]), [text]).rows
    nothing = find(view, letters([text]), [text], lambda _: np.ones(len(hidden), bool))
    assert (nothing.rows == -1).all()
    assert not features(view, nothing).any()
    assert group_answers(view, nothing, 0, 5, 0.0) == []


def test_two_segments_are_searched_like_one():
    view, _ = view_of(ENGLISH)
    table, vectors = view.table, view.segments[0].vectors
    parts = [Segment.of(table.slice(0, 7), vectors[:7]), Segment.of(table.slice(7), vectors[7:])]
    both = View(parts, np.ones(24, bool))
    one, two = (find(each, letters(list(general_questions(view))), general_questions(view)) for each in (view, both))
    assert np.allclose(one.scores, two.scores, atol=1e-6)  # of nearly equal ones, either may come first
    assert (view.vectors(one.rows) == both.vectors(one.rows)).all()
    assert np.allclose(features(view, one), features(both, one))


def test_nearly_equal_answers_are_one_answer_and_its_questions_vote():
    pairs = [
        ("is there parking", "No."),
        ("is there a car park", "Yes, for 5 pounds a night."),
        ("do you have a car park", "Yes, for 7 pounds a night."),
        ("a car park", "Yes: for 5 pounds a night!"),
        ("when is breakfast", "At seven."),
    ]
    table = entries_of_pairs(pairs)
    view = View([Segment.of(table, letters([question for question, _ in pairs]))], np.ones(5, bool))
    matches = Matches(
        ["is there parking for a car"], np.arange(5)[None], np.array([[0.8, 0.78, 0.77, 0.76, 0.2]]), np.zeros((1, 5))
    )
    groups = group_answers(view, matches, 0, 5, 0.0)
    assert [table["answer"][group.row].as_py()[:3] for group in groups] == ["Yes", "No.", "At "]
    assert [group.similar for group in groups] == [2, 0, 0]
    assert best_places(view, matches, 0.0)[0] == groups[0].place


def test_words_and_their_weights():
    assert stems("Restarting the ROUTERS, 42!") == ["resta", "the", "route", "42"]
    assert stems("東京はどこ") == ["東", "京", "は", "ど", "こ"]
    view, _ = view_of(ENGLISH)
    weights = view.weights
    assert weights.of("zebra") > weights.of("route") > weights.of("the") > 0
    assert weights.share({"route"}, {"route", "the"}) == 1
    assert weights.share(set(), {"route"}) == 0
    assert weights.of("zebra") == pytest.approx(math.log(1 + 48.5 / 0.5))


def test_topics_are_domains_or_questions():
    view, rows = view_of(ENGLISH)
    vectors = view.segments[0].vectors
    topics = Topics.of(rows.index, vectors)
    assert set(topics.names) <= set(view.questions)
    assert topics.nearest(vectors[0])[0].similarity > topics.nearest(vectors[0])[-1].similarity
    domains = pa.array([["wifi"] if number < 12 else ["shop", "rare"][: 1 + (number == 20)] for number in range(24)])
    table = rows.index.set_column(rows.index.schema.get_field_index("domains"), "domains", domains)
    named = Topics.of(table, vectors)
    assert named.names == ["shop", "wifi"]
    assert named.nearest(vectors[0], 1)[0].name == "wifi"
