"""The command `dialogue-cube flow`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cube_model._command import check_locations, command_line
from cube_model.flow.config import FlowConfig
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.outputs import output_folder

if TYPE_CHECKING:
    from cube_model.flow.run import Flow


@takes_options()
def flow(
    config: FlowConfig,
    out: Annotated[
        Path, typer.Option(help="Folder for the page, the picture, the graph, the figures and the trajectories.")
    ],
) -> None:
    """Draw how dialogues proceed: steps of user and system, and the transitions between them.

    Similar utterances of a speaker are one step, named by the utterance nearest to its centre and, where the dataset
    has acts, by its most frequent action. The folder has flow.html (interactive, without any other file), flow.png,
    flow.graphml, flow.json and trajectories.jsonl. Where the dataset has acts, the table compares the number of nodes
    with that of the graph of the annotated actions.
    """
    check_locations(config.data)
    from cube_model.flow.output import FLOW, write_flow
    from cube_model.flow.run import check_installed, make_flow

    check_installed()
    with output_folder(out, FLOW) as folder:
        made = make_flow(config, progress=True)
        write_flow(made, command_line("flow", config, "--out FOLDER"), folder)
    _show(made, out)


def _show(made: Flow, out: Path) -> None:
    from rich.console import Console

    from cube_model.flow.output import PAGE
    from cube_model.flow.tables import nodes_table, way_table

    console = Console()
    console.print(way_table(made))
    if made.facts["true_graph"] is not None:
        console.print(nodes_table({made.facts["options"]["domain"] or "all": made.facts["true_graph"]}))
    console.print(f"{out / PAGE}: open it in a browser", markup=False, highlight=False, style="dim")
