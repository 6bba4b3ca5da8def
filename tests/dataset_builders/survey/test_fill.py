"""Seeded splits by sorted ranges equal those of all items in memory."""

import numpy as np
import pytest

from dataset_builders.common.storage import Storage
from dataset_builders.survey import plan as plans
from dataset_builders.survey.components import big_from
from dataset_builders.survey.fill import find_bounds, positions_of, send_items, sort_items
from dataset_builders.survey.leaks import NO_SPLIT
from dataset_builders.survey.parsed import Part
from dataset_builders.survey.plan import ClusterConfig, Plan, ShardPlace
from dataset_builders.text.normalize import ids_of_hashes
from support.in_memory import seeded_splits

SIZES = [[1], [1] * 2, [1] * 3, [1] * 57, [600, *[1] * 400], [850, *[1] * 150], [500, 400, *[1] * 100], [7, 3] * 80]


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{len(sizes)} items")
@pytest.mark.parametrize("at_once", [1 << 20, 30])
def test_bounds_equal_those_in_memory(sizes, at_once, tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "_ROWS_AT_ONCE", at_once)
    sizes, total = np.array(sizes), sum(sizes)
    shard = ShardPlace(0, Storage(str(tmp_path)), Part("", total, total), 0, 0, 0)
    for seed in range(3):
        plan = Plan(Storage(str(tmp_path / str(seed))), ["a"], [shard], "leak-free", seed, 4, ClusterConfig())
        keys = np.arange(len(sizes), dtype=np.uint64)
        position = positions_of([key.encode() for key in ids_of_hashes(keys).to_pylist()], seed)
        big = sizes > big_from(np.array(total))
        for sender in range(2):
            mine = ~big & (keys % 2 == sender)
            send_items(plan, "items", sender, position[mine], sizes[mine])
        ranges = [sort_items(plan, "items", [0, 1], part) for part in range(plan.ranges)]
        items = list(zip(sizes[big].tolist(), position[big].tolist(), strict=True))
        found = find_bounds(plan, "items", items, ranges).splits(position)
        groups = np.repeat(keys, sizes)
        official = np.full(total, NO_SPLIT, np.int8)
        expected = seeded_splits(official, groups.astype(int), groups, np.zeros(total, int), seed)
        assert np.repeat(found, sizes).tolist() == expected.tolist()
