"""What is drawn of a flow, on paper and on the page: boxes with their texts, and curves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from cube_model.flow.graph import END, START
from cube_model.flow.labels import box_lines, shortened
from cube_model.flow.layout import HEIGHT, Point, lay_out
from cube_model.flow.run import Flow

COLOURS = {
    "user": "#dcebf8",
    "user line": "#6b9bc7",
    "system": "#fffaf0",
    "system line": "#c9a86a",
    "start": "#e4e4e4",
    "start line": "#8a8a8a",
    "end": "#e4e4e4",
    "end line": "#8a8a8a",
    "main": "#c2410c",
    "edge": "#5b6470",
}

_LABELLED = 0.1
"""Smallest probability that is written beside a transition."""

_LABEL = (30, 13)
"""Width and height of a label, in pixels."""

_TITLE = 110
"""Largest width of the title, in letters."""


@dataclass(frozen=True)
class Box:
    """A node.

    Attributes:
        name: Name of the node.
        kind: `user`, `system`, `start` or `end`.
        centre: Its centre, in pixels.
        heading: Most frequent action; for start and end their name.
        lines: Utterance in lines; none for start and end.
        small: Small print.
        is_main: Whether the main path has it.
    """

    name: str
    kind: str
    centre: Point
    heading: str
    lines: list[str]
    small: str
    is_main: bool


@dataclass(frozen=True)
class Curve:
    """An edge.

    Attributes:
        ends: Names of its nodes.
        points: Its points, see `Layout`.
        count: Number of transitions.
        probability: Their share of those that leave the first node.
        is_main: Whether the main path has it.
        label: Probability as text; empty for rare transitions.
        label_at: Place of the label.
        width: Width of the line, in points.
        opacity: From 0 to 1.
        colour: Colour.
    """

    ends: tuple[str, str]
    points: list[Point]
    count: int
    probability: float
    is_main: bool
    label: str
    label_at: Point
    width: float
    opacity: float
    colour: str


@dataclass(frozen=True)
class Drawing:
    """A drawing, in pixels.

    Attributes:
        boxes: Nodes.
        curves: Edges, those of the main path last.
        size: Width and height.
        title: Title.
        subtitle: Figures of the flow.
    """

    boxes: list[Box]
    curves: list[Curve]
    size: Point
    title: str
    subtitle: str


def draw(flow: Flow) -> Drawing:
    """Find boxes and curves of a flow."""
    layout = lay_out(flow.graph, flow.main_path)
    on_path, path_edges = set(flow.main_path), set(pairwise(flow.main_path))
    boxes = []
    for name in flow.graph:
        if name in (START, END):
            boxes.append(Box(name, name, layout.boxes[name], name, [], "", True))
            continue
        step = flow.steps[name]
        texts = box_lines(step, len(flow.trajectories))
        boxes.append(Box(name, step.speaker, layout.boxes[name], *texts, is_main=name in on_path))
    edges = sorted(flow.graph.edges(data=True), key=lambda edge: ((edge[0], edge[1]) in path_edges, edge[2]["count"]))
    places = _label_places({(a, b): layout.curves[a, b] for a, b, _ in reversed(edges)})
    curves = []
    for a, b, edge in edges:
        points = layout.curves[a, b]
        is_main, probability = (a, b) in path_edges, edge["probability"]
        has_label = (a, b) in places and (probability >= _LABELLED or is_main)
        curves.append(
            Curve(
                ends=(a, b),
                points=[_to_pill(points[0], a), *points[1:-1], _to_pill(points[-1], b)],
                count=edge["count"],
                probability=probability,
                is_main=is_main,
                label=f"{probability:.0%}" if has_label else "",
                label_at=places.get((a, b), points[0]),
                width=(2.2 if is_main else 0.7) + 2.5 * probability,
                opacity=1.0 if is_main else min(0.75, 0.25 + 0.8 * probability),
                colour=COLOURS["main" if is_main else "edge"],
            )
        )
    return Drawing(boxes, curves, layout.size, *_titles(flow))


def _to_pill(point: Point, name: str) -> Point:
    """Where an edge meets a box; start and end are lower than the others."""
    if name not in (START, END):
        return point
    return (point[0], point[1] - (HEIGHT - 34) / 2 if name == START else point[1] + (HEIGHT - 34) / 2)


def _label_places(curves: dict[tuple[str, str], list[Point]]) -> dict[tuple[str, str], Point]:
    """Find a place for each label near the beginning of its curve, apart from the others; the first have the choice."""
    places: dict[tuple[str, str], Point] = {}
    for ends, points in curves.items():
        for t in (0.16, 0.3, 0.42, 0.54, 0.66):
            x, y = _on_curve(points[0], points[1], t)
            if all(abs(x - a) >= _LABEL[0] or abs(y - b) >= _LABEL[1] for a, b in places.values()):
                places[ends] = (x, y)
                break
    return places


def _on_curve(start: Point, end: Point, t: float) -> Point:
    """A point of a cubic curve with vertical tangents; t from 0 to 1."""
    along = 3 * t**2 - 2 * t**3
    down = 1.5 * t - 1.5 * t**2 + t**3
    return (start[0] + (end[0] - start[0]) * along, start[1] + (end[1] - start[1]) * down)


def _titles(flow: Flow) -> tuple[str, str]:
    facts, options = flow.facts, flow.facts["options"]
    of = [
        *(options["sources"] or ()),
        options["domain"] or "",
        "all splits" if options["split"] == "all" else f"{options['split']} split",
    ]
    title = f"Flow of {options['data']}: {', '.join(filter(None, of))}"
    data = facts["data"]
    drawn = sum(name in flow.steps for name in flow.graph)
    subtitle = (
        f"{data['dialogues']:,} dialogues, {data['turns']:,} turns · {drawn} of {len(flow.steps)} steps and "
        f"{flow.graph.number_of_edges()} transitions drawn (steps from {options['min_share']:.1%} of the most "
        f"frequent one, transitions from {options['min_probability']:.0%}) · encoder {options['encoder']}"
    )
    return shortened(title, _TITLE), subtitle
