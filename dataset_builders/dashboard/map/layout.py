"""Places of vectors on a plane: t-SNE of a sample, and every other point at its nearest ones.

van der Maaten and Hinton (2008), "Visualizing Data using t-SNE"; openTSNE (Poličar, Stražar and Zupan, 2024) computes
it in linear time and places further points. t-SNE rather than UMAP, whose library compiles itself for half a minute in
each process and is fifteen times as large.
"""

from __future__ import annotations

import logging

import numpy as np

_DIMENSIONS = 50
"""Principal components that t-SNE reads; more only add noise and time."""

_PERPLEXITY = 30
"""Usual number of neighbours that t-SNE keeps together."""

_NEAREST = 5
"""About the number of placed points that decide on the place of another one: the perplexity of their weights."""


def lay_out(vectors: np.ndarray, fitted: int, seed: int) -> np.ndarray:
    """Place vectors on a plane; equal arguments give equal places.

    Args:
        vectors: float32 of shape (n, d), in random order; n is at least `config.LEAST`.
        fitted: Number of vectors, from the first, that t-SNE places.
        seed: Seed of the layout.

    Returns:
        float32 of shape (n, 2), from 0 to 1; the longer side of the layout has length 1.
    """
    from openTSNE import TSNE
    from sklearn.decomposition import PCA

    logging.getLogger("openTSNE").setLevel(logging.ERROR)
    sample = vectors[:fitted]
    dimensions = min(_DIMENSIONS, *sample.shape)
    reduced = PCA(dimensions, svd_solver="covariance_eigh").fit(sample)
    perplexity = min(_PERPLEXITY, (len(sample) - 1) / 3)
    # one thread, since the order of additions decides on the last bits
    tsne = TSNE(perplexity=perplexity, n_jobs=1, random_state=seed, neighbors="annoy")
    placed = tsne.fit(reduced.transform(sample).astype(np.float64))
    parts = [np.asarray(placed)]
    for start in range(len(sample), len(vectors), _AT_ONCE):
        others = reduced.transform(vectors[start : start + _AT_ONCE]).astype(np.float64)
        # not `prepare_partial`: its weights are the distances, all of them 0 for a text that occurs several times
        nearness = placed.affinities.to_new(others, perplexities=[_NEAREST])
        parts.append(np.asarray(nearness @ np.asarray(placed)) / np.asarray(nearness.sum(axis=1)).reshape(-1, 1))
    places = np.concatenate(parts)
    places -= places.min(axis=0)
    return (places / max(places.max(), 1e-9)).astype(np.float32)


_AT_ONCE = 50_000
"""Vectors that are placed at once."""
