"""Temperatures and thresholds whose true values are known."""

import numpy as np
import pytest

from cube_model.intents.calibration import (
    calibration_error,
    fit_temperature,
    label_threshold,
    probabilities,
    scope_threshold,
)


def drawn(logits, rng, *, single):
    """Targets drawn from the probabilities of logits, bool `[n, k]`."""
    values = probabilities(logits, 1.0, single=single)
    if not single:
        return rng.random(values.shape) < values
    numbers = (values.cumsum(1) > rng.random((len(values), 1))).argmax(1)
    return np.eye(logits.shape[1], dtype=bool)[numbers]


@pytest.mark.parametrize("single", [True, False])
def test_the_temperature_of_overconfident_logits_is_recovered(single):
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((20_000, 5))
    targets = drawn(logits, rng, single=single)
    assert fit_temperature(3 * logits, targets, single=single) == pytest.approx(3, rel=0.05)
    values = probabilities(3 * logits, 3, single=single).max(1)
    hits = targets[np.arange(len(targets)), logits.argmax(1)]
    assert calibration_error(values, hits) < 0.02
    assert calibration_error(probabilities(3 * logits, 1, single=single).max(1), hits) > 0.08


@pytest.mark.parametrize("single", [True, False])
def test_rows_that_are_all_right_leave_a_doubt(single):
    targets = np.eye(2, dtype=bool)[[0, 1] * 4]
    logits = np.where(targets, 50.0, -50.0)
    values = probabilities(logits, fit_temperature(logits, targets, single=single), single=single)
    assert values.max(1) == pytest.approx(9 / 10, abs=0.001)  # as 8 of 8 right by the rule of succession


def test_calibration_error_by_hand():
    # bin of .9: two rows, one right, gap .4; bin of .55: one row, right, gap .45
    assert calibration_error(np.array([0.9, 0.9, 0.55]), np.array([True, False, True])) == pytest.approx(
        (2 * 0.4 + 0.45) / 3
    )


def test_scope_threshold_by_hand():
    inside = np.arange(1.0, 101.0)
    assert np.mean(inside < scope_threshold(inside, None, 0.95)) == 0.05
    # with examples out of scope: all of them below 4.5, and three of a hundred in scope
    assert scope_threshold(inside, np.array([0.5, 1.5, 4.4]), 0.95) == pytest.approx(4.45, abs=0.5)
    assert scope_threshold(inside, np.array([-5.0, -4.0]), 0.5) < 1


def test_label_threshold_separates_what_can_be_separated():
    values = np.array([[0.9, 0.2], [0.3, 0.8], [0.6, 0.7]])
    targets = np.array([[True, False], [False, True], [True, True]])
    assert 0.3 < label_threshold(values, targets) < 0.6
