"""Graphs of small trajectories, counted by hand."""

import numpy as np
import pytest

from cube_model.data.turns import Turns
from cube_model.flow.graph import END, START, Pruning, drawn_graph, main_path, pruned, transition_graph
from cube_model.flow.trajectories import SpeakerTexts, names_of_turns
from cube_model.flow.true_graph import DIALOG2FLOW, agreement, compare, difference

pytest.importorskip("networkx", reason="install the extra `flow`")
pytest.importorskip("scipy", reason="install the extra `flow`")

EVERYTHING = Pruning(0, 0)

TRAJECTORIES = [["a", "b"], ["a", "b"], ["a", "a", "c"], ["b"]]


def edges(graph, name="count"):
    return {(a, b): value for a, b, value in graph.edges(data=name)}


def test_nodes_and_transitions_are_counted():
    graph = transition_graph(TRAJECTORIES)
    assert dict(graph.nodes(data="count")) == {START: 4, END: 4, "a": 4, "b": 3, "c": 1}
    assert edges(graph) == {
        (START, "a"): 3,
        (START, "b"): 1,
        ("a", "a"): 1,
        ("a", "b"): 2,
        ("a", "c"): 1,
        ("b", END): 3,
        ("c", END): 1,
    }
    assert edges(graph, "probability")["a", "b"] == 1 / 2
    assert edges(graph, "probability")[START, "b"] == 1 / 4


def test_without_limits_only_repetitions_are_pruned():
    graph = pruned(transition_graph(TRAJECTORIES), EVERYTHING)
    assert set(graph) == {START, END, "a", "b", "c"}
    assert edges(graph, "probability")["a", "b"] == 2 / 3  # of the transitions that are left


def test_rare_nodes_are_pruned_with_what_then_leads_nowhere():
    ways = [["a", "b", "z"]] * 10 + [["a", "c", "b", "z"]]
    assert set(pruned(transition_graph(ways), Pruning(2 / 11, 0))) == {START, END, "a", "b", "z"}
    assert "c" in pruned(transition_graph(ways), Pruning(1 / 11, 0))
    nowhere = transition_graph([["a", "b"]] * 10 + [["c", "a", "b"], ["a", "b", "d"]])
    assert set(pruned(nowhere, Pruning(0, 0.1))) == {START, END, "a", "b"}


def test_rare_edges_are_pruned_by_probability_or_as_dialog2flow_does():
    ways = [["a", "b"]] * 6 + [["a", "c"]] * 3 + [["a", "d"]]
    graph = transition_graph(ways)
    assert set(pruned(graph, Pruning(0, 0.2))) == {START, END, "a", "b", "c"}
    assert set(pruned(graph, Pruning(0, 0.4))) == {START, END, "a", "b"}
    assert "c" in pruned(graph, Pruning(0, 0.5, relative=True))  # 3 is half of 6
    assert "c" not in pruned(graph, Pruning(0, 0.51, relative=True))


def test_the_most_frequent_edge_of_a_node_stays():
    graph = pruned(transition_graph([["a"], ["b"], ["c"], ["c"]]), Pruning(0, 0.9))
    assert edges(graph) == {(START, "c"): 2, ("c", END): 2}


def test_pruning_leaves_its_input_alone():
    graph = transition_graph(TRAJECTORIES)
    before = edges(graph)
    pruned(graph, Pruning(0.5, 0.9))
    assert edges(graph) == before


def test_main_path_is_the_dialogue_that_has_most_steps_in_common_with_the_others():
    ways = [["a", "b", "c", "d"]] * 3 + [["a", "b", "a", "b", "c"], ["a", "c"], ["a", "x", "y", "z"]]
    counted = transition_graph(ways)
    # of 6 dialogues 6 have a, 5 c, 4 b, 3 d, 1 x, y and z; with start and end, they have 33 / 6 steps on average
    # a-b-c-d: 2 x 30 / 6 / (6 + 5.5) = .87; a-b-c: 2 x 27 / 6 / (5 + 5.5) = .86; a-c: .81; a-x-y-z: .61
    # transitions, 28 / 6 on average: a-b-c-d 2 x 20 / 6 / (5 + 4.67) = .69; a-b-c: 2 x 16 / 6 / (4 + 4.67) = .62
    assert main_path(pruned(counted, EVERYTHING), counted, ways) == [START, "a", "b", "c", "d", END]
    without_d = pruned(counted, Pruning(0.7, 0))
    assert main_path(without_d, counted, ways) == [START, "a", "b", "c", END]


def test_transitions_of_the_main_path_stay():
    # after a, b and back to it are the rule, and only one dialogue in 11 ends
    ways = [["a", *["b", "a"] * 10]] * 3
    pruning = Pruning(0, 0.2)
    assert set(pruned(transition_graph(ways), pruning)) == {START, END}
    graph, way = drawn_graph(ways, pruning)
    assert way == [START, "a", END]
    assert edges(graph)["a", END] == 3
    assert edges(graph, "probability")["a", END] == 1 / 11


def test_main_path_without_a_dialogue_that_can_be_drawn_is_the_widest_way():
    counted = transition_graph([["a", "b"]] * 3 + [["a", "c"]] * 2 + [["b", "d"]] * 4)
    graph = pruned(counted, EVERYTHING)
    assert main_path(graph, counted, [["b", "a"]]) == [START, "b", "d", END]
    graph.remove_nodes_from(["b", "d", "c"])
    assert main_path(graph, counted, [["a"]]) == []


def turns_of(*dialogues):
    """Turns of dialogues of (speaker, text, act) triples, all about the domain tea."""
    rows = [(number, place, *turn) for number, turns in enumerate(dialogues) for place, turn in enumerate(turns)]
    return Turns(
        texts=[row[3] for row in rows],
        speakers=[row[2] for row in rows],
        acts=[(row[4],) if row[4] else () for row in rows],
        slots=[()] * len(rows),
        own_slots=[()] * len(rows),
        spans=[()] * len(rows),
        dialogues=np.array([row[0] for row in rows]),
        positions=np.array([row[1] for row in rows]),
        dialogue_ids=[f"tea/{number}" for number in range(len(dialogues))],
        sources=["tea"] * len(dialogues),
        languages=["en"] * len(dialogues),
        licenses=["MIT"] * len(dialogues),
        domains=[("tea",)] * len(dialogues),
        fingerprint="0" * 64,
    )


ORDER, REFUSAL = ("user", "A pot of tea.", "request"), ("user", "No tea.", "negate")
SERVED, BYE = ("system", "Here it is.", "offer"), ("system", "Goodbye.", "goodbye")
TEA = turns_of([ORDER, SERVED], [ORDER, SERVED], [REFUSAL, BYE], [ORDER, SERVED, REFUSAL, BYE])


def speakers_of(turns):
    """The utterances of each speaker, all of them far from each other."""
    speakers = {}
    for speaker in ("user", "system"):
        rows = np.flatnonzero([each == speaker for each in turns.speakers])
        texts = list(dict.fromkeys(turns.texts[row] for row in rows))
        speakers[speaker] = SpeakerTexts(turns, rows, texts, np.eye(len(texts), 4, dtype=np.float32))
    return speakers


def test_difference_to_the_true_graph():
    speakers = speakers_of(TEA)
    one_step = {speaker: each.tree.cut(count=1) for speaker, each in speakers.items()}
    names = names_of_turns(TEA, speakers, one_step)
    assert names[:2] == ["U1", "S1"]
    result = compare(TEA, speakers, names, EVERYTHING)
    # 4 actions, start and end against U1, S1, start and end
    assert result["as_drawn"] == {
        "nodes": 4,
        "true_nodes": 6,
        "difference": -2,
        "relative": pytest.approx(1 / 3),
        "agreement": 0,
    }
    assert result["dialog2flow"] == {"nodes": 6, "true_nodes": 6, "difference": 0, "relative": 0, "agreement": 1}
    assert result["actions"] == {"user": 2, "system": 2}


def test_true_graph_is_pruned_as_that_of_dialog2flow():
    rare = [[ORDER, SERVED]] * 60 + [[REFUSAL, BYE]]
    turns = turns_of(*rare)
    actions = [f"{speaker}: {act[0]}" for speaker, act in zip(turns.speakers, turns.acts, strict=True)]
    assert difference(turns, actions, actions, DIALOG2FLOW)["true_nodes"] == 4  # 1 / 60 is below 2.3 %
    turns = turns_of(*rare[20:])
    assert difference(turns, actions[40:], actions[40:], DIALOG2FLOW)["true_nodes"] == 6


def test_agreement_is_the_adjusted_rand_index():
    steps, actions = list("aaabbbcc"), list("xxyyyyzz")
    # pairs together: 5 in both, 7 by steps, 8 by actions, of 28
    assert agreement(steps, actions) == pytest.approx((5 - 7 * 8 / 28) / (7.5 - 7 * 8 / 28))
    assert agreement(steps, steps) == 1
    assert agreement(list("abab"), list("xxyy")) < 0
    assert agreement(["a"], ["x"]) == 1


def test_no_true_graph_without_acts():
    silent = turns_of(*[[(*ORDER[:2], None), (*SERVED[:2], None)]] * 3)
    speakers = speakers_of(silent)
    assert compare(silent, speakers, ["U1", "S1"] * 3, EVERYTHING) is None


def test_most_frequent_step_is_number_one():
    turns = turns_of([REFUSAL, BYE], [ORDER, SERVED], [ORDER, BYE])
    speakers = speakers_of(turns)
    clusters = {speaker: each.tree.cut(count=2) for speaker, each in speakers.items()}
    names = names_of_turns(turns, speakers, clusters)
    assert names == ["U2", "S1", "U1", "S2", "U1", "S1"]
