"""A flow for the dashboard of `dataset_builders`: its page, and its figures as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cube_model.errors import ModelError
from cube_model.flow.output import PAGE, read_flow


def shown_flow(folder: Path) -> dict[str, Any]:
    """Read the folder of a flow.

    Returns:
        `page` (HTML), `figures` (`dialogues`, `turns`, `steps`, `transitions`, and `nodes`, `true_nodes` or None),
        `steps` and `transitions` (rows).

    Raises:
        ModelError: The folder is not one of a flow.
    """
    content = read_flow(folder)
    try:
        page = (folder / PAGE).read_text(encoding="utf-8")
        drawn = (content["true_graph"] or {}).get("as_drawn", {})
        steps = [node for node in content["nodes"] if "speaker" in node]
        return {
            "page": page,
            "figures": {
                **{name: content["data"][name] for name in ("dialogues", "turns")},
                "steps": len(steps),
                "transitions": len(content["edges"]),
                **{name: drawn.get(name) for name in ("nodes", "true_nodes")},
            },
            "steps": [
                {
                    **{"step": node["name"], "speaker": node["speaker"]},
                    **{"turns": node["count"], "dialogues": node["dialogues"]},
                    "utterance": node["examples"][0],
                    "action": node["actions"][0][0] if node["actions"] else None,
                }
                for node in steps
            ],
            "transitions": [
                {**{name: edge[name] for name in ("from", "to", "probability")}, "transitions": edge["count"]}
                for edge in content["edges"]
            ],
        }
    except (OSError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder}: an incomplete flow; make it again with `dialogue-cube flow`") from error
