"""The card of a pushed core, filled from what its folder records; the template is the top level's `model_card.md`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from push_scripts.errors import PushError
from push_scripts.model_folder import ModelFolder

TEMPLATE = Path(__file__).with_name("model_card.md")  # a link to the top level's; a file of its own in a wheel
LICENSE = "apache-2.0"

_SHAPE = {
    "embedding_dim": "length of the vectors",
    "steps": "steps",
    "global_units": "units shared by all cells",
    "plane_units": "units shared by the cells of each plane",
    "context_turns": "earlier turns read",
    "map_answers": "answers are mapped too",
}
_METRICS = {"accuracy_1_of_100": "1-of-100 accuracy", "mrr": "MRR", "mean_cosine": "mean cosine"}

Results = list[dict[str, Any]]
"""Entries as the evaluation writes them: `task`, `protocol`, `method`, `metric`, `value`, `ci95`, `parameters`, ..."""


def model_card(folder: ModelFolder, repo_id: str, results: Results) -> str:
    """The text of `README.md`.

    Args:
        folder: The checked folder. What it does not record is said to be unknown, never invented.
        repo_id: `org/name` that the card's examples load.
        results: What an evaluation measured; may be empty.
    """
    import jinja2

    config, training = folder.config, folder.training
    record, arguments = training.get("data") or {}, training.get("arguments") or {}
    teacher = config.get("teacher") or training.get("teacher") or {}
    data = arguments.get("data")
    lattice = " x ".join(map(str, config.get("lattice_size") or []))
    shape = {"lattice": lattice} | {label: config.get(key) for key, label in _SHAPE.items()}
    if "map_answers" in config:
        shape[_SHAPE["map_answers"]] = "yes" if config["map_answers"] else "no"
    shape["parameters"] = f"{folder.parameters:,}"
    shape["seconds of training"] = training.get("seconds")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=_metadata(folder, repo_id, results),
        name=repo_id.split("/")[-1],
        repo_id=repo_id,
        lattice=lattice,
        dimension=config.get("embedding_dim", "LENGTH"),
        shape={label: value for label, value in shape.items() if value not in (None, "")},
        teacher={key: value for key, value in teacher.items() if value not in (None, "")},
        pairs=record.get("pairs"),
        data=data,
        data_repo=_hub_repo(data),
        fingerprint=str(record.get("fingerprint"))[:16],
        sources=_licenses(record),
        license=LICENSE,
        arguments={key: value for key, value in arguments.items() if value is not None},
        results=list(_tables(results)),
        validation=_validation(training),
    )


def _metadata(folder: ModelFolder, repo_id: str, results: Results) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    record, arguments = folder.training.get("data") or {}, folder.training.get("arguments") or {}
    data = arguments.get("data")
    measured = [
        EvalResult(
            task_type=entry.get("task", "response-selection"),
            dataset_type=_hub_repo(data) or "dialogue-corpus",
            dataset_name=str(entry.get("source") or data or "dialogue corpus"),
            dataset_split=entry.get("split", "test"),
            metric_type=entry["metric"],
            metric_name=_METRICS.get(entry["metric"], entry["metric"]),
            metric_value=round(float(entry["value"]), 4),
            metric_args={"ci95": [round(end, 4) for end in entry.get("ci95") or []]},
        )
        for entry in results
        if entry.get("parameters") == folder.parameters  # the others are what the core is compared with
    ]
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="feature-extraction",
        license=LICENSE,
        tags=["cube", "dialogue", "response-selection", "question-answering", "embeddings"],
        language=sorted(record.get("languages") or []) or None,
        datasets=[repo] if (repo := _hub_repo(data)) else None,
        base_model=_teacher_repo(folder.config.get("teacher") or {}),
        model_name=repo_id.split("/")[-1],
        eval_results=measured or None,
    ).to_yaml()


def _teacher_repo(teacher: Mapping[str, Any]) -> str | None:
    from cube_model.teacher import KNOWN_TEACHERS

    name = str(teacher.get("name", ""))
    return KNOWN_TEACHERS[name].repo if name in KNOWN_TEACHERS else _hub_repo(name)


def _hub_repo(name: str | None) -> str | None:
    """The name when it can be that of a Hub repository; folders have lost all but their own name by now."""
    return name if name and re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def _licenses(record: Mapping[str, Any]) -> dict[str, str]:
    """Source -> licence: as recorded with the training, else as the source's builder states it."""
    from dataset_builders.errors import DataError
    from dataset_builders.registry import get_builder

    recorded = record.get("licenses") or {}
    found = {}
    for name in record.get("sources") or []:
        try:
            found[name] = recorded.get(name) or get_builder(name).INFO.license
        except DataError:  # the user's own data
            found[name] = "not recorded"
    return {name: license if isinstance(license, str) else ", ".join(license) for name, license in found.items()}


def _tables(results: Results) -> Iterable[dict[str, Any]]:
    """One table a task, source and protocol: a row for each method, a column for each metric."""
    groups: dict[tuple[str, ...], Results] = {}
    for entry in results:
        key = tuple(str(entry.get(k)) for k in ("task", "source", "language", "protocol", "pairs") if entry.get(k))
        groups.setdefault(key, []).append(entry)
    for key, entries in groups.items():
        metrics = list(dict.fromkeys(entry["metric"] for entry in entries))
        rows: dict[str, dict[str, str]] = {}
        for entry in entries:
            rows.setdefault(_method(entry), {})[entry["metric"]] = _figure(entry)
        yield {
            "title": ", ".join(key[:-1]) + (f"; {key[-1]} pairs" if entries[0].get("pairs") else f", {key[-1]}"),
            "metrics": [_METRICS.get(metric, metric) for metric in metrics],
            "rows": {method: [cells.get(metric, "") for metric in metrics] for method, cells in rows.items()},
        }


def _method(entry: Mapping[str, Any]) -> str:
    """The method, with what tells several of its rows apart."""
    name, turns, size = (entry.get(key) for key in ("method", "turns", "train_size"))
    details = [f"{turns} turns"] if turns and turns > 1 else []
    if isinstance(size, int):
        details.append(f"{size:,} training pairs")
    return ", ".join([str(name or "core"), *details])


def _figure(entry: Mapping[str, Any]) -> str:
    low, high = entry.get("ci95") or (None, None)
    return f"{entry['value']:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None else "")


def _validation(training: Mapping[str, Any]) -> dict[str, Any] | None:
    history, best = training.get("history") or [], training.get("best_epoch")
    if not history or best is None:
        return None
    metrics = [
        f"{label} {history[0][key]:.3f} -> {history[best][key]:.3f}"
        for key, label in _METRICS.items()
        if key in history[0] and key in history[best]
    ]
    return {"epoch": best, "metrics": metrics} if metrics else None


def read_results(path: Path) -> Results:
    """The entries of a JSON file that an evaluation wrote.

    Raises:
        PushError: It is not such a file.
    """
    import json

    try:
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        for entry in results:
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
    return [entry for entry in results if _is_headline(entry)]


def _is_headline(entry: Mapping[str, Any]) -> bool:
    """Figures over whole sources against random negatives; domains and harder negatives are for the JSON's readers."""
    return entry.get("domain") is None and entry.get("negatives", "random") == "random"
