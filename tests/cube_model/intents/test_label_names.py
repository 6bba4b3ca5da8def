"""Hierarchical names, and probabilities summed upward."""

import numpy as np
import pytest

from cube_model.intents.label_names import ancestor, at_level, depth, parts_of, words_of

NAMES = ["billing/refund", "greeting", "billing.invoice", "device/router/red light"]


@pytest.mark.parametrize(
    ("name", "parts", "words"),
    [
        ("billing/refund", ["billing", "refund"], "billing refund"),
        ("billing.refundMoney", ["billing", "refundMoney"], "billing refund money"),
        ("возврат.Деньги", ["возврат", "Деньги"], "возврат деньги"),
        ("version 1.2", ["version 1.2"], "version 1.2"),
        ("Dr. No", ["Dr. No"], "dr. no"),
        ("card_arrival", ["card_arrival"], "card arrival"),
        ("/", ["/"], "/"),
    ],
)
def test_parts_and_words(name, parts, words):
    assert parts_of(name) == parts
    assert words_of(name) == words


def test_probabilities_of_one_label_are_summed_upward():
    values = np.array([[0.3, 0.1, 0.4, 0.2]])
    assert depth(NAMES) == 3
    summed, names = at_level(values, NAMES, 1, single=True)
    assert names == ["billing", "greeting", "device"]
    np.testing.assert_allclose(summed, [[0.7, 0.1, 0.2]])
    second, names = at_level(values, NAMES, 2, single=True)
    assert names == ["billing/refund", "greeting", "billing.invoice", "device/router"]
    np.testing.assert_allclose(second, values)
    assert ancestor(NAMES[3], 3) == NAMES[3]


def test_labels_that_occur_together_are_not_summed():
    values, _ = at_level(np.array([[0.9, 0.1, 0.8, 0.2]]), NAMES, 1, single=False)
    np.testing.assert_allclose(values, [[0.9, 0.1, 0.2]])
