"""Intent figures of several encoders as one Markdown table, as the READMEs show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_ACCURACIES = {
    "mteb": "8-shot (MTEB)",
    "5-shot": "5-shot",
    "10-shot": "10-shot",
    "knn": "kNN",
    "prototype": "prototype",
    "linear": "linear",
}
_DETECTORS = ("max_cosine", "max_softmax", "max_logit")

Published = Mapping[tuple[str, str, str], float]
"""Encoder, source and kind of label -> the accuracy that others published by MTEB's protocol, in percent."""


def markdown_table(outputs: Sequence[Mapping[str, Any]], published: Published | None = None) -> str:
    """Accuracy by each protocol, V-measure of the clusters, and AUROC out of scope by cosine, softmax and logit.

    All in percent, with all test rows. A row a source, kind of label and encoder; published figures stand in brackets.

    Args:
        outputs: JSON objects of `dialogue-cube evaluate intents`, one an encoder.
        published: What to put in brackets.
    """
    heads = ["", "encoder", *_ACCURACIES.values(), "clusters, V", "out of scope, AUROC"]
    rows = [heads, ["---", "---", *["---:"] * (len(heads) - 2)]]
    tasks = dict.fromkeys(_task(row) for output in outputs for row in output["results"])
    for task in tasks:
        for output in outputs:
            name = output["encoder"]["name"]
            found = {_key(row): row["value"] for row in output["results"] if _task(row) == task and _shown(row)}
            accuracies = [_percent(found.get((protocol, "accuracy", None))) for protocol in _ACCURACIES]
            if (name, task[0], task[2]) in (published or {}):
                accuracies[0] += f" ({(published or {})[name, task[0], task[2]]:.2f})"
            scope = [_percent(found.get(("oos", "auroc", detector))) for detector in _DETECTORS]
            clusters = _percent(found.get(("clustering", "v_measure", None)))
            rows.append([_title(*task), name, *accuracies, clusters, " / ".join(filter(None, scope))])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _task(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["source"], row["language"], row["predicts"]


def _title(source: str, language: str, predicts: str) -> str:
    return f"{source} ({language})" if predicts == "intent" else f"{source} ({language}), {predicts}"


def _shown(row: Mapping[str, Any]) -> bool:
    return row["contaminated"] == "kept"


def _key(row: Mapping[str, Any]) -> tuple[str, str, str | None]:
    return row["protocol"], row["metric"], row["settings"].get("detector")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"
