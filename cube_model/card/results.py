"""Figures of an evaluation in the forms that the card and the Hub's pages take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

METRICS = {
    "accuracy_1_of_100": "1-of-100 accuracy",
    "mrr": "MRR",
    "mean_cosine": "mean cosine",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "auroc": "AUROC",
    "fpr95": "FPR95",
    "v_measure": "V-measure",
}
"""Metrics of the card in their order -> their usual names; the JSON has more metrics."""

Results = Sequence[dict[str, Any]]
"""Entries of the evaluation's JSON: `task`, `protocol`, `method`, `metric`, `value`, `ci95`, `parameters`, ..."""


def tables(results: Results) -> Iterable[dict[str, Any]]:
    """Yield one table per task and source, with a row for each method or protocol and a column for each metric."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry in results:
        last = "predicts" if _is_intents(entry) else "protocol"
        title = ", ".join(str(entry[key]) for key in ("task", "source", "language", last) if entry.get(key))
        groups.setdefault(title, []).append(entry)
    for title, entries in groups.items():
        metrics = [metric for metric in METRICS if any(entry["metric"] == metric for entry in entries)]
        rows: dict[str, dict[str, str]] = {}
        for entry in entries:
            rows.setdefault(_method(entry), {})[entry["metric"]] = _figure(entry)
        size = entries[0].get("pairs") or entries[0].get("test_rows")
        yield {
            "title": title + (f"; {size:,} {'pairs' if entries[0].get('pairs') else 'rows'}" if size else ""),
            "metrics": [METRICS[metric] for metric in metrics],
            "rows": {method: [cells.get(metric, "") for metric in metrics] for method, cells in rows.items()},
        }


def model_index(results: Results, data: str | None, revision: str | None = None) -> list[Any]:
    """Return the model's own figures in the form of the Hub's model index.

    Args:
        results: Entries of `read_results`.
        data: Hub repository of the dataset; None for a description instead.
        revision: Revision of that repository.
    """
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=entry.get("task", "response-selection"),
            task_name=str(entry.get("protocol") or ""),
            dataset_type=data or "dialogue-corpus",
            dataset_name=_dataset_name(entry),
            # the Hub distinguishes the sources by it
            dataset_config=f"{'downstream' if _is_intents(entry) else 'pairs'}: {_dataset_name(entry)}",
            dataset_split=entry.get("split", "test"),
            dataset_revision=revision,
            metric_type=entry["metric"],
            metric_name=METRICS[entry["metric"]] + _details(entry),
            metric_value=round(float(entry["value"]), 4),
            metric_args={"ci95": [round(end, 4) for end in entry.get("ci95") or []]},
        )
        for entry in results
        if entry["own"]
    ]


def eval_results(results: Results, data: str) -> str:
    """Return the model's own figures as YAML for `.eval_results/`, from where the pages of benchmarks collect them.

    Args:
        results: Entries of `read_results`.
        data: Hub repository of the dataset.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = [
        EvalResultEntry(
            dataset_id=data,
            task_id="-".join(str(entry[k]) for k in ("task", "source", "metric") if entry.get(k)),
            value=round(float(entry["value"]), 4),
            notes=", ".join(filter(None, [str(entry.get("protocol") or ""), _details(entry).strip(" ()")])) or None,
        )
        for entry in results
        if entry["own"]
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False) if entries else ""


def _dataset_name(entry: Mapping[str, Any]) -> str:
    return " ".join(str(entry[key]) for key in ("source", "language") if entry.get(key)) or "dialogue corpus"


def _details(entry: Mapping[str, Any]) -> str:
    """Distinguish several figures of one metric and dataset."""
    turns = entry.get("turns") or 1
    details = [f"{turns} turns"] if turns > 1 else []
    details += [str(entry[key]) for key in ("predicts", "protocol") if _is_intents(entry) and entry.get(key)]
    return f" ({', '.join(details)})" if details else ""


def _is_intents(entry: Mapping[str, Any]) -> bool:
    return entry.get("task") == "intents"


def _method(entry: Mapping[str, Any]) -> str:
    """Name the method, with the details that distinguish several of its rows."""
    name, turns, size = (entry.get(key) for key in ("method", "turns", "train_size"))
    details = [f"{turns} turns"] if turns and turns > 1 else []
    if isinstance(size, int) and size:
        details.append(f"{size:,} training {'rows' if entry.get('task') == 'intents' else 'pairs'}")
    if _is_intents(entry):
        details.insert(0, str(entry.get("protocol")))
    return ", ".join([str(name or "core"), *details])


def _figure(entry: Mapping[str, Any]) -> str:
    low, high = entry.get("ci95") or (None, None)
    return f"{entry['value']:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")
