"""Places of boxes, curves and labels, and lines of text."""

from itertools import combinations, pairwise

import pytest

from cube_model.flow.drawing import _LABEL, _label_places
from cube_model.flow.graph import END, START, Pruning, main_path, pruned, transition_graph
from cube_model.flow.labels import shortened, wrapped
from cube_model.flow.layout import HEIGHT, WIDTH, lay_out

pytest.importorskip("networkx", reason="install the extra `flow`")

WAYS = [
    *[["U1", "S1", "U2", "S2"]] * 6,
    *[["U1", "S3", "U3", "S1", "U2", "S2"]] * 3,
    *[["U4", "S1", "U2", "S4", "U1", "S2"]] * 2,
    *[[f"U{n}", "S1", f"U{n + 1}", "S2"] for n in range(5, 24)],
]


@pytest.fixture(scope="module")
def drawn():
    counted = transition_graph(WAYS)
    graph = pruned(counted, Pruning(0, 0))
    for name in set(graph) - {START, END}:
        places = [number for way in WAYS for number, step in enumerate(way) if step == name]
        speaker = "user" if name.startswith("U") else "system"
        graph.nodes[name].update(speaker=speaker, position=sum(places) / len(places))
    main = main_path(graph, counted, WAYS)
    return graph, main, lay_out(graph, main)


def test_boxes_are_apart_and_inside_the_picture(drawn):
    _, _, layout = drawn
    for (x, y), (u, v) in combinations(layout.boxes.values(), 2):
        assert abs(x - u) >= WIDTH or abs(y - v) >= HEIGHT
    width, height = layout.size
    for x, y in layout.boxes.values():
        assert WIDTH / 2 <= x <= width - WIDTH / 2
        assert HEIGHT / 2 <= y <= height - HEIGHT / 2


def test_main_path_is_a_straight_column_downwards(drawn):
    _, main, layout = drawn
    assert main == [START, "U1", "S1", "U2", "S2", END]
    assert len({round(layout.boxes[name][0], 6) for name in main}) == 1
    heights = [layout.boxes[name][1] for name in main]
    assert heights == sorted(heights)
    for edge in pairwise(main):
        assert len({round(x, 6) for x, _ in layout.curves[edge]}) == 1


def test_curves_join_their_boxes_and_pass_between_the_others(drawn):
    graph, _, layout = drawn
    for a, b in graph.edges:
        (x, y), *between, (u, v) = layout.curves[a, b]
        for name, px, py in ((a, x, y), (b, u, v)):
            assert abs(px - layout.boxes[name][0]) < WIDTH / 2
            assert abs(py - layout.boxes[name][1]) == HEIGHT / 2
        for px, py in between:
            assert all(abs(px - x) > WIDTH / 2 or abs(py - y) > HEIGHT / 2 for x, y in layout.boxes.values())


def test_layout_is_the_same_again(drawn):
    graph, main, layout = drawn
    assert lay_out(graph, main) == layout


def test_labels_do_not_overlap(drawn):
    _, _, layout = drawn
    places = _label_places(layout.curves)
    assert len(places) > len(layout.curves) / 2
    for (x, y), (u, v) in combinations(places.values(), 2):
        assert abs(x - u) >= _LABEL[0] or abs(y - v) >= _LABEL[1]


def test_lines_fit():
    text = "I would like to book a table for four people at seven, please."
    assert wrapped(text, 20, 2) == ["I would like to book", "a table for four pe…"]
    assert wrapped(text, 80, 2) == [text]
    assert wrapped("a" * 50, 20, 3) == ["a" * 20, "a" * 20, "a" * 10]
    assert wrapped("", 20, 2) == [""]
    assert wrapped("请问" * 12, 20, 2) == ["请问" * 5, "请问" * 4 + "请…"]
    assert shortened("Столик на двоих", 10) == "Столик на…"
