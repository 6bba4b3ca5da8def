"""Figures that an evaluation measured, and whether they are this model's."""

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
"""Metrics of the card, in this order, and what people call them; the JSON has more."""

Results = list[dict[str, Any]]
"""Entries as the evaluation writes them: `task`, `protocol`, `method`, `metric`, `value`, `ci95`, `parameters`, ..."""


def read_results(paths: Sequence[Path], folder: ModelFolder) -> Results:
    """The entries of JSON files that `evaluate` or `leaderboard` wrote, those that a card shows.

    Each gets `"own"`: true for a figure of the model itself, false for what it is compared with.

    Raises:
        PushError: It is not such a file, or its figures are another model's.
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
    shown = [{**entry, "own": entry.get("parameters") == own} for entry in entries if _is_headline(entry)]
    if folder.kind == "embedder":  # to the evaluation it is an encoder without a core
        shown = [{**entry, "method": "this encoder"} if entry["own"] else entry for entry in shown]
    return shown


def _check_same_model(path: Path, content: Mapping[str, Any], folder: ModelFolder) -> None:
    """A file that names the model that it judged must name this one."""
    if folder.kind == "embedder":
        from cube_model.teacher.fingerprint import weights_sha256

        judged, here = (content.get("encoder") or {}).get("weights_sha256"), lambda: weights_sha256(folder.path)
    else:
        from cube_model.inference.loading import core_fingerprint, load_core

        core = folder.path if folder.kind == "core" else next(folder.path.glob("[0-9]*_*/config.json")).parent
        judged, here = (content.get("fingerprints") or {}).get("model"), lambda: core_fingerprint(load_core(core))
    if judged and judged != here():
        raise PushError(
            f"--results {path}: figures of another model (fingerprint {judged[:12]}, this one {here()[:12]}); judge "
            "this one with `dialogue-cube evaluate ... --json FILE`"
        )


def _is_headline(entry: Mapping[str, Any]) -> bool:
    """Figures over whole sources against random negatives; domains and harder negatives are for the JSON's readers."""
    random = entry.get("domain") is None and entry.get("negatives", "random") == "random"
    return random and entry["metric"] in METRICS and entry.get("source") != "all intents"


def tables(results: Results) -> Iterable[dict[str, Any]]:
    """One table a task and source: a row for each method or protocol, a column for each metric."""
    groups: dict[tuple[str, ...], Results] = {}
    for entry in results:
        facts = (
            ("task", "source", "language", "predicts")
            if _is_intents(entry)
            else ("task", "source", "language", "protocol")
        )
        key = tuple(str(entry[k]) for k in facts if entry.get(k))
        groups.setdefault(key, []).append(entry)
    for key, entries in groups.items():
        metrics = [metric for metric in METRICS if any(entry["metric"] == metric for entry in entries)]
        rows: dict[str, dict[str, str]] = {}
        for entry in entries:
            rows.setdefault(_method(entry), {})[entry["metric"]] = _figure(entry)
        pairs = entries[0].get("pairs") or entries[0].get("test_rows")
        yield {
            "title": ", ".join(key)
            + (f"; {pairs:,} {'pairs' if entries[0].get('pairs') else 'rows'}" if pairs else ""),
            "metrics": [METRICS[metric] for metric in metrics],
            "rows": {method: [cells.get(metric, "") for metric in metrics] for method, cells in rows.items()},
        }


def model_index(results: Results, data: str | None, revision: str | None = None) -> list[Any]:
    """The model's own figures as the Hub shows them.

    Args:
        results: Entries of `read_results`.
        data: Hub repository of the dataset; a description stands in its place otherwise.
        revision: Of that repository.
    """
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type=entry.get("task", "response-selection"),
            task_name=str(entry.get("protocol") or ""),
            dataset_type=data or "dialogue-corpus",
            dataset_name=_dataset_name(entry),
            # by it the Hub tells the sources apart
            dataset_config=f"{'downstream' if _is_intents(entry) else 'pairs'}: {_dataset_name(entry)}",
            dataset_split=entry.get("split", "test"),
            dataset_revision=revision,
            metric_type=entry["metric"],
            metric_name=METRICS[entry["metric"]] + _of(entry),
            metric_value=round(float(entry["value"]), 4),
            metric_args={"ci95": [round(end, 4) for end in entry.get("ci95") or []]},
        )
        for entry in results
        if entry["own"]
    ]


def eval_results(results: Results, data: str) -> str:
    """The model's own figures in the form of `.eval_results/*.yaml`, which the page of a benchmark collects.

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
            notes=", ".join(filter(None, [str(entry.get("protocol") or ""), _of(entry).strip(" ()")])) or None,
        )
        for entry in results
        if entry["own"]
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False) if entries else ""


def _dataset_name(entry: Mapping[str, Any]) -> str:
    named = [str(entry[key]) for key in ("source", "language") if entry.get(key)]
    return " ".join(named) or "dialogue corpus"


def _of(entry: Mapping[str, Any]) -> str:
    """What tells several figures of one metric and dataset apart."""
    turns = entry.get("turns") or 1
    said = [f"{turns} turns"] if turns > 1 else []
    said += [str(entry[key]) for key in ("predicts", "protocol") if _is_intents(entry) and entry.get(key)]
    return f" ({', '.join(said)})" if said else ""


def _is_intents(entry: Mapping[str, Any]) -> bool:
    return entry.get("task") == "intents"


def _method(entry: Mapping[str, Any]) -> str:
    """The method, with what tells several of its rows apart."""
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
