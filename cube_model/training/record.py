"""What `training.json` records of the training of a core: all that the result depends on, and how it went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cube_model.data.training_data import TrainingData
from cube_model.machine import versions
from cube_model.training.config import TrainingConfig
from cube_model.training.example import example_of
from cube_model.training.output import recorded_arguments
from cube_model.training.progress import Progress
from cube_model.training.selection import Selection
from cube_model.training.validation import selection_metric

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel


def training_record(
    config: TrainingConfig,
    model: CubeModel,
    data: TrainingData,
    *,
    progress: Progress,
    selection: Selection | None,
    further: Mapping[str, Any],
    ran_on: dict[str, Any],
) -> dict[str, Any]:
    """Return the content of `training.json`.

    Args:
        config: Training configuration.
        model: Trained core.
        data: Pairs and embeddings that it has learned from.
        progress: Progress of the training.
        selection: What selected the epochs.
        further: Arguments of `transformers.TrainingArguments` that the configuration does not set.
        ran_on: Hardware, see `cube_model.machine.hardware`.
    """
    licenses: dict[str, list[str]] = {}
    for source, license in sorted({(source, license) for source, license, _ in data.origins}):
        licenses.setdefault(source, []).append(license)
    arguments = recorded_arguments(
        config,
        data=data.location.get("repo") or data.location.get("folder"),
        teacher=data.teacher.get("name"),
    )
    return {
        "format": 2,
        "arguments": arguments | ({"training_arguments": dict(further)} if further else {}),
        "data": {
            **data.location,
            "fingerprint": data.train.fingerprint,
            "pairs": data.pairs,
            "sources": sorted({source for source, *_ in data.origins}),
            "licenses": licenses,
            "languages": sorted({language for *_, language in data.origins}),
            "validation_fingerprint": data.validation.fingerprint,
            "validation_pairs": len(data.validation),
        },
        "teacher": data.teacher,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "chosen_by": selection_metric(config.mode, config.cosine_weight),
        "best_epoch": progress.best_epoch,
        "history": progress.history,
        "validation": None if selection is None else selection.facts(),
        "example": example_of(model, data),
        "seconds": round(progress.seconds, 1),
        "versions": versions(),
        "hardware": ran_on,
    }
