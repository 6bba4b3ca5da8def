"""Metrics of labelled utterances, against scikit-learn, against loops, and by hand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, ndcg_score

from cube_model.metrics.action_metrics import (
    cosines_between,
    cosines_within,
    multilabel_counts,
    multilabel_f1,
    rank_share,
)


def test_the_share_in_a_ranking_is_what_dialog2flow_computes_with_scikit_learn_as_ndcg_at_10():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 12)
    scores = generator.normal(size=(7, 84)) + 2 * (labels == np.arange(7)[:, None])
    counts = np.full(7, 13)
    relevant = (labels[np.argsort(-scores, axis=1)] == np.arange(7)[:, None]).astype(int)
    ideal = np.zeros_like(relevant)
    ideal[:, :13] = 1
    assert rank_share(scores, labels, counts).mean() == pytest.approx(ndcg_score(ideal, relevant, k=10), abs=1e-12)


def test_utterances_that_tie_for_the_last_places_share_them():
    labels = np.array([0, 0, 1, 1])
    # label 0: its first utterance leads, its second shares two places with two others
    scores = np.array([[3.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    shares = rank_share(scores, labels, np.array([3, 2]))
    np.testing.assert_allclose(shares, [(1 + 2 / 3) / 2, (2 * 2 / 4) / 2])


def test_an_encoder_that_maps_all_utterances_to_one_point_gets_the_share_of_chance():
    labels = np.repeat(np.arange(10), 5)
    np.testing.assert_allclose(rank_share(np.ones((10, 50)), labels, np.full(10, 5)), 0.1)


def test_cosines_within_and_between_labels_equal_loops_over_pairs():
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(11, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 1])
    within = [
        np.mean([u @ v for i, u in enumerate(own) for j, v in enumerate(own) if i != j])
        for own in (vectors[labels == label] for label in range(3))
    ]
    np.testing.assert_allclose(cosines_within(vectors, labels), within)
    means = [vectors[labels == label].mean(0) for label in range(3)]
    between = [[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in means] for a in means]
    np.testing.assert_allclose(cosines_between(vectors, labels), between)


def test_a_label_of_two_utterances_has_no_mean_cosine_within():
    assert len(cosines_within(np.eye(5), np.array([0, 0, 1, 1, 1]))) == 1


def test_f1_of_several_labels_is_that_of_scikit_learn_over_the_labels_that_occur():
    generator = np.random.default_rng(2)
    true, predicted = (generator.random((30, 6)) < 0.3 for _ in range(2))
    true[:, 4] = predicted[:, 4] = False
    micro, macro = multilabel_f1(*multilabel_counts(true, predicted))
    assert micro == pytest.approx(f1_score(true, predicted, average="micro"))
    occurring = [0, 1, 2, 3, 5]
    assert macro == pytest.approx(f1_score(true[:, occurring], predicted[:, occurring], average="macro"))


def test_f1_of_nothing_is_0():
    nothing = np.zeros((3, 2), dtype=bool)
    assert multilabel_f1(*multilabel_counts(nothing, nothing)) == (0, 0)
