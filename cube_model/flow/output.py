"""The folder of a flow: page, picture, graph, figures and trajectories."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError
from dataset_builders.common.outputs import OutputKind, write_json

if TYPE_CHECKING:
    from cube_model.flow.run import Flow

RECORD, PAGE, PICTURE, GRAPH, TRAJECTORIES = "flow.json", "flow.html", "flow.png", "flow.graphml", "trajectories.jsonl"
"""Names of the files."""

FLOW = OutputKind(
    "`dialogue-cube flow`",
    "--out",
    lambda folder: (folder / RECORD).is_file(),
    (RECORD, PAGE, PICTURE, GRAPH, TRAJECTORIES),
    error=ModelError,
)
"""Existing folders that a flow may replace."""

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_flow(flow: Flow, command: str, folder: Path) -> None:
    """Write the files of a flow; equal flows give equal bytes.

    Args:
        flow: The flow.
        command: Its command line.
        folder: Empty folder.
    """
    from cube_model.flow.drawing import draw
    from cube_model.flow.page import page
    from cube_model.flow.picture import save_picture

    drawing = draw(flow)
    write_json(folder / RECORD, {"command": command, **flow.as_json()})
    (folder / PAGE).write_text(page(flow, drawing), encoding="utf-8")
    save_picture(drawing, folder / PICTURE)
    _write_graph(flow, folder / GRAPH)
    with (folder / TRAJECTORIES).open("w", encoding="utf-8") as file:
        for dialogue, steps in flow.trajectories.items():
            file.write(json.dumps({"dialogue_id": dialogue, "steps": steps}, ensure_ascii=False) + "\n")


def read_flow(folder: Path) -> dict[str, Any]:
    """Read the JSON file of a flow.

    Raises:
        ModelError: The folder is not one of a flow.
    """
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if not all(isinstance(content[key], list) for key in ("nodes", "edges", "main_path")):
            raise ValueError("nodes or edges are missing")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{folder}: not a flow; make one with `dialogue-cube flow --data DIR --out FOLDER`") from error
    return dict(content)


def _write_graph(flow: Flow, file: Path) -> None:
    """Write GraphML, which has plain attributes only: a representative utterance and the most frequent action."""
    import networkx as nx

    graph = nx.DiGraph()
    for name, node in flow.graph.nodes(data=True):
        step = flow.steps.get(name)
        kind = step.speaker if step else name
        facts: dict[str, Any] = {"speaker": kind, "count": node["count"], "on_main_path": name in flow.main_path}
        if step is not None:
            facts |= {"dialogues": step.dialogues, "position": round(step.position, 3)}
            facts |= {"utterance": _xml_text(step.examples[0])}
            facts |= {"action": _xml_text(step.actions[0][0])} if step.actions else {}
        graph.add_node(name, **facts)
    for a, b, edge in flow.graph.edges(data=True):
        graph.add_edge(a, b, count=edge["count"], probability=round(edge["probability"], 6))
    nx.write_graphml_xml(graph, file)


def _xml_text(text: str) -> str:
    """A text without the control characters that XML forbids."""
    return _NOT_IN_XML.sub("\ufffd", text)
