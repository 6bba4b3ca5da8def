"""Places of the boxes and curves of a flow: time runs downwards, the main path is a straight column.

Every step is in a row near the mean place of its turns in their dialogues, the rows of user and system alternate as the
turns do. An edge over several rows keeps a free lane in the rows between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from cube_model.flow.graph import END, START

if TYPE_CHECKING:
    import networkx as nx

WIDTH, HEIGHT = 244, 74
"""Size of a box, in pixels."""

GAP, LANE, BETWEEN = 26, 16, 78
"""Distance of boxes in a row, width of a lane, and distance of rows, in pixels."""

_WIDEST = 6
"""Largest number of boxes in a row."""

_SWEEPS = 12
"""Number of times that the rows are ordered by their neighbours."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Places in pixels, y downwards.

    Attributes:
        boxes: Centre of the box of each node.
        curves: Points of each edge, from box to box: cubic curves between them, with vertical tangents.
        size: Width and height of the picture.
    """

    boxes: dict[str, Point]
    curves: dict[tuple[str, str], list[Point]]
    size: Point


@dataclass
class _Slot:
    """A box or a lane in a row.

    Attributes:
        row: Number of the row.
        width: Width in pixels, with the distance to its neighbour.
        x: Centre.
        neighbours: Slots in the rows beside, with the number of transitions.
    """

    row: int
    width: float
    x: float = 0.0
    neighbours: list[tuple[_Slot, int]] = field(default_factory=list)


def lay_out(graph: nx.DiGraph, main: Sequence[str]) -> Layout:
    """Find the places.

    Args:
        graph: Pruned graph; its steps have `speaker` and `position`.
        main: Nodes of the main path.
    """
    rows = _rows(graph, main)
    boxes = {name: _Slot(rows[name], WIDTH + GAP) for name in graph}
    lanes: dict[tuple[str, str], list[_Slot]] = {}
    for a, b, count in graph.edges(data="count"):
        step = 1 if rows[a] < rows[b] else -1
        lanes[a, b] = [_Slot(row, LANE) for row in range(rows[a] + step, rows[b], step)]
        chain = [boxes[a], *lanes[a, b], boxes[b]]
        for one, other in pairwise(chain):
            one.neighbours.append((other, count))
            other.neighbours.append((one, count))
    slots: list[list[_Slot]] = [[] for _ in range(max(rows.values()) + 1)]
    for slot in [*boxes.values(), *(slot for chain in lanes.values() for slot in chain)]:
        slots[slot.row].append(slot)
    # every row has one slot of the main path, a box or a lane
    column = [boxes[name] for name in main] + [slot for edge in pairwise(main) for slot in lanes[edge]]
    pinned = {slot.row: slot for slot in column}
    for sweep in range(_SWEEPS):
        for number in range(len(slots)) if sweep % 2 == 0 else reversed(range(len(slots))):
            slots[number] = _placed(slots[number], pinned[number])
    left = min(slot.x - slot.width / 2 for row in slots for slot in row)
    right = max(slot.x + slot.width / 2 for row in slots for slot in row)
    places = {name: (slot.x - left, _y(slot.row)) for name, slot in boxes.items()}
    ports = _ports(graph, places, set(pairwise(main)))
    curves = {}
    for edge, chain in lanes.items():
        down = rows[edge[0]] < rows[edge[1]]
        way = [ports[edge][0]]
        for lane in chain:
            above, below = (lane.x - left, _y(lane.row) - HEIGHT / 2), (lane.x - left, _y(lane.row) + HEIGHT / 2)
            way += [above, below] if down else [below, above]
        curves[edge] = [*way, ports[edge][1]]
    return Layout(places, curves, (right - left, _y(len(slots) - 1) + HEIGHT / 2 + GAP))


def _y(row: int) -> float:
    return GAP + HEIGHT / 2 + row * (HEIGHT + BETWEEN)


def _rows(graph: nx.DiGraph, main: Sequence[str]) -> dict[str, int]:
    """The row of each node; the nodes of the main path are in different rows, in their order."""
    rows = {
        name: _row(node["position"], node["speaker"] == "system")
        for name, node in graph.nodes(data=True)
        if name not in (START, END)
    }
    last = 0
    for name in main[1:-1]:
        rows[name] = last = max(rows[name], last + 1)
    on_main = set(main)
    by_row: dict[int, list[str]] = {}
    for name in sorted(rows, key=lambda name: (rows[name], name not in on_main, -graph.nodes[name]["count"], name)):
        by_row.setdefault(rows[name], []).append(name)
    result, number = {START: 0}, 0
    for row in sorted(by_row):
        for start in range(0, len(by_row[row]), _WIDEST):
            number += 1
            result |= dict.fromkeys(by_row[row][start : start + _WIDEST], number)
    return result | {END: number + 1}


def _row(position: float, is_system: bool) -> int:
    """The nearest odd row for a step of the user, the nearest even one for the system; the first turn is in row 1."""
    return 1 + is_system + 2 * max(0, round((position - is_system) / 2))


def _placed(row: list[_Slot], pinned: _Slot) -> list[_Slot]:
    """Place the slots of a row near their neighbours, side by side, around a pinned one at 0."""
    goals = {id(slot): _goal(slot) for slot in row}
    order = sorted((slot for slot in row if slot is not pinned), key=lambda slot: goals[id(slot)])
    lefts = [slot for slot in order if goals[id(slot)] < 0]
    rights = [slot for slot in order if goals[id(slot)] >= 0]
    # about as many boxes on both sides
    while _boxes(lefts) > _boxes(rights) + 1:
        rights.insert(0, lefts.pop())
    while _boxes(rights) > _boxes(lefts) + 1:
        lefts.append(rights.pop(0))
    pinned.x, edge = 0.0, -pinned.width / 2
    for slot in reversed(lefts):
        slot.x = min(goals[id(slot)], edge - slot.width / 2)
        edge = slot.x - slot.width / 2
    edge = pinned.width / 2
    for slot in rights:
        slot.x = max(goals[id(slot)], edge + slot.width / 2)
        edge = slot.x + slot.width / 2
    return [*lefts, pinned, *rights]


def _goal(slot: _Slot) -> float:
    """The mean place of the neighbours, weighted by their transitions."""
    weight = sum(count for _, count in slot.neighbours)
    return sum(other.x * count for other, count in slot.neighbours) / weight if weight else slot.x


def _boxes(slots: Sequence[_Slot]) -> int:
    return sum(slot.width > LANE for slot in slots)


def _ports(
    graph: nx.DiGraph, places: dict[str, Point], straight: set[tuple[str, str]]
) -> dict[tuple[str, str], tuple[Point, Point]]:
    """Where each edge leaves and enters its boxes: side by side, ordered by their other ends; straight ones centred."""
    lists: dict[tuple[str, bool], list[tuple[float, tuple[str, str], int]]] = {}
    for a, b in graph.edges:
        down = places[a][1] < places[b][1]
        lists.setdefault((a, down), []).append((places[b][0], (a, b), 0))
        lists.setdefault((b, not down), []).append((places[a][0], (a, b), 1))
    ends: dict[tuple[tuple[str, str], int], Point] = {}
    for (name, at_bottom), edges in lists.items():
        x, y = places[name]
        for number, (_, edge, end) in enumerate(sorted(edges), 1):
            offset = 0.0 if edge in straight else WIDTH * (number / (len(edges) + 1) - 0.5)
            ends[edge, end] = (x + offset, y + (HEIGHT / 2 if at_bottom else -HEIGHT / 2))
    return {edge: (ends[edge, 0], ends[edge, 1]) for edge in graph.edges}
