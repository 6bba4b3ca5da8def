"""Make a flow: read the dialogues, encode and cluster their utterances, count the transitions.

>>> from cube_model.flow.config import FlowConfig
>>> from cube_model.flow.run import make_flow
>>> flow = make_flow(FlowConfig("my-corpus", sources=["sgd"], domain="restaurant"))
>>> flow.main_path[:3], flow.steps["U1"].examples[0]
(['start', 'U4', 'S2'], 'Yes, that is right.')
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.turns import Turns
from cube_model.errors import ModelError
from cube_model.flow.config import FlowConfig
from cube_model.flow.dialogues import SPEAKERS, read_dialogues
from cube_model.flow.graph import END, START, Pruning, drawn_graph
from cube_model.flow.trajectories import SpeakerTexts, Step, by_dialogue, describe_steps, names_of_turns
from cube_model.flow.true_graph import compare
from cube_model.machine import versions

if TYPE_CHECKING:
    import networkx as nx

    from cube_model.teacher.teacher import Teacher
    from cube_model.vectors.cache import EmbeddingCache

VERSION = "flow v1"
"""Part of every result. Raise it when a change of the method changes a graph."""

_LIBRARIES = ("scipy", "networkx", "matplotlib")


@dataclass(frozen=True)
class Flow:
    """A flow.

    Attributes:
        graph: Pruned graph; steps have the attributes of `Step`, edges `count` and `probability`.
        steps: All steps by name, those that are not drawn too.
        trajectories: Dialogue id -> names of its steps in order.
        main_path: Nodes of the way of a typical dialogue, from start to end.
        facts: What the flow was made of: data, encoder, clustering, options, versions, comparison with the true graph.
    """

    graph: nx.DiGraph
    steps: dict[str, Step]
    trajectories: dict[str, list[str]]
    main_path: list[str]
    facts: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return facts, nodes, edges and main path as plain values."""
        nodes = [
            {"name": name, "count": self.graph.nodes[name]["count"]}
            if name in (START, END)
            else asdict(self.steps[name]) | {"position": round(self.steps[name].position, 3)}
            for name in [START, *(name for name in self.steps if name in self.graph), END]
        ]
        edges = [
            {"from": a, "to": b, "count": edge["count"], "probability": round(edge["probability"], 6)}
            for a, b, edge in sorted(self.graph.edges(data=True), key=lambda edge: (-edge[2]["count"], edge[:2]))
        ]
        return {**self.facts, "nodes": nodes, "edges": edges, "main_path": self.main_path}


def make_flow(
    config: FlowConfig,
    *,
    teacher: Teacher | None = None,
    cache: EmbeddingCache | None = None,
    progress: bool = False,
) -> Flow:
    """Make a flow.

    Args:
        config: Configuration.
        teacher: Encoder. Default: that of the configuration.
        cache: Embedding cache. Default: the user's cache.
        progress: Show a progress bar while texts are encoded.

    Raises:
        ModelError: The extra `flow` is not installed; the data or the encoder is unavailable; there are too few
            dialogues or different utterances; or nothing is left between start and end after pruning.
    """
    check_installed()
    turns, rows = read_dialogues(config)
    teacher = teacher or _load(config.encoder)
    speakers = encode_speakers(turns, rows, teacher, cache or _cache(config), seed=config.seed, progress=progress)
    clusters = {s: each.cut(s, config.threshold, config.steps) for s, each in speakers.items()}
    names = names_of_turns(turns, speakers, clusters)
    trajectories = by_dialogue(turns, names)
    steps = describe_steps(turns, speakers, clusters, names)
    pruning = Pruning(config.min_share, config.min_probability)
    graph, way = drawn_graph(list(trajectories.values()), pruning)
    if not way:
        raise ModelError(
            f"no way from start to end is left of {len(steps)} steps; "
            "lower --min-share, or give fewer --steps or a higher --threshold"
        )
    for name in graph:
        if name in steps:
            graph.nodes[name].update(speaker=steps[name].speaker, position=steps[name].position)
    facts = {
        "format": VERSION,
        "data": {
            "fingerprint": turns.fingerprint,
            "dialogues": len(trajectories),
            "turns": len(rows),
            "licenses": sorted({turns.licenses[dialogue] for dialogue in set(turns.dialogues[rows].tolist())}),
            "distinct_utterances": {s: len(each.texts) for s, each in speakers.items()},
        },
        "encoder": teacher.describe(),
        "clustering": {
            s: {
                "distance": round(clusters[s].distance, 6),
                "mean_distance": round(each.tree.mean_distance, 6),
                "utterances_in_tree": each.tree.size,
                "steps": len(clusters[s]),
            }
            for s, each in speakers.items()
        },
        "options": config.result_options() | {"data": _name_of(config.data), "encoder": teacher.name},
        "true_graph": compare(turns, speakers, names, pruning),
        "versions": versions(_LIBRARIES),
    }
    return Flow(graph, steps, trajectories, way, facts)


def check_installed() -> None:
    """Check that the extra `flow` is installed, before any time is spent.

    Raises:
        ModelError: A library is missing.
    """
    from importlib.util import find_spec

    if missing := [name for name in _LIBRARIES if find_spec(name) is None]:
        raise ModelError(f"a flow needs {', '.join(missing)}: pip install 'dialogue-cube[flow]'")


def encode_speakers(
    turns: Turns,
    rows: np.ndarray,
    teacher: Teacher,
    cache: EmbeddingCache,
    *,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, SpeakerTexts]:
    """Encode and compare the distinct utterances of each speaker, by `user` and `system`.

    Args:
        turns: Turns.
        rows: Numbers of the turns of the flow.
        teacher: Encoder.
        cache: Embedding cache.
        seed: Seed of the sample, if there are many utterances.
        progress: Show a progress bar.
    """
    rows_of = {s: rows[[turns.speakers[row] == s for row in rows.tolist()]] for s in SPEAKERS}
    texts_of = {s: list(dict.fromkeys(turns.texts[row] for row in own.tolist())) for s, own in rows_of.items()}
    vectors = cache.embed(teacher, [text for texts in texts_of.values() for text in texts], progress=progress)
    ends = np.cumsum([len(texts) for texts in texts_of.values()])
    parts = dict(zip(SPEAKERS, np.split(vectors, ends[:-1]), strict=True))
    return {s: SpeakerTexts(turns, rows_of[s], texts, parts[s], seed=seed) for s, texts in texts_of.items() if texts}


def _load(encoder: str) -> Teacher:
    from cube_model.teacher.teacher import Teacher

    return Teacher.load(encoder)


def _cache(config: FlowConfig) -> EmbeddingCache:
    from cube_model.vectors.cache import EmbeddingCache

    return EmbeddingCache(vectors=config.vectors)


def _name_of(data: str) -> str:
    """The name of a dataset: the last part of a path, so that equal data give equal bytes anywhere."""
    from pathlib import Path

    return Path(data).resolve().name if Path(data).is_dir() else data
