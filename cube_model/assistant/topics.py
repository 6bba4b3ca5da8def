"""What an assistant can answer about: its domains, or else groups of similar questions, each named by one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

TOPICS = "topics.safetensors"
_NAMES = "names"

_FEWEST = 5
"""Entries that a domain needs to be a topic."""

_MOST_GROUPS = 50
_SAMPLE = 20_000
"""Entries that are grouped; more are sampled."""

_ROUNDS = 20


@dataclass(frozen=True)
class Topic:
    """A topic near a question.

    Attributes:
        name: A domain of the data, or a question of the topic.
        similarity: Cosine of the question and the centre of the topic.
    """

    name: str
    similarity: float


@dataclass(frozen=True)
class Topics:
    """t topics.

    Attributes:
        names: t names.
        centres: float32 `[t, dimension]`, of length 1.
    """

    names: list[str]
    centres: np.ndarray

    @classmethod
    def of(cls, table: pa.Table, vectors: np.ndarray, seed: int = 0) -> Topics:
        """Find the topics of entries.

        Args:
            table: n entries.
            vectors: float32 `[n, dimension]`: their questions.
            seed: Seed of the groups.
        """
        domains = _domains(table)
        if domains:
            return cls(list(domains), _unit(np.stack([vectors[rows].mean(0) for rows in domains.values()])))
        rows = np.random.default_rng(seed).permutation(len(vectors))[:_SAMPLE]
        sample = np.asarray(vectors[np.sort(rows)])
        texts = table["question"].take(np.sort(rows)).to_pylist()
        centres = _spherical_k_means(sample, min(_MOST_GROUPS, math.ceil(math.sqrt(len(sample)))), seed)
        nearest = (sample @ centres.T).argmax(0)
        names = dict(zip((texts[row] for row in nearest), centres, strict=True))
        return cls(list(names), np.stack(list(names.values())))

    def nearest(self, vector: np.ndarray, count: int = 3) -> list[Topic]:
        """Return the nearest topics of a question, float32 `[dimension]`, the nearest first."""
        similarity = self.centres @ vector
        return [
            Topic(self.names[row], float(similarity[row])) for row in np.argsort(-similarity, kind="stable")[:count]
        ]

    def save(self, folder: Path) -> None:
        """Write `topics.safetensors`, whose metadata have the names."""
        import json

        from safetensors.numpy import save_file

        names = json.dumps(self.names, ensure_ascii=False)
        save_file({"centres": self.centres.astype(np.float32)}, folder / TOPICS, {_NAMES: names})

    @classmethod
    def load(cls, folder: Path) -> Topics:
        """Read what `save` wrote."""
        import json

        from safetensors import safe_open

        with safe_open(folder / TOPICS, framework="np") as file:
            return cls(list(json.loads(file.metadata()[_NAMES])), file.get_tensor("centres"))


def _domains(table: pa.Table) -> dict[str, np.ndarray]:
    """Domain -> its entries, if most entries have one."""
    rows: dict[str, list[int]] = {}
    without = 0
    for row, names in enumerate(table["domains"].to_pylist()):
        without += not names
        for name in names or ():
            rows.setdefault(name, []).append(row)
    if without > len(table) / 2:
        return {}
    return {name: np.array(rows[name]) for name in sorted(rows) if len(rows[name]) >= _FEWEST}


def _spherical_k_means(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Centres of groups (Dhillon and Modha, 2001), from vectors that are far from each other (k-means++)."""
    random = np.random.default_rng(seed)
    seeds = [int(random.integers(len(vectors)))]
    distance = 1 - vectors @ vectors[seeds[0]]
    while len(seeds) < count:
        weight = np.maximum(distance, 0) + 1e-12
        seeds.append(int(random.choice(len(vectors), p=weight / weight.sum())))
        distance = np.minimum(distance, 1 - vectors @ vectors[seeds[-1]])
    centres = vectors[seeds]
    for _ in range(_ROUNDS):
        label = (vectors @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, label, vectors)
        filled = np.bincount(label, minlength=count) > 0
        centres = _unit(np.where(filled[:, None], sums, centres))
    return centres


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)
