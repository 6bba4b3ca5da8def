"""The transition graph of trajectories, its pruning, and its main path.

>>> graph = transition_graph([["greet", "ask"], ["greet", "ask"], ["ask"]])
>>> graph.nodes["ask"]["count"], graph.edges[START, "greet"]["probability"]
(3, 0.6666666666666666)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

START, END = "start", "end"
"""Nodes before the first and after the last step of every trajectory."""


@dataclass(frozen=True)
class Pruning:
    """What is too rare to be drawn.

    Args:
        min_share: Smallest count of a node, as a share of the count of the most frequent one.
        min_probability: Smallest probability of an edge.
        relative: Compare the count of an edge with that of the most frequent edge of its node, as Dialog2Flow does by
            default, not with their sum.
    """

    min_share: float
    min_probability: float
    relative: bool = False


def transition_graph(trajectories: Iterable[Sequence[str]]) -> nx.DiGraph:
    """Count nodes and transitions.

    Args:
        trajectories: Names of the steps of each dialogue, in order.

    Returns:
        Graph with `count` at nodes and edges, and `probability` at edges: the share of the edges that leave its node.
    """
    import networkx as nx

    nodes: Counter[str] = Counter()
    edges: Counter[tuple[str, str]] = Counter()
    for steps in trajectories:
        way = (START, *steps, END)
        nodes.update(way)
        edges.update(pairwise(way))
    graph = nx.DiGraph()
    for name in sorted(nodes):
        graph.add_node(name, count=nodes[name])
    for a, b in sorted(edges):
        graph.add_edge(a, b, count=edges[a, b])
    _set_probabilities(graph)
    return graph


def pruned(graph: nx.DiGraph, pruning: Pruning, keep: Collection[tuple[str, str]] = ()) -> nx.DiGraph:
    """Remove rare nodes and edges, repetitions, and what then is on no way from start to end.

    The steps are those of Dialog2Flow's `build_graph.py`, in their order. The most frequent edge that leaves a node
    always stays.

    Args:
        graph: Graph, which is not changed.
        pruning: What is too rare.
        keep: Edges that stay however rare they are.

    Returns:
        A new graph with new probabilities. It may consist of start and end alone.
    """
    import networkx as nx

    graph = graph.copy()
    weights = {(a, b): edge["count" if pruning.relative else "probability"] for a, b, edge in graph.edges(data=True)}
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    steps = [name for name in graph if name not in (START, END)]
    most = max((graph.nodes[name]["count"] for name in steps), default=0)
    graph.remove_nodes_from([n for n in steps if graph.nodes[n]["count"] < pruning.min_share * most])
    _remove_dead_ends(graph)
    for name in list(graph):
        leaving = list(graph.out_edges(name))
        best = max((weights[edge] for edge in leaving), default=0)
        limit = pruning.min_probability * (best if pruning.relative else 1)
        graph.remove_edges_from([edge for edge in leaving if weights[edge] < min(limit, best) and edge not in keep])
    _remove_dead_ends(graph)
    _set_probabilities(graph)
    return graph


def main_path(graph: nx.DiGraph, counted: nx.DiGraph, trajectories: Iterable[Sequence[str]]) -> list[str]:
    """Return the way of a typical dialogue.

    That is the dialogue that has most in common with the others: the one with the highest expected Dice coefficients
    between its steps and those of a random dialogue, and between their transitions. Loops and steps that are not drawn
    are left out.

    Args:
        graph: Pruned graph.
        counted: The same graph before pruning; ways with a transition that it lacks are left out. If all are, the
            result is the widest way through the pruned graph, whose rarest transition is the most frequent.
        trajectories: Names of the steps of each dialogue, in order.

    Returns:
        Nodes from `START` to `END`; empty if the pruned graph does not connect them.
    """
    drawn = [tuple(name for name in (START, *steps, END) if name in graph) for steps in trajectories]
    widest = _widest_way(graph)
    if not (widest and drawn):
        return widest
    of_steps = _Overlap(map(set, drawn))
    of_transitions = _Overlap({(a, b) for a, b in pairwise(steps) if a != b} for steps in drawn)

    def typicality(way: Sequence[str]) -> float:
        return round(of_steps.expected(way) + of_transitions.expected(list(pairwise(way))), 9)

    ways = {_without_loops(steps) for steps in drawn}
    ways = {way for way in ways if all(counted.has_edge(*edge) for edge in pairwise(way))}
    if not ways:
        return widest
    most_typical = max(ways, key=lambda way: (typicality(way), way))
    return list(most_typical)


class _Overlap:
    """What a set has in common with a random one of n others."""

    def __init__(self, others: Iterable[Collection[Any]]) -> None:
        sets = list(others)
        self._counts = Counter(item for each in sets for item in each)
        self._sets, self._mean_size = len(sets), sum(map(len, sets)) / len(sets)

    def expected(self, items: Collection[Any]) -> float:
        """The sizes of the intersections by the mean of the sizes, as in the Dice coefficient."""
        return 2 * sum(self._counts[item] for item in items) / self._sets / (len(items) + self._mean_size)


def drawn_graph(trajectories: Sequence[Sequence[str]], pruning: Pruning) -> tuple[nx.DiGraph, list[str]]:
    """Count and prune the transitions, except those of the main path, so that start and end stay connected.

    Args:
        trajectories: Names of the steps of each dialogue, in order.
        pruning: What is too rare.

    Returns:
        The pruned graph, and the nodes of its main path; start and end alone and no path if the frequent steps do not
        connect them.
    """
    counted = transition_graph(trajectories)
    frequent_steps = pruned(counted, Pruning(pruning.min_share, 0))
    way = main_path(frequent_steps, counted, trajectories)
    return pruned(counted, pruning, keep=set(pairwise(way))), way


def _without_loops(names: Iterable[str]) -> tuple[str, ...]:
    way: list[str] = []
    for name in names:
        if name in way:
            del way[way.index(name) + 1 :]
        else:
            way.append(name)
    return tuple(way)


def _widest_way(graph: nx.DiGraph) -> list[str]:
    """The widest way, among equally wide ones the most probable; empty if there is none."""
    import networkx as nx

    if not nx.has_path(graph, START, END):
        return []
    counts = sorted({count for *_, count in graph.edges(data="count")}, reverse=True)
    low, high = 0, len(counts)  # the first `high` counts connect start and end, the first `low` do not
    while high - low > 1:
        middle = (low + high) // 2
        wide = _at_least(graph, counts[middle - 1])
        if START in wide and END in wide and nx.has_path(wide, START, END):
            high = middle
        else:
            low = middle
    wide = _at_least(graph, counts[high - 1])
    return list(nx.dijkstra_path(wide, START, END, lambda a, b, edge: -math.log(edge["probability"])))


def _at_least(graph: nx.DiGraph, count: int) -> nx.DiGraph:
    return graph.edge_subgraph([(a, b) for a, b, edge_count in graph.edges(data="count") if edge_count >= count])


def _set_probabilities(graph: nx.DiGraph) -> None:
    for name in graph:
        leaving = list(graph.out_edges(name, data=True))
        total = sum(edge["count"] for *_, edge in leaving)
        for *_, edge in leaving:
            edge["probability"] = edge["count"] / total


def _remove_dead_ends(graph: nx.DiGraph) -> None:
    import networkx as nx

    on_a_way = nx.descendants(graph, START) & nx.ancestors(graph, END)
    graph.remove_nodes_from([name for name in graph if name not in on_a_way and name not in (START, END)])
