"""Translations of each other are in one split."""

import numpy as np
import pyarrow as pa
import pytest

from dataset_builders.survey.leaks import DROPPED, NO_SPLIT, group_splits
from support.in_memory import Parallel, assign

TRAIN, VALIDATION, TEST = 0, 1, 2


def assigned(official, groups, ids, seed=0):
    """Splits of rows with these official splits, groups of duplicates and parallel ids (None: no translation)."""
    official, groups = np.array(official, np.int8), np.array(groups)
    rows = np.array([number for number, each in enumerate(ids) if each is not None])
    parallel = Parallel(rows, np.array([each for each in ids if each is not None]))
    keys = pa.array([f"group {group}" for group in groups])
    names = pa.array([f"row {number}" for number in range(len(groups))])
    sources = np.zeros(len(groups), int)
    split = assign(official, groups, keys, names, sources, "leak-free", seed, parallel)
    after = parallel.with_splits(group_splits(groups, split), split)
    blocking = parallel.blocking(groups, official, after)
    return split.tolist(), blocking.tolist()


def test_a_translation_in_an_earlier_split_is_dropped_because_of_the_later_one():
    split, blocking = assigned([TRAIN, TEST, TRAIN, VALIDATION], [0, 1, 2, 3], [7, 7, 8, None])
    assert split == [DROPPED, TEST, TRAIN, VALIDATION]
    assert blocking[0] == 1


def test_a_duplicate_of_a_translation_that_is_dropped_stays():
    # row 1 is a translation of a test row; row 2 has the same text as row 1, but is no translation itself
    split, _ = assigned([TEST, TRAIN, TRAIN], [0, 1, 1], [7, 7, None])
    assert split == [TEST, DROPPED, TRAIN]


@pytest.mark.parametrize("seed", range(5))
def test_without_official_splits_all_that_is_linked_goes_to_one_split(seed):
    free = [NO_SPLIT] * 40
    groups = [*range(0, 10), *range(0, 10), *range(20, 40)]  # rows n and n + 10 are duplicates
    ids = [*range(10), *[None] * 10, *range(10), *range(50, 60)]  # rows n and n + 20 are translations
    split, _ = assigned(free, groups, ids, seed)
    assert all(split[n] == split[n + 10] == split[n + 20] >= TRAIN for n in range(10))
    assert len(set(split)) == 3


def test_a_free_row_follows_its_translation_and_takes_its_duplicates_along():
    split, blocking = assigned([TEST, NO_SPLIT, NO_SPLIT, TRAIN], [0, 1, 1, 1], [7, 7, None, None])
    assert split == [TEST, TEST, TEST, DROPPED]
    assert blocking[3] in (1, 2)


def test_long_chains_are_joined():
    count = 200
    groups, ids = [number // 2 for number in range(count)], [(number + 1) // 2 for number in range(count)]
    split, _ = assigned([*[NO_SPLIT] * (count - 1), TEST], groups, ids)
    assert set(split) == {TEST}
