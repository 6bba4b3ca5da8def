"""Tables of intents on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from dataset_builders.common.terminal import visible

if TYPE_CHECKING:
    from cube_model.intents.head import IntentHead
    from cube_model.intents.intent import Intent
    from cube_model.intents.suggestions import Suggestions

_ROWS = 15
"""Largest number of confusions or clusters that are shown."""


def validation_table(head: IntentHead) -> Table:
    """The figures of cross-validation."""
    facts = head.validation
    how = f"{facts.folds}-fold cross-validation" if facts.folds > 1 else "one part of the rows held out"
    table = Table(title=f"{len(head.labels)} intents, {facts.rows:,} utterances judged, {how}")
    for name in ("figure", "value"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for name, value in facts.figures.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}" if name == "log_loss" else f"{100 * value:.1f} %")
    return table


def confusions_table(head: IntentHead) -> Table:
    """The most frequent confusions."""
    table = Table(title="Most frequent confusions")
    for name in ("intent", "predicted", "utterances"):
        table.add_column(name, justify="right" if name == "utterances" else "left")
    for true, other, count in head.validation.confusions[:_ROWS]:
        table.add_row(_plain(true), _plain(other), str(count))
    return table


def suggestions_table(suggestions: Suggestions, texts: Sequence[str]) -> Table:
    """The largest clusters."""
    clusters = suggestions.clusters
    more = f"; the {_ROWS} largest" if len(clusters) > _ROWS else ""
    table = Table(title=f"{len(clusters)} clusters, {len(suggestions.rest):,} utterances in smaller ones{more}")
    for name in ("proposed name", "size", "cohesion", "representative utterance"):
        table.add_column(name, justify="right" if name in ("size", "cohesion") else "left")
    for cluster in clusters[:_ROWS]:
        text = texts[int(cluster.rows[0])]
        table.add_row(_plain(cluster.name), str(len(cluster.rows)), f"{cluster.cohesion:.2f}", _plain(text[:70]))
    return table


def intents_table(texts: Sequence[str], intents: Sequence[Intent]) -> Table:
    """The intents of texts."""
    table = Table()
    for name in ("utterance", "intent", "probability", "next"):
        table.add_column(name, justify="right" if name == "probability" else "left")
    for text, intent in zip(texts, intents, strict=True):
        label = "(out of scope)" if intent.label is None else ", ".join(intent.labels)
        others = ", ".join(f"{name} {value:.0%}" for name, value in intent.alternatives[:2])
        table.add_row(_plain(text[:70]), _plain(label), f"{intent.probability:.0%}", _plain(others))
    return table


def _plain(text: str) -> str:
    return visible(text).replace("[", r"\[")
