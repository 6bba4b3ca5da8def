"""Pairs of one dialogue that stay together when the others are shuffled."""

import numpy as np

from cube_model.embedder.neighbours import NeighboursTogether


def test_neighbours_of_a_dialogue_stay_together_in_an_order_of_all_pairs():
    dialogues = np.repeat(np.arange(40), np.random.default_rng(0).integers(1, 9, size=40))
    rows, rng = np.flatnonzero(np.arange(len(dialogues)) % 5 > 0), np.random.default_rng(1)
    order = NeighboursTogether(dialogues, 3)
    first, second = order(rows, rng), order(rows, rng)
    assert (np.sort(first) == rows).all()
    assert (first != second).any()
    pieces = np.split(first, np.flatnonzero(dialogues[first[1:]] != dialogues[first[:-1]]) + 1)
    assert max(map(len, pieces)) > 1
    following = np.diff(first)
    assert ((following == 1) | (following == 2)).mean() > 0.4  # the next pair of the dialogue; one in five is not there
    assert (np.sort(NeighboursTogether(dialogues, 1)(rows, rng)) == rows).all()
