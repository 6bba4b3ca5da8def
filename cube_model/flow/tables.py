"""Tables of a flow on the terminal."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from cube_model.flow.labels import shortened
from cube_model.flow.true_graph import REPORTED

if TYPE_CHECKING:
    from cube_model.flow.run import Flow

_PROTOCOLS = ("as_drawn", "dialog2flow")

_HEADINGS = ("true ", "difference ", "agreement ")

_COLUMNS = 60
"""Largest width of an utterance."""


def way_table(flow: Flow) -> Table:
    """The way of a typical dialogue, a row for each step."""
    data = flow.facts["data"]
    table = Table(
        title=f"Way of a typical dialogue ({data['dialogues']:,} dialogues, {data['turns']:,} turns, "
        f"{len(flow.steps)} steps, {flow.graph.number_of_nodes() - 2} drawn)"
    )
    table.add_column("step")
    table.add_column("turns", justify="right")
    table.add_column("utterance")
    table.add_column("action")
    for name in flow.main_path[1:-1]:
        step = flow.steps[name]
        action = step.actions[0][0] if step.actions else ""
        texts = (shortened(text, _COLUMNS).replace("[", r"\[") for text in (step.examples[0], action))
        table.add_row(name, f"{step.count:,}", *texts)
    return table


def nodes_table(comparisons: Mapping[str, Mapping[str, Any]]) -> Table:
    """The difference in the number of nodes to the true graphs, a row for each domain and their mean.

    Args:
        comparisons: Result of `true_graph.compare` by domain.
    """
    reported = ", ".join(f"{name} {value:.1%}" for name, value in REPORTED.items())
    table = Table(
        title="Nodes of the flow and of the graph of the annotated actions",
        caption=f"Dialog2Flow's protocol gives the number of actions. It reports for SpokenWOZ: {reported}. "
        "Agreement: adjusted Rand index of steps and actions, 0 for random ones.",
    )
    table.add_column("domain")
    for heading in ("flow", "true", "difference", "agreement", "Dialog2Flow's protocol", *_HEADINGS):
        table.add_column(heading, justify="right")
    for domain, each in comparisons.items():
        cells = []
        for protocol in _PROTOCOLS:
            one = each[protocol]
            cells += [str(one["nodes"]), str(one["true_nodes"]), f"{one['relative']:.1%} ({one['difference']:+d})"]
            cells.append(f"{one['agreement']:.3f}")
        table.add_row(domain, *cells)
    if len(comparisons) > 1:
        table.add_section()
        cells = []
        for protocol in _PROTOCOLS:
            of = [each[protocol] for each in comparisons.values()]
            means = [statistics.fmean(one[name] for one in of) for name in ("relative", "agreement")]
            cells += ["", "", f"{means[0]:.1%}", f"{means[1]:.3f}"]
        table.add_row("mean", *cells)
    return table
