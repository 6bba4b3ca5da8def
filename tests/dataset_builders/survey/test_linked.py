"""Dialogues that share pairs are one component, as long as train has room for it."""

from types import SimpleNamespace

import numpy as np
import pytest

from dataset_builders.arrow.exchange import records, save
from dataset_builders.common.storage import Storage
from dataset_builders.survey import linked
from dataset_builders.survey.assign import JOINED
from dataset_builders.survey.clusters import translated
from dataset_builders.survey.linked import find_links, join_clusters
from dataset_builders.survey.plan import ClusterConfig, Plan, ShardPlace
from dataset_builders.survey.translations import Translations


@pytest.fixture
def join(tmp_path):
    """Join n groups of one row each: pairs are in rows; returns the component of each group."""

    def components(groups, sources, pairs, rows):
        names = [f"source {number}" for number in range(int(sources.max()) + 1)]
        part = SimpleNamespace(rows=1, turns=2)
        shards = [ShardPlace(number, None, part, 0, number, 2 * number) for number in range(len(names))]
        plan = Plan(Storage(str(tmp_path)), names, shards, "leak-free", 0, 4, ClusterConfig())
        groups = groups.astype(np.uint64)
        for number in range(len(names)):
            here = sources[rows] == number
            table = records(hash=pairs[here], node=groups[rows[here]])
            plan.exchange("links").send(number, table, plan.part_of(pairs[here]), plan.parts)
        free = records(group=groups, source=sources.astype(np.int64), rows=np.ones(len(groups), np.int64))
        save(plan.storage, "free/00000", free)
        find_links(plan, 0)
        join_clusters(plan, Translations.none(), np.bincount(sources).tolist())
        return translated(plan, JOINED, groups)

    return components


def test_dialogues_that_share_a_pair_are_one_component(join):
    groups, sources = np.array([0, 1, 1, 2, 3, *range(4, 10)]), np.zeros(11, int)
    pairs = np.array([5, 6, 5, 7, 8, 7], np.uint64)
    rows = np.array([0, 0, 1, 3, 3, 4])  # row 2 joins row 1 by their group
    component = join(groups, sources, pairs, rows)
    assert len({*component[[0, 1, 2]]}) == 1
    assert component[3] == component[4] != component[0]
    assert len({*component}) == 8


@pytest.mark.parametrize("block", [1 << 14, 1])
def test_a_pair_of_most_dialogues_joins_none_and_the_most_frequent_of_the_others_join_first(join, block, monkeypatch):
    monkeypatch.setattr(linked, "_NODES_AT_ONCE", block)
    greeting, farewell, rare = np.uint64(1), np.uint64(2), np.uint64(3)
    pairs = np.repeat([greeting, farewell, rare], [90, 70, 2])
    rows = np.concatenate([np.arange(90), np.arange(30, 100), [0, 99]])
    component = join(np.arange(100), np.zeros(100, int), pairs, rows)
    assert len({*component[30:]}) == 1
    assert component[0] == component[99]  # 71 rows still fit into train
    assert len({*component[:30]}) == 30


def test_components_do_not_depend_on_the_order_of_the_dialogues(join):
    random = np.random.default_rng(0)
    rows = np.repeat(np.arange(200), 3)
    pairs = random.zipf(1.4, len(rows)).clip(max=300).astype(np.uint64)
    component = join(np.arange(200), np.zeros(200, int), pairs, rows)
    order = random.permutation(200)  # row `new` of the other order is row `order[new]` of the first one
    shuffled = join(np.arange(200), np.zeros(200, int), pairs, np.argsort(order)[rows])
    same = component[order][:, None] == component[order]
    assert 200 < same.sum() < 200 * 200
    assert (same == (shuffled[:, None] == shuffled)).all()


def test_components_that_are_big_for_one_of_two_sources_fit_into_its_train(join):
    sources = np.repeat([0, 1], [1000, 10])
    component = join(np.arange(1010), sources, np.ones(10, np.uint64), np.arange(1000, 1010))
    assert len({*component}) == 1010


def test_a_pair_of_too_many_clusters_joins_none(join, monkeypatch):
    monkeypatch.setattr(linked, "_MOST", 4)
    component = join(np.arange(50), np.zeros(50, int), np.ones(5, np.uint64), np.arange(5))
    assert len({*component}) == 50
