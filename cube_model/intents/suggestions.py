"""Suggestions for labels: clusters of utterances with representative texts and proposed names.

A name is made of the words that are frequent in a cluster and rare in the others: a start for a person who names the
intent, no more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cube_model.clustering import Clusters, Tree, means
from cube_model.intents.config import SCALE

_WORD = re.compile(r"[^\W\d_]+")

_STOP_WORDS = ("EN_PLUS", "RUSSIAN", "GERMAN", "FRENCH", "SPANISH", "PORTUGUESE", "ITALIAN", "DUTCH")
"""Lists of bm25s: words that carry no topic."""

_ROUNDS = 20
"""Largest number of rounds in which texts move to the nearest centre."""

_BLOCK = 1024

_PARTS = 2
"""Largest number of words, or pairs of words, of a name."""

_SHARE = 0.2
"""Smallest share of the texts of a cluster that have a word of its name."""

_COMMON = 0.6
"""A word is not a name's alone if the other texts have it this often, compared with the texts of the cluster."""


@dataclass(frozen=True)
class Suggestion:
    """A cluster of utterances.

    Attributes:
        name: Proposed name of the intent; distinct.
        rows: Numbers of its texts, those nearest to its centre first, int64 `[size]`.
        similarities: Cosine of each of them to the centre, float32 `[size]`.
        cohesion: Mean of the similarities.
    """

    name: str
    rows: np.ndarray
    similarities: np.ndarray
    cohesion: float


@dataclass(frozen=True)
class Suggestions:
    """Clusters of n utterances.

    Attributes:
        clusters: The clusters that are large enough, the largest first.
        rest: Numbers of the texts in smaller clusters, int64, in their order.
        labels: Cluster of each text before small ones were left out, int64 `[n]`.
        distance: Cosine distance at which the tree of clusters was cut.
    """

    clusters: list[Suggestion]
    rest: np.ndarray
    labels: np.ndarray
    distance: float


def suggest(
    texts: Sequence[str],
    vectors: np.ndarray,
    *,
    threshold: float | None = None,
    count: int | None = None,
    min_size: int = 4,
    seed: int = 0,
) -> Suggestions:
    """Cluster utterances and propose names.

    The large clusters of a tree of merges are the first centres; then every text moves to the nearest one.

    Args:
        texts: n distinct texts.
        vectors: Their vectors, float32 `[n, d]`.
        threshold: Cosine distance up to which clusters merge. Default: `SCALE` of the mean distance.
        count: Number of clusters, in place of a distance.
        min_size: Smallest cluster that gets a name.
        seed: Seed of the sample that is clustered if there are too many texts.

    Example:
        >>> texts = ["play music", "play some music", "order tea", "order green tea"]
        >>> vectors = np.float32([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
        >>> [each.name for each in suggest(texts, vectors, count=2, min_size=2).clusters]
        ['play_music', 'order_tea']
    """
    tree = Tree(vectors, seed=seed)
    if count is None:
        cut = tree.cut(distance=SCALE * tree.mean_distance if threshold is None else threshold)
        seeds = cut.centres[_large(cut, min_size)]
    else:
        cut = _cut_with(tree, count, min_size)
        seeds = cut.centres[_large(cut, min_size)[:count]]
    labels, centres = _refined(tree.vectors, seeds if len(seeds) > 1 else cut.centres)
    return _described(texts, tree.vectors, labels, centres, min_size, cut.distance)


def _large(clusters: Clusters, min_size: int) -> np.ndarray:
    """Numbers of the clusters that are large enough, the largest first."""
    sizes = np.bincount(clusters.labels, minlength=len(clusters))
    order = np.argsort(-sizes, kind="stable")
    return order[sizes[order] >= min_size]


def _cut_with(tree: Tree, count: int, min_size: int) -> Clusters:
    """Cut the tree so that it has a number of large clusters, beside small ones: average linkage leaves many alone."""
    first = tree.cut(count=min(count, tree.size))
    cut = first
    for number in range(count, tree.size // 2, max(1, count // 4)):
        if len(_large(cut, min_size)) >= count:
            return cut
        cut = tree.cut(count=number)
    return cut if len(_large(cut, min_size)) >= count else first


def _refined(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each text to the nearest centre and each centre to the mean of its texts, as k-means does on the sphere.

    Linkage finds the number of clusters and where they are, but a text that it has merged stays, and those far from all
    others are clusters of their own.
    """
    labels: np.ndarray | None = None
    for _ in range(_ROUNDS):
        nearest = np.concatenate(
            [(vectors[start : start + _BLOCK] @ centres.T).argmax(1) for start in range(0, len(vectors), _BLOCK)]
        )
        distinct, nearest = np.unique(nearest, return_inverse=True)  # a centre may have lost all of its texts
        if labels is not None and len(distinct) == len(centres) and np.array_equal(labels, nearest):
            break
        labels, centres = nearest, means(vectors, nearest)
    assert labels is not None
    return labels, centres


def _described(
    texts: Sequence[str],
    vectors: np.ndarray,
    labels: np.ndarray,
    centres: np.ndarray,
    min_size: int,
    distance: float,
) -> Suggestions:
    cosines = np.einsum("nd,nd->n", vectors, centres[labels])
    sizes = np.bincount(labels)
    large = [number for number in np.argsort(-sizes, kind="stable").tolist() if sizes[number] >= min_size]
    rows_of = {number: np.flatnonzero(labels == number) for number in large}
    names = proposed_names([[texts[row] for row in rows.tolist()] for rows in rows_of.values()], texts)
    suggestions = []
    for name, rows in zip(names, rows_of.values(), strict=True):
        order = np.argsort(-np.round(cosines[rows], 6), kind="stable")
        suggestions.append(Suggestion(name, rows[order], cosines[rows][order], float(cosines[rows].mean())))
    return Suggestions(suggestions, np.flatnonzero(sizes[labels] < min_size), labels, distance)


def proposed_names(clusters: Sequence[Sequence[str]], texts: Sequence[str]) -> list[str]:
    """Propose a name for each cluster: the words or pairs of words that tell its texts from the others, in their order.

    The score of a word is its share among the texts of the cluster times the logarithm of how much more frequent it is
    there than in the others. Words that carry no topic, such as `my`, are left out where bm25s has a list of the
    language. Where words have no spaces between them, the name is the beginning of a text.

    Args:
        clusters: Texts of each cluster.
        texts: All texts.

    Returns:
        Distinct names such as `order_tea`; a second cluster of the same name is `order_tea_2`.
    """
    stop_words = _stop_words(texts)
    grams = {text: _grams(text, stop_words) for text in texts}
    overall = Counter(gram for own in grams.values() for gram in set(own))
    names: list[str] = []
    seen: Counter[str] = Counter()
    for own in clusters:
        name = _name([grams[text] for text in own], overall, len(texts)) or _beginning(own[0])
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return names


def _name(texts: Sequence[Sequence[str]], overall: Counter[str], count: int) -> str:
    """A name from the words and pairs of words of the texts of a cluster; empty if none tells it from the others."""
    grams = Counter(gram for own in texts for gram in set(own))
    scores = {}
    for gram, number in grams.items():
        share, elsewhere = number / len(texts), (overall[gram] - number + 0.5) / (count - len(texts) + 1)
        if share >= _SHARE and elsewhere < _COMMON * share:
            # a pair says more than its words, but not if they only happen to meet
            scores[gram] = share * float(np.log(share / elsewhere)) * (1.2 if " " in gram else 1)
    parts: list[str] = []
    for gram in sorted(scores, key=lambda each: (-scores[each], each)):
        if not any(set(gram.split()) & set(other.split()) for other in parts):
            parts.append(gram)
        if len(parts) == _PARTS or sum(len(each.split()) for each in parts) >= _PARTS + 1:
            break
    place = {gram: _mean_place(gram, texts) for gram in parts}
    return "_".join(" ".join(sorted(parts, key=place.__getitem__)).split())


def _beginning(text: str) -> str:
    return "_".join(_WORD.findall(text.lower())[:3])[:40] or "cluster"


def _grams(text: str, stop_words: frozenset[str]) -> list[str]:
    """The words and the pairs of neighbours, without words that carry no topic: `change my pin` has `change pin`."""
    words = [word for word in _WORD.findall(text.lower()) if word not in stop_words]
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


def _stop_words(texts: Sequence[str]) -> frozenset[str]:
    """The list that has most of the words of the texts, and others with half as many: texts may be in two languages."""
    try:
        from bm25s import stopwords
    except ImportError:  # the extra `flow` is enough for clusters
        return frozenset()
    words = Counter(word for text in texts for word in _WORD.findall(text.lower()))
    lists = [frozenset(getattr(stopwords, f"STOPWORDS_{name}")) for name in _STOP_WORDS]
    counts = [sum(words[word] for word in each) for each in lists]
    return frozenset().union(*(each for each, count in zip(lists, counts, strict=True) if count > max(counts) / 2))


def _mean_place(gram: str, texts: Sequence[Sequence[str]]) -> float:
    """Mean place among the words of the texts: words of a name come in the order of the texts."""
    return float(np.mean([own.index(gram.split()[0]) for own in texts if gram in own]))
