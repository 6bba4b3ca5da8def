"""The card of a pushed model: the template `model_card.md` of the top level, filled with the records of its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.licenses import get_license
from dataset_builders.sources.registry import get_builder
from push_scripts.footprint import Footprint
from push_scripts.model_folder import ModelFolder
from push_scripts.model_results import METRICS, Results, model_index, tables

TEMPLATE = Path(__file__).with_name("model_card.md")  # a link to the top level's file; in a wheel, a file
LICENSE = "apache-2.0"

_SHAPE = {
    "embedding_dim": "length of the vectors",
    "steps": "steps",
    "global_units": "units shared by all cells",
    "plane_units": "units shared by the cells of each plane",
    "context_turns": "earlier turns read",
    "map_answers": "answers are mapped too",
}
_TAGS = ["dialogue", "response-selection", "question-answering", "embeddings"]


def model_card(folder: ModelFolder, repo_id: str, results: Results, index: Mapping[str, Any] | None = None) -> str:
    """Return the text of `README.md`.

    Args:
        folder: The checked folder. The card says that facts without a record are unknown.
        repo_id: Repository that the examples of the card load, `org/name`.
        results: Entries of `read_results`; may be empty.
        index: Record of the answer index that is pushed with the model.
    """
    import jinja2

    config, training = folder.config, folder.training
    arguments = training.get("arguments") or {}
    record = training.get("data") or config.get("training") or {}
    teacher = {key: value for key, value in _teacher(folder).items() if value not in (None, "", [])}
    data = arguments.get("data")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=_metadata(folder, repo_id, results),
        kind=folder.kind,
        name=repo_id.split("/")[-1],
        repo_id=repo_id,
        lattice=" x ".join(map(str, config.get("lattice_size") or [])),
        dimension=config.get("embedding_dim", "LENGTH"),
        shape=_shape(folder),
        teacher=teacher,
        teacher_repo=_teacher_repo(teacher),
        pairs=record.get("pairs"),
        data=data,
        data_repo=hub_repo(data),
        fingerprint=str(record.get("fingerprint") or record.get("data_fingerprint"))[:16],
        sources=_licenses(record),
        share_alike=[
            n
            for n, names in _licenses(record).items()
            if any(get_license(x).share_alike for x in names.removeprefix("among ").split(", "))
        ],
        license=LICENSE,
        footprint=Footprint.of(training),
        arguments={key: value for key, value in arguments.items() if value is not None},
        turn_separator=training.get("turn_separator"),
        results=list(tables(results)),
        validation=_validation(training),
        index=index,
    )


def _shape(folder: ModelFolder) -> dict[str, Any]:
    config = folder.config
    lattice = " x ".join(map(str, config.get("lattice_size") or []))
    shape = {"lattice": lattice} | {label: config.get(key) for key, label in _SHAPE.items()}
    if folder.kind == "embedder":
        shape = {"length of the vectors": (folder.training.get("base") or {}).get("dimension")}
    elif "map_answers" in config:
        shape[_SHAPE["map_answers"]] = "yes" if config["map_answers"] else "no"
    shape["parameters"] = f"{folder.parameters:,}"
    return {label: value for label, value in shape.items() if value not in (None, "")}


def _teacher(folder: ModelFolder) -> dict[str, Any]:
    """Return the record of the teacher of a core, or of the base of an embedder."""
    if folder.kind == "embedder":
        return dict(folder.training.get("base") or {})
    return dict(folder.config.get("teacher") or folder.training.get("teacher") or {})


def _metadata(folder: ModelFolder, repo_id: str, results: Results) -> str:
    from huggingface_hub import ModelCardData

    record, arguments = folder.training.get("data") or {}, folder.training.get("arguments") or {}
    data = hub_repo(arguments.get("data"))
    core = folder.kind == "core"
    base = _teacher_repo(_teacher(folder))
    footprint = Footprint.of(folder.training)
    emissions = footprint and {
        "emissions": round(footprint.grams, 3),
        "source": f"estimate: {footprint.assumption}",
        "training_type": "fine-tuning" if folder.kind == "embedder" else "training",
        "hardware_used": footprint.hardware,
    }
    return ModelCardData(
        library_name="transformers" if core else "sentence-transformers",
        pipeline_tag="feature-extraction" if core else "sentence-similarity",
        license=LICENSE if core else None,  # the others contain an encoder with its own licence
        tags=(["cube"] if folder.kind != "embedder" else []) + ([] if core else ["sentence-transformers"]) + _TAGS,
        language=sorted({str(tag).split("-")[0] for tag in record.get("languages") or []} - {"und"}) or None,
        datasets=[data] if data else None,
        base_model=base,
        base_model_relation="finetune" if base and folder.kind == "embedder" else None,
        model_name=repo_id.split("/")[-1],
        eval_results=model_index(results, data) or None,
        co2_eq_emissions=emissions,
    ).to_yaml()


def _teacher_repo(teacher: Mapping[str, Any]) -> str | None:
    from cube_model.teacher.find import KNOWN_TEACHERS

    name = str(teacher.get("name", ""))
    known_teacher = KNOWN_TEACHERS.get(name)
    return hub_repo(teacher.get("repo")) or (known_teacher.repo if known_teacher else hub_repo(name))


def hub_repo(name: str | None) -> str | None:
    """Return the name if it can be that of a Hub repository; paths of folders were cut to one part before."""
    return name if name and re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def _licenses(record: Mapping[str, Any]) -> dict[str, str]:
    """Return source -> licences, from the record of the training or else from the builder of the source."""
    recorded = record.get("licenses") or {}
    by_source = recorded if isinstance(recorded, dict) else {}  # an embedder has one list for all sources
    licenses = {}
    for name in record.get("sources") or []:
        try:
            licenses[name] = by_source.get(name) or get_builder(name).INFO.license
        except DataError:  # the user's own data
            together = recorded if isinstance(recorded, list) else []
            licenses[name] = f"among {', '.join(together)}" if together else "not recorded"
    return {name: license if isinstance(license, str) else ", ".join(license) for name, license in licenses.items()}


def _validation(training: Mapping[str, Any]) -> dict[str, Any] | None:
    history, best = training.get("history") or [], training.get("best_epoch")
    if not history or best is None:
        return None
    metrics = [
        f"{label} {history[0][key]:.3f} -> {history[best][key]:.3f}"
        for key, label in METRICS.items()
        if key in history[0] and key in history[best]
    ]
    return {"epoch": best, "metrics": metrics} if metrics else None
