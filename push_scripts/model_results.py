"""Figures of an evaluation, for the card and the Hub's pages; checked to be those of the model that is pushed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from push_scripts.errors import PushError
from push_scripts.model_folder import ModelFolder

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

Results = list[dict[str, Any]]
"""Entries of the evaluation's JSON: `task`, `protocol`, `method`, `metric`, `value`, `ci95`, `parameters`, ..."""


def read_results(paths: Sequence[Path], folder: ModelFolder) -> Results:
    """Read the entries that a card shows from JSON files that `evaluate` or `leaderboard` wrote.

    Each entry gets a key `own`: true for a figure of the model itself, false for one of a baseline.

    Args:
        paths: JSON files.
        folder: The model that is pushed.

    Raises:
        PushError: A file has another format, or figures of another model.
    """
    return [entry for path in paths for entry in _read(path, folder)]


def _read(path: Path, folder: ModelFolder) -> Results:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = list(content["results"])
        for entry in entries:
            float(entry["value"]), str(entry["metric"])
    except FileNotFoundError as error:
        raise PushError(
            f"--results {path}: no such file; `dialogue-cube evaluate ... --json FILE` writes one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PushError(
            f"--results {path}: expected JSON with `results`, each with `metric` and `value` ({error!r}); "
            "`dialogue-cube evaluate ... --json FILE` writes it"
        ) from error
    _check_same_model(path, content, folder)
    own = folder.parameters if folder.kind != "embedder" else 0
    results = [{**entry, "own": entry.get("parameters") == own} for entry in entries if _is_headline(entry)]
    if folder.kind == "embedder":  # the evaluation treats it as an encoder without a core
        results = [{**entry, "method": "this encoder"} if entry["own"] else entry for entry in results]
    return results


def _check_same_model(path: Path, content: Mapping[str, Any], folder: ModelFolder) -> None:
    """Refuse figures that name another model as the one evaluated."""
    if folder.kind == "embedder":
        from cube_model.teacher.fingerprint import weights_sha256

        expected = (content.get("encoder") or {}).get("weights_sha256")
        actual = weights_sha256(folder.path) if expected else ""
    else:
        from cube_model.inference.loading import core_fingerprint, load_core

        core = folder.path if folder.kind == "core" else next(folder.path.glob("[0-9]*_*/config.json")).parent
        expected = (content.get("fingerprints") or {}).get("model")
        actual = core_fingerprint(load_core(core)) if expected else ""
    if expected and expected != actual:
        raise PushError(
            f"--results {path}: figures of another model (fingerprint {expected[:12]}, this one {actual[:12]}); "
            "evaluate this one with `dialogue-cube evaluate ... --json FILE`"
        )


def _is_headline(entry: Mapping[str, Any]) -> bool:
    """Select figures of whole sources with random negatives; domains and harder negatives stay in the JSON."""
    is_plain = entry.get("domain") is None and entry.get("negatives", "random") == "random"
    return is_plain and entry["metric"] in METRICS and entry.get("source") != "all intents"


def tables(results: Results) -> Iterable[dict[str, Any]]:
    """Yield one table per task and source, with a row for each method or protocol and a column for each metric."""
    groups: dict[str, Results] = {}
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
