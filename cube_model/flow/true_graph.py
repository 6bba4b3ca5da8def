"""The graph of the annotated actions: the difference in the number of nodes, and the agreement of steps and actions.

Dialog2Flow (EMNLP 2024) is judged by that difference: each speaker gets as many clusters as it has actions, nodes below
2.3 % of the most frequent one and edges below 2 % of the most frequent one of their node are removed from both graphs,
start and end count as nodes. The difference alone says little, since an encoder with random weights may get the number
right; so the adjusted Rand index of steps and actions is given beside it.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cube_model.data.turns import Turns
from cube_model.flow.graph import Pruning, drawn_graph, pruned, transition_graph
from cube_model.flow.trajectories import SpeakerTexts, by_dialogue, names_of_turns

DIALOG2FLOW = Pruning(min_share=0.023, min_probability=0.02, relative=True)
"""The pruning of Dialog2Flow's evaluation."""

REPORTED = {"dialog2flow-single-bert-base": 0.0686, "dse-bert-base": 0.279, "all-mpnet-base-v2": 0.529}
"""Mean relative differences that Dialog2Flow reports, over six domains of SpokenWOZ."""

_ANNOTATED = 0.9
"""Smallest share of turns with an action from which the true graph means something."""


def actions_of_turns(turns: Turns, rows: Sequence[int]) -> list[str] | None:
    """Return speaker and action of each turn, `""` for the others; None if too few turns have an action."""
    actions = [""] * len(turns)
    for row in rows:
        if action := turns.action(row):
            actions[row] = f"{turns.speakers[row]}: {action}"
    annotated = sum(map(bool, actions))
    return actions if annotated and annotated >= _ANNOTATED * len(rows) else None


def difference(turns: Turns, names: Sequence[str], actions: Sequence[str], pruning: Pruning) -> dict[str, Any]:
    """Compare the number of nodes of two graphs that are pruned alike.

    Args:
        turns: Turns.
        names: Name of the step of each turn.
        actions: Action of each turn; turns without one are in neither graph.
        pruning: What is too rare.

    Returns:
        `nodes`, `true_nodes`, `difference`, `relative` (its absolute value as a share of `true_nodes`) and `agreement`
        (see there; mean over the speakers).
    """
    names = [name if action else "" for name, action in zip(names, actions, strict=True)]
    nodes, true_nodes = (_size(list(by_dialogue(turns, each).values()), pruning) for each in (names, actions))
    return {
        "nodes": nodes,
        "true_nodes": true_nodes,
        "difference": nodes - true_nodes,
        "relative": abs(nodes - true_nodes) / true_nodes,
        "agreement": round(statistics.fmean(_agreement_by_speaker(turns, names, actions)), 6),
    }


def _size(trajectories: Sequence[Sequence[str]], pruning: Pruning) -> int:
    """The number of nodes of a graph as it is drawn, or as Dialog2Flow prunes it, which spares no main path."""
    if pruning == DIALOG2FLOW:
        return len(pruned(transition_graph(trajectories), pruning))
    return len(drawn_graph(trajectories, pruning)[0])


def agreement(names: Sequence[str], actions: Sequence[str]) -> float:
    """Return the adjusted Rand index of two partitions: 1 if they are equal, 0 on average for random ones.

    Args:
        names: Steps of n turns.
        actions: Their actions.
    """
    together, steps, true = (_pairs(Counter(each)) for each in (zip(names, actions, strict=True), names, actions))
    expected = steps * true / max(1, _pairs({"all": len(names)}))
    best = (steps + true) / 2
    return 1.0 if best == expected else (together - expected) / (best - expected)


def _pairs(counts: Mapping[Any, int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts.values())


def _agreement_by_speaker(turns: Turns, names: Sequence[str], actions: Sequence[str]) -> Iterator[float]:
    for speaker in sorted(set(turns.speakers)):
        rows = [row for row, name in enumerate(names) if name and turns.speakers[row] == speaker]
        if rows:
            yield agreement([names[row] for row in rows], [actions[row] for row in rows])


def compare(
    turns: Turns, speakers: Mapping[str, SpeakerTexts], names: Sequence[str], pruning: Pruning
) -> dict[str, Any] | None:
    """Compare a flow with the true graph.

    Args:
        turns: Turns.
        speakers: Utterances of each speaker.
        names: Name of the step of each turn; `""` for turns that are not in the flow.
        pruning: Pruning of the flow.

    Returns:
        `as_drawn`: the difference of the flow itself, whose number of steps nobody gave; `dialog2flow`: that with
        Dialog2Flow's protocol, which gives the number of actions; `actions`: their number by speaker. None if the
        turns have no acts and slots.
    """
    actions = actions_of_turns(turns, [row for row, name in enumerate(names) if name])
    if actions is None:
        return None
    counts = {s: len({actions[row] for row in each.rows.tolist()} - {""}) for s, each in speakers.items()}
    clusters = {s: each.tree.cut(count=max(1, min(counts[s], each.tree.size))) for s, each in speakers.items()}
    node_names = names_of_turns(turns, speakers, clusters)
    return {
        "as_drawn": difference(turns, names, actions, pruning),
        "dialog2flow": difference(turns, node_names, actions, DIALOG2FLOW),
        "actions": counts,
        "reported_by_dialog2flow": REPORTED,
    }
