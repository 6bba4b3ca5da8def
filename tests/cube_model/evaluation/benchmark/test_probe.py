"""The linear probe for several labels, and the nearest dialogues."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier

from cube_model.evaluation.benchmark.dialogues import nearest_hits
from cube_model.evaluation.benchmark.probe import Labelled, predict, score_probe


@pytest.fixture(scope="module")
def rows():
    """Rows whose labels are the signs of three directions, and a fourth label that is only in the test rows."""
    generator = np.random.default_rng(0)

    def part(count, rare):
        vectors = generator.normal(size=(count, 5)).astype(np.float32)
        noisy = vectors[:, :3] + generator.normal(scale=0.7, size=(count, 3)) > 0.4
        labels = [[name for name, on in zip("abc", row, strict=True) if on] for row in noisy]
        return Labelled(
            vectors, [[*own, *(["rare"] if i < rare else [])] for i, own in enumerate(labels)], np.arange(count) // 4
        )

    return part(200, 0), part(120, 2)


def indicators(labels):
    return np.array([[name in own for name in ("a", "b", "c", "rare")] for own in labels])


def test_figures_are_those_of_scikit_learn_with_a_classifier_for_each_label(rows):
    train, test = rows
    entries = {entry["metric"]: entry for entry in score_probe(train, test)}
    true, known = indicators(test.labels), indicators(train.labels)[:, :3]
    model = OneVsRestClassifier(LogisticRegression(C=100, max_iter=1000)).fit(train.vectors, known.astype(int))
    guesses = np.column_stack([model.predict(test.vectors), np.zeros(120)]).astype(bool)
    assert entries["micro_f1"]["value"] == pytest.approx(f1_score(true, guesses, average="micro"))
    assert entries["macro_f1"]["value"] == pytest.approx(f1_score(true, guesses, average="macro", zero_division=0))
    assert entries["accuracy"]["value"] == pytest.approx((true == guesses).all(1).mean())
    for entry in entries.values():
        assert entry["ci95"][0] < entry["value"] < entry["ci95"][1]
        assert (entry["dialogues"], entry["train_size"], entry["labels"]) == (30, 200, 4)


def test_dialogues_are_resampled_as_a_whole(rows):
    train, test = rows
    single = Labelled(test.vectors, test.labels, np.arange(120))
    copies = Labelled(
        np.repeat(test.vectors, 5, axis=0), [own for own in test.labels for _ in range(5)], np.repeat(np.arange(120), 5)
    )
    # five copies of a row in one dialogue say no more than one row
    for one, five in zip(score_probe(train, single), score_probe(train, copies), strict=True):
        assert five["ci95"] == pytest.approx(one["ci95"])


def test_a_label_of_all_or_no_training_rows_is_predicted_for_all_or_none():
    vectors = np.eye(4, dtype=np.float32)
    labels = np.array([[True, False, True], [True, False, False], [True, False, True], [True, False, False]])
    predictions = predict(vectors, labels, vectors[:2])
    assert predictions[:, 0].all()
    assert not predictions[:, 1].any()


def test_nearest_rows_by_hand():
    angles = np.array([0, 1, 10, 90, 92, 100]) * np.pi / 180
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = np.array([0, 0, 1, 1, 2, 3])
    hits, chance = nearest_hits(vectors, labels)
    # labels 2 and 3 occur once; the third is nearest to the second, the fourth to the fifth
    assert hits.tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(chance, 1 / 5)


def test_equal_dialogues_count_by_the_share_with_the_label():
    hits, _ = nearest_hits(np.ones((4, 1)), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(hits, 1 / 3)
