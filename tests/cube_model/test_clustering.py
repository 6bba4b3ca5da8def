"""Clusters of vectors whose groups are known."""

import numpy as np
import pytest

from cube_model.clustering import Tree

pytest.importorskip("scipy", reason="install the extra `flow`")


def groups(count, size, spread=0.05, seed=0):
    """Vectors near `count` perpendicular directions, and the group of each."""
    rng = np.random.default_rng(seed)
    which = rng.permutation(np.repeat(np.arange(count), size))
    vectors = np.eye(count, 2 * count)[which] + spread * rng.standard_normal((count * size, 2 * count))
    return vectors.astype(np.float32), which


def same_partition(labels, which):
    return len(set(zip(labels.tolist(), which.tolist(), strict=True))) == len(set(labels)) == len(set(which))


def test_average_linkage_by_hand():
    # cosine distances: a-b .02, c to a .293 and to b .435, on average .364
    vectors = np.array([[1, 0], [1, 0.2], [1, -1]], dtype=np.float32)
    tree = Tree(vectors)
    assert tree.cut(distance=0.3).labels.tolist() == [0, 0, 1]
    assert tree.cut(distance=0.4).labels.tolist() == [0, 0, 0]
    assert tree.cut(count=2).labels.tolist() == [0, 0, 1]
    assert tree.cut(count=3).labels.tolist() == [0, 1, 2]
    assert tree.cut(count=1).labels.tolist() == [0, 0, 0]
    assert tree.mean_distance == pytest.approx((0.0194 + 0.2929 + 0.4453) / 3, abs=1e-3)
    np.testing.assert_allclose(np.linalg.norm(tree.cut(count=2).centres, axis=1), 1, atol=1e-6)


def test_lengths_of_vectors_do_not_matter():
    vectors, which = groups(4, 10)
    lengths = np.linspace(0.1, 9, len(vectors), dtype=np.float32)[:, None]
    assert same_partition(Tree(vectors * lengths).cut(distance=0.5).labels, which)


def test_one_text_and_equal_texts():
    one = Tree(np.ones((1, 3), dtype=np.float32))
    assert one.cut(distance=0.5).labels.tolist() == [0]
    assert one.cut(count=1).centres.shape == (1, 3)
    zero = Tree(np.zeros((3, 2), dtype=np.float32))  # no direction at all
    assert zero.cut(distance=0.5).labels.tolist() == [0, 1, 2]


def test_too_many_texts_are_clustered_by_a_sample():
    vectors, which = groups(5, 60)
    tree = Tree(vectors, limit=40, seed=1)
    assert tree.size == 40
    sampled = tree.cut(distance=0.5)
    assert same_partition(sampled.labels, which)
    assert len(sampled) == 5
    nearest = (vectors @ sampled.centres.T).argmax(1)
    assert nearest.tolist() == sampled.labels.tolist()  # the centres have the order of the labels
    again = Tree(vectors, limit=40, seed=1).cut(distance=0.5)
    assert again.labels.tolist() == sampled.labels.tolist()
    assert same_partition(Tree(vectors, limit=40, seed=2).cut(count=5).labels, which)


def test_last_bits_do_not_decide_between_equal_distances():
    angles = np.deg2rad([0, 30, 60, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cuts = set()
    for seed in range(8):
        noise = 1e-8 * np.random.default_rng(seed).standard_normal(vectors.shape)
        cuts.add(tuple(Tree((vectors + noise).astype(np.float32)).cut(count=3).labels.tolist()))
    assert cuts == {(0, 0, 1, 1)}  # of two equally near pairs, none is alone
