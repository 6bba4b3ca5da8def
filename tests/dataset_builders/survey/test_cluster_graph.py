"""The graph of matches: its components, stars, and best matches, from files."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

from dataset_builders.arrow.exchange import Exchange, load, records, save
from dataset_builders.common.storage import Storage
from dataset_builders.survey import cluster_graph, clusters
from dataset_builders.survey.plan import ClusterConfig
from support.surveys import linked


def test_clusters_of_matches_in_files_equal_those_of_a_plain_search(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "_AT_ONCE", 7)
    monkeypatch.setattr(clusters, "_READ_AT_ONCE", 20)
    storage, rng = Storage(str(tmp_path)), np.random.default_rng(0)
    survey_plan = SimpleNamespace(
        storage=storage,
        shards=[None] * 3,
        config=ClusterConfig(max_linked=12),
        exchange=lambda name: Exchange(storage, name),
    )
    names = np.sort(rng.integers(0, 1 << 63, 150, np.uint64) * np.uint64(2))
    edges = {tuple(sorted(pair)) for pair in rng.integers(0, 150, (130, 2)).tolist() if pair[0] != pair[1]}
    matches = [(*pair, round(float(rng.random()), 1), int(rng.integers(2))) for pair in sorted(edges)]
    for shard in range(3):
        for kind, name in enumerate(cluster_graph.KINDS):
            a, b, similarity, _ = zip(*(m for m in matches[shard::3] if m[3] == kind), strict=True)
            table = records(node=names[[*a]], other=names[[*b]], similarity=np.array(similarity, np.float32))
            save(storage, f"edges/{name}-{shard:05d}", table)
        clusters.send_matches(survey_plan, 4, shard)
    for part in range(4):
        clusters.sort_matches(survey_plan, part)
    clusters.label_nodes(survey_plan, 4)

    around = defaultdict(list)
    for a, b, similarity, kind in matches:
        around[a].append((-similarity, kind, b))
        around[b].append((-similarity, kind, a))
    expected = {}
    for group in linked({*around}, list(edges)):
        centres = sorted(group, key=lambda node: (-len(around[node]), node)) if len(group) > 12 else [min(group)]
        for centre in centres:
            free = {node for _, _, node in around[centre]} | {centre} if len(group) > 12 else group
            star = {node for node in free if node not in expected} if centre not in expected else set()
            expected |= dict.fromkeys(star, min(star, default=None))
    assert max(Counter(expected.values()).values()) > 3
    assert len({*expected.values()}) > len(linked({*around}, list(edges)))
    labels = load(storage, "labels.arrow")
    found = dict(zip(labels["name"].to_pylist(), labels["other"].to_pylist(), strict=True))
    assert found == {int(names[node]): int(names[label]) for node, label in expected.items()}
    inside = {node: sorted(m for m in ends if expected[m[2]] == expected[node]) for node, ends in around.items()}
    best = load(storage, "best.arrow").to_pylist()
    assert [row["node"] for row in best] == sorted(int(names[node]) for node, ends in inside.items() if ends)
    nodes = {int(name): node for node, name in enumerate(names)}
    for row in best:
        similarity, kind, other = inside[nodes[row["node"]]][0]
        assert (row["other"], row["kind"]) == (int(names[other]), kind)
        assert row["similarity"] == pytest.approx(-similarity)


def test_a_long_path_is_one_component():
    count = 3000
    path = np.random.default_rng(0).permutation(count)
    left, right = path[:-1], path[1:]
    components = cluster_graph.Components(count)
    for start in range(0, count, 700):
        components.join(left[start : start + 700], right[start : start + 700])
    assert not components.labels.any()
