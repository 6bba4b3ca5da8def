"""The page of a flow: one HTML file that loads nothing, in which a browser runs no script but ours."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cube_model.flow.drawing import COLOURS, Drawing
from cube_model.flow.layout import HEIGHT, WIDTH, Point
from cube_model.flow.run import Flow

_HERE = Path(__file__).parent


def page(flow: Flow, drawing: Drawing) -> str:
    """Return the page as HTML; equal flows give equal text.

    Utterances are data in JSON, which the script inserts as text. The policy of the page forbids other scripts and
    everything from elsewhere.

    Args:
        flow: The flow.
        drawing: Its boxes and curves.
    """
    from jinja2 import Environment, StrictUndefined

    script = "\n" + (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = (_HERE / "page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(
        drawing=drawing,
        lowest=round(100 * flow.facts["options"]["min_probability"]),
        colours=COLOURS,
        script=script,
        script_hash=f"sha256-{digest}",
        flow_json=_in_script(_data(flow, drawing)),
    )


def _data(flow: Flow, drawing: Drawing) -> dict[str, Any]:
    dialogues = len(flow.trajectories)
    nodes = []
    for box in drawing.boxes:
        step = flow.steps.get(box.name)
        nodes.append(
            {
                **{"name": box.name, "kind": box.kind, "centre": _rounded(box.centre), "main": box.is_main},
                **{"heading": box.heading, "lines": box.lines, "small": box.small},
                "share": step.dialogues / dialogues if step else 1.0,
                "examples": step.examples if step else (),
                "actions": step.actions if step else (),
            }
        )
    edges = [
        {
            **{"from": curve.ends[0], "to": curve.ends[1], "count": curve.count, "main": curve.is_main},
            **{"probability": round(curve.probability, 6), "label": curve.label},
            "label_at": _rounded(curve.label_at),
            "points": [_rounded(point) for point in curve.points],
            "width": round(1.4 * curve.width, 2),
            "opacity": round(curve.opacity, 3),
        }
        for curve in drawing.curves
    ]
    return {
        "nodes": nodes,
        "edges": edges,
        "main_path": flow.main_path,
        "size": _rounded(drawing.size),
        "box": [WIDTH, HEIGHT],
        "colours": COLOURS,
        "notes": _notes(flow.facts),
    }


def _notes(facts: dict[str, Any]) -> list[str]:
    teacher, data = facts["encoder"], facts["data"]
    revision = f", revision {teacher['revision'][:12]}" if teacher["revision"] else ""
    cuts = (f"{speaker} {cut['distance']:.3f}" for speaker, cut in facts["clustering"].items())
    notes = [
        f"Steps are clusters of utterances (average linkage), cut at a cosine distance of {', '.join(cuts)}.",
        f"Encoder {teacher['name']}{revision}. Data {data['fingerprint'][:12]}, {facts['format']}.",
    ]
    if true := facts["true_graph"]:
        drawn, protocol = true["as_drawn"], true["dialog2flow"]
        notes.append(
            f"The annotated actions, pruned alike, give {drawn['true_nodes']} nodes; this flow has {drawn['nodes']}. "
            f"With the true number of steps, as Dialog2Flow is judged: {protocol['nodes']} of {protocol['true_nodes']}."
        )
    return notes


def _rounded(point: Point) -> list[float]:
    return [round(value, 1) for value in point]


def _in_script(value: Any) -> str:
    """JSON that cannot end a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
