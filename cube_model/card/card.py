"""The card of a model: the template `model_card.md` of the top level, filled with what its training recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cube_model.card.footprint import Footprint
from cube_model.card.licenses import is_share_alike, licenses_by_source, restricted_data
from cube_model.card.results import METRICS, Results, model_index, tables
from cube_model.teacher.find import KNOWN_TEACHERS

TEMPLATE = Path(__file__).with_name("model_card.md")  # a link to the top level's file; in a wheel, a file
LICENSE = "apache-2.0"
DATA_TERMS = "terms-of-the-training-data"
"""Name of the licence of weights from data that may not be redistributed."""

_SHAPE = {
    "embedding_dim": "length of the vectors",
    "code_size": "length of the code",
    "steps": "steps",
    "global_units": "units shared by all cells",
    "plane_units": "units shared by the cells of each plane",
    "context_turns": "earlier turns read",
    "map_answers": "answers are mapped too",
}
_TEACHER = ("revision", "dimension", "pooling", "prefix", "max_length", "dtype")
"""Entries of a teacher that its users need; `config.json` has all of them."""

_SETTINGS = (
    *("direction", "epochs", "max_steps", "batch_size", "learning_rate", "scheduler", "temperature", "scale", "noise"),
    *("cosine_weight", "context_turns", "hard_negatives", "intent_positives", "max_pairs", "mixed_precision", "seed"),
)
"""Settings that shape a training most; `training.json` has all of them."""

_TAGS = ["dialogue", "response-selection", "question-answering", "embeddings"]


@dataclass(frozen=True)
class ModelFacts:
    """What a card says about a model.

    Attributes:
        kind: A core; an embedder, which sentence-transformers opens without further code; or an export, a core with its
            teacher, which sentence-transformers opens with the code of the folder.
        config: Content of the core's `config.json`; of an embedder, that of the encoder.
        training: Content of `training.json`; empty if there is none.
        parameters: Number of parameters; of an export, those of its core.
        size: Bytes of the weights.
        reads_text: Whether sentence-transformers opens the folder. Cores of version 0.1 read embeddings only.
    """

    kind: Literal["core", "embedder", "export"]
    config: dict[str, Any]
    training: dict[str, Any]
    parameters: int
    size: int
    reads_text: bool


def model_card(
    facts: ModelFacts,
    name: str,
    results: Results = (),
    *,
    index: Mapping[str, Any] | None = None,
    revision: str | None = None,
) -> str:
    """Return the text of `README.md`.

    Args:
        facts: The model. The card says that facts without a record are unknown.
        name: What the examples of the card load: a repository, `org/name`, or the name of a folder.
        results: Entries of an evaluation's JSON, each with a key `own`; may be empty.
        index: Record of the answer index that is published with the model.
        revision: Tag of this version, which the examples pin.
    """
    import jinja2

    config, training = facts.config, facts.training
    record = data_record(facts)
    teacher = _teacher(facts)
    sources = licenses_by_source(record)
    arguments = training.get("arguments") or {}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        metadata=_metadata(facts, name, results),
        kind=facts.kind,
        mode=config.get("mode", "dialogue"),
        reads_text=facts.reads_text,
        name=name.split("/")[-1],
        repo_id=name,
        published="/" in name,
        revision=revision,
        lattice=" x ".join(map(str, config.get("lattice_size") or [])),
        context_turns=config.get("context_turns") or 0,
        composer=config.get("composer"),
        composer_trained=_composer_trained(training),
        shape=_shape(facts),
        teacher_name=_teacher_repo(teacher) or teacher.get("name"),
        teacher_repo=_teacher_repo(teacher),
        teacher={key: teacher[key] for key in _TEACHER if teacher.get(key) not in (None, "", [])},
        pairs=record.get("pairs"),
        left_out=record.get("left_out"),
        data=data_name(facts),
        data_repo=record.get("repo"),
        data_revision=record.get("revision"),
        fingerprint=str(record.get("fingerprint") or record.get("data_fingerprint"))[:16],
        sources=sources,
        share_alike=[source for source, licenses in sources.items() if is_share_alike(licenses)],
        restricted=restricted_data(record),
        license=LICENSE,
        footprint=Footprint.of(training),
        settings={key: arguments[key] for key in _SETTINGS if _matters(key, arguments.get(key))},
        context_arguments=arguments.get("context_turns"),
        turn_separator=training.get("turn_separator"),
        example=_example(training.get("example")),
        results=list(tables(results)),
        validation=_validation(training),
        cross_validated="outcome" in (training.get("validation") or {}),
        index=index,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _composer_trained(training: dict[str, Any]) -> str:
    """How the composer of an encoder of turns was trained, in words."""
    alone, together = training.get("composer_steps"), training.get("steps")
    if alone and not together:
        return "alone, and the encoder is the base as it was"
    return "alone first, then together with the encoder" if alone else "together with the encoder"


def data_record(facts: ModelFacts) -> dict[str, Any]:
    """Return what is recorded about the training data; of an export without `training.json`, its core's own record."""
    return dict(facts.training.get("data") or facts.config.get("training") or {})


def data_name(facts: ModelFacts) -> str | None:
    """Return the name of the dataset: a repository or, of a local folder, the last part of its path."""
    record, arguments = data_record(facts), facts.training.get("arguments") or {}
    name = record.get("repo") or record.get("folder") or arguments.get("data")
    return str(name) if name else None


def _shape(facts: ModelFacts) -> dict[str, Any]:
    config = facts.config
    if facts.kind == "embedder":
        shape: dict[str, Any] = {"length of the vectors": (facts.training.get("base") or {}).get("dimension")}
    else:
        lattice = " x ".join(map(str, config.get("lattice_size") or []))
        shape = {"lattice": lattice} | {label: config.get(key) for key, label in _SHAPE.items()}
        if "map_answers" in config:
            shape[_SHAPE["map_answers"]] = "yes" if config["map_answers"] else "no"
    shape["parameters"] = f"{facts.parameters:,}"
    shape["weights"] = f"{facts.size / 1e6:,.1f} MB" if facts.size >= 1e5 else f"{facts.size / 1e3:,.1f} kB"
    return {label: value for label, value in shape.items() if value not in (None, "")}


def _teacher(facts: ModelFacts) -> dict[str, Any]:
    """Return the record of the teacher of a core, or of the base of an embedder."""
    if facts.kind == "embedder":
        return dict(facts.training.get("base") or {})
    return dict(facts.config.get("teacher") or facts.training.get("teacher") or {})


def _teacher_repo(teacher: Mapping[str, Any]) -> str | None:
    """Return the repository of a teacher; the name of a local folder has no slash."""
    name = str(teacher.get("name") or "")
    known_teacher = KNOWN_TEACHERS.get(name)
    return teacher.get("repo") or (known_teacher.repo if known_teacher else name if "/" in name else None)


def _metadata(facts: ModelFacts, name: str, results: Results) -> str:
    from huggingface_hub import ModelCardData

    record = data_record(facts)
    data = record.get("repo")
    core = facts.kind == "core"
    base = _teacher_repo(_teacher(facts))
    footprint = Footprint.of(facts.training)
    emissions = footprint and {
        "emissions": round(footprint.grams, 3),
        "source": f"estimate: {footprint.assumption}",
        "training_type": "fine-tuning" if facts.kind == "embedder" else "training",
        "hardware_used": footprint.hardware,
    }
    text_tags = ["sentence-transformers"] if facts.reads_text else []
    return ModelCardData(
        library_name="sentence-transformers" if facts.reads_text else "transformers",
        pipeline_tag="feature-extraction" if core else "sentence-similarity",
        # embedders and exports contain an encoder with its own licence
        license="other" if restricted_data(record) else LICENSE if core else None,
        license_name=DATA_TERMS if restricted_data(record) else None,
        tags=(["cube"] if facts.kind != "embedder" else []) + text_tags + _TAGS,
        language=sorted({str(tag).split("-")[0] for tag in record.get("languages") or []} - {"und"}) or None,
        datasets=[data] if data else None,
        base_model=base,
        base_model_relation="finetune" if base and facts.kind == "embedder" else None,
        model_name=name.split("/")[-1],
        eval_results=model_index(results, data, record.get("revision")) or None,
        co2_eq_emissions=emissions,
    ).to_yaml()


def _matters(setting: str, value: Any) -> bool:
    return value not in (None, False, 0, "no") or (setting == "seed" and value == 0)


def _example(example: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a recorded example with each text on one line, so that it cannot end its block."""
    if not example:
        return None
    texts = {key: " ".join(str(example[key]).split()).replace("```", "'''") for key in ("question", "answer")}
    turns = [" ".join(str(turn).split()).replace("```", "'''") for turn in example.get("context") or []]
    return {**example, **texts, "context": turns}


def _validation(training: Mapping[str, Any]) -> str | None:
    """Say what selected the epochs: a cross-validation, or the figures of the validation pairs."""
    selection = training.get("validation") or {}
    if outcome := selection.get("outcome"):
        return f"Cross-validation selected the epochs: {outcome}."
    history, best = training.get("history") or [], training.get("best_epoch")
    metrics = [
        f"{label} {history[0][key]:.3f} -> {history[best][key]:.3f}"
        for key, label in METRICS.items()
        if history and best is not None and key in history[0] and key in history[best]
    ]
    if not metrics:
        return None
    text = (
        f"On the validation pairs, which selected the best epoch ({best}), untrained -> trained:\n{', '.join(metrics)}."
    )
    if "warning" in selection:
        text += f" The pairs are few: an accuracy over them is uncertain by ±{selection['half_width_95']:.2f}."
    return text
