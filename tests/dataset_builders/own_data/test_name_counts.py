"""Counts of names in little memory: the same numbers as a Counter has."""

import random
from collections import Counter

from dataset_builders.own_data.name_counts import NameCounts


def test_names_are_counted_while_the_table_grows():
    rng, expected, counts = random.Random(0), Counter(), NameCounts()
    for _ in range(20_000):
        name = f"chat {rng.randint(1, 5000)}"
        expected[name] += 1
        assert counts.add(name) == expected[name]
    assert len(counts) == len(expected)
    assert all(counts[name] == count for name, count in expected.items())


def test_a_count_can_be_set_and_goes_down_to_zero():
    counts = NameCounts()
    assert counts["a"] == 0
    counts["a"] = 3
    assert [counts.add("a", -1) for _ in range(3)] == [2, 1, 0]
    assert len(counts) == 1


def test_a_name_takes_at_most_48_bytes():
    counts = NameCounts()
    for number in range(5000):
        counts.add(f"a conversation with a long name, number {number}")
    assert sum(len(array) * array.itemsize for array in (counts._keys, counts._counts)) <= 48 * len(counts)
