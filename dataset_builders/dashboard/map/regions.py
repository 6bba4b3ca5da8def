"""Clusters of a layout, and the words that tell them apart.

A cluster is what surrounds a peak of the density: each cell of a grid belongs to the peak that the steepest way up
reaches, as in mean shift (Cheng, 1995, "Mean Shift, Mode Seeking, and Clustering").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CELLS = 256
"""Cells of the grid along a side."""

SMOOTHING = (6.0, 2.5)
"""Width of the smoothing of the density in cells by level: few large clusters, and many small ones inside them."""

_SHARE = 0.002
"""Smallest share of the points in a cluster that is named."""

_LEAST = 5
"""Smallest number of points in a cluster that is named."""

WORDS = 3
"""Number of words that name a cluster."""

_RATIO = 3
"""How many times more frequent such a word is in the cluster than in all texts, at least."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True)
class Region:
    """A cluster.

    Attributes:
        cluster: Its number on its level, from 0, the largest first.
        x: Place of its densest point.
        y: Place of its densest point.
        points: Number of points.
        words: Words that tell it apart, most telling first.
    """

    cluster: int
    x: float
    y: float
    points: int
    words: tuple[str, ...]


def regions(places: np.ndarray, texts: Sequence[str], smoothing: float) -> tuple[np.ndarray, list[Region]]:
    """Cluster the points of a layout by their density.

    Args:
        places: Places from 0 to 1, of shape (n, 2).
        texts: Their n texts.
        smoothing: Width of the smoothing, in cells of the grid.

    Returns:
        Cluster of each point, int of shape (n,), -1 for a point of one that is too small to be named; and the
        clusters, the largest first.
    """
    peaks, cells = _climb(places, smoothing)
    order, counts = np.unique(peaks, return_counts=True)
    named = counts >= max(_LEAST, _SHARE * len(places))
    order, counts = order[named], counts[named]
    ranked = np.lexsort([order, -counts])
    number = np.full(_CELLS * _CELLS, -1)
    number[order[ranked]] = np.arange(len(ranked))
    clusters = number[peaks]
    words = telling_words(texts, clusters, len(ranked))
    results = []
    for cluster, peak in enumerate(order[ranked]):
        inside = clusters == cluster
        # where the points are densest, rather than their mean, which may lie outside of a bent cluster
        x, y = (
            np.median(places[inside & (cells == peak)], axis=0)
            if (inside & (cells == peak)).any()
            else np.median(places[inside], axis=0)
        )
        results.append(Region(cluster, float(x), float(y), int(counts[ranked][cluster]), words[cluster]))
    return clusters, results


def _climb(places: np.ndarray, smoothing: float) -> tuple[np.ndarray, np.ndarray]:
    """The cell of the peak that each point leads to, and its own cell."""
    from scipy.ndimage import gaussian_filter

    across = np.minimum((places * _CELLS).astype(np.int64), _CELLS - 1)
    cells = across[:, 0] * _CELLS + across[:, 1]
    density = gaussian_filter(
        np.bincount(cells, minlength=_CELLS * _CELLS).reshape(_CELLS, _CELLS).astype(np.float64), smoothing
    )
    padded = np.pad(density, 1, constant_values=-1)
    steps = [(0, 0), *((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))]
    around = np.stack([padded[1 + i : 1 + i + _CELLS, 1 + j : 1 + j + _CELLS] for i, j in steps])
    best = around.argmax(axis=0).ravel()  # itself, if no cell around is denser
    target = np.arange(_CELLS * _CELLS) + np.array([i * _CELLS + j for i, j in steps])[best]
    while not np.array_equal(further := target[target], target):
        target = further
    return target[cells], cells


def telling_words(texts: Sequence[str], clusters: np.ndarray, count: int) -> list[tuple[str, ...]]:
    """Words that are more frequent in a cluster than elsewhere.

    A word counts once per text. Words are ranked by p log(p / q), their part of the Kullback-Leibler divergence of the
    cluster's words from all words (Tomokiyo and Hurst, 2003, "A Language Model Approach to Keyphrase Extraction"), so
    that function words, which are everywhere, do not need a list for each language.

    Args:
        texts: n texts.
        clusters: Cluster of each, from 0; -1 for none.
        count: Number of clusters.

    >>> texts = ["book a hotel", "a hotel please", *["a train please"] * 8]
    >>> telling_words(texts, np.array([0, 0, 1, 1, 1, 1, -1, -1, -1, -1]), 2)
    [('hotel',), ()]
    """
    every, within = Counter[str](), [Counter[str]() for _ in range(count)]
    for text, cluster in zip(texts, clusters.tolist(), strict=True):
        words = words_of(text)
        every.update(words)
        if cluster >= 0:
            within[cluster].update(words)
    total = every.total()
    named = []
    for counts in within:
        size = counts.total()
        score = {
            word: n / size * np.log(n / size * total / every[word])
            for word, n in counts.items()
            if n > 1 and n / size > _RATIO * every[word] / total
        }
        named.append(tuple(sorted(score, key=lambda word: (-score[word], word))[:WORDS]))
    return named


def words_of(text: str) -> set[str]:
    """The distinct words of a text in lower case; in Chinese and Japanese, two adjacent characters are a word."""
    words: set[str] = set()
    for run in _WORD.findall(text.lower().replace("’", "'")):
        rest = run
        for unspaced in _UNSPACED.findall(run):
            words.update(unspaced[i : i + 2] for i in range(max(1, len(unspaced) - 1)))
            rest = rest.replace(unspaced, " ")
        words.update(word for word in rest.split() if len(word) > 1)
    return words
