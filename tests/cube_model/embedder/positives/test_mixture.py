"""How many pairs each source gives."""

import numpy as np
import pytest

from cube_model.embedder.positives.mixture import mixed_rows, quotas


@pytest.mark.parametrize("temperature", [1.0, 2.0, 50.0])
def test_quotas_use_the_whole_limit_and_no_pair_twice(temperature):
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = rng.integers(0, 300, size=rng.integers(1, 12))
        limit = int(rng.integers(1, 800))
        counts = quotas(sizes, limit, temperature)
        assert counts.sum() == min(limit, sizes.sum())
        assert (counts <= sizes).all()
        assert (counts >= 0).all()


def test_a_higher_temperature_gives_small_sources_more():
    sizes = np.array([10_000, 100])
    assert quotas(sizes, 1010, 1.0).tolist() == [1000, 10]
    assert quotas(sizes, 1010, 2.0).tolist() == [918, 92]  # 100 : 10
    assert quotas(sizes, 1010, 1000.0).tolist() == [910, 100]


def test_rows_are_a_seeded_choice_of_each_group():
    keys = ["a"] * 90 + ["b"] * 10
    rows = mixed_rows(keys, 20, 1000.0, seed=3)
    assert (rows < 90).sum() == 10 == (rows >= 90).sum()
    assert rows.tolist() == mixed_rows(keys, 20, 1000.0, seed=3).tolist() == sorted(set(rows.tolist()))
    assert rows.tolist() != mixed_rows(keys, 20, 1000.0, seed=4).tolist()
    assert mixed_rows(keys, None, 1.0, seed=0).tolist() == list(range(100))
