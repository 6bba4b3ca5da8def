"""The files of a head.

INTENTS/intents.json          labels, encoder and its fingerprint, thresholds, figures, versions; digests of both files
INTENTS/intents.safetensors   weights and bias of the labels, and the examples of each label
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.intents.linear import Linear
from cube_model.intents.scorer import Scorer, Settings
from cube_model.intents.validation import Validation
from cube_model.machine import versions
from dataset_builders.common.integrity import find_damage, xxh3
from dataset_builders.common.outputs import Output, OutputKind, write_json
from dataset_builders.common.reading import read_json

RECORD, WEIGHTS = "intents.json", "intents.safetensors"
_FORMAT = 1
_ADVICE = "train the intents again with `dialogue-cube train-intents`"
_NUMBER = (int, float)
_SHAPE = {
    "format!": int,
    "labels!": [str],
    "added!": [str],
    "is_multi!": bool,
    "encoder!": dict,
    "data!": dict,
    "temperature!": _NUMBER,
    "scope_weight!": _NUMBER,
    "scope_threshold!": _NUMBER,
    "label_threshold!": _NUMBER,
    "seed!": int,
    "settings!": {"strength!": _NUMBER, "neighbours!": _NUMBER, "names!": bool},
    "validation!": {
        "figures!": {"*": _NUMBER},
        "rows!": int,
        "folds!": int,
        "settings!": dict,
        "labels!": {"*": {"examples!": int}},
        "confusions!": list,
    },
    "digests!": {WEIGHTS + "!": str},
    "digest": str,
}

INTENTS = OutputKind(
    "`dialogue-cube train-intents`",
    "--out",
    lambda folder: (folder / RECORD).is_file(),
    (RECORD, WEIGHTS),
    error=ModelError,
)
"""Existing folders that a head may replace."""


@dataclass(frozen=True)
class HeadParts:
    """What the files hold: the arguments of `IntentHead`, which describes them."""

    labels: list[str]
    scorer: Scorer
    is_multi: bool
    temperature: float
    scope_weight: float
    scope_threshold: float
    label_threshold: float
    validation: Validation
    encoder: dict[str, Any]
    data: dict[str, Any]
    added: list[str]
    seed: int


def save_head(head: HeadParts, folder: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Write a head to a folder of its own; see `IntentHead.save`."""
    with Output(folder, INTENTS, overwrite=overwrite).claimed() as output:
        try:
            output.new.mkdir()
            write_head(head, output.new)
            output.put()
        except OSError as error:
            raise ModelError(f"{output.place}: cannot be written ({error.strerror or error})") from error


def write_head(head: HeadParts, folder: Path) -> None:
    """Write the files of a head into an existing folder; equal heads give equal bytes."""
    from safetensors.numpy import save_file

    scorer = head.scorer
    tensors = {
        "weights": scorer.linear.weights,
        "bias": scorer.linear.bias,
        "examples": scorer.examples,
        "starts": scorer.starts,
    }
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / WEIGHTS)
    record = {
        "format": _FORMAT,
        "labels": head.labels,
        "added": head.added,
        "is_multi": head.is_multi,
        "encoder": head.encoder,
        "data": head.data,
        "temperature": head.temperature,
        "scope_weight": head.scope_weight,
        "scope_threshold": head.scope_threshold,
        "label_threshold": head.label_threshold,
        "seed": head.seed,
        "settings": asdict(scorer.settings),
        "validation": asdict(head.validation),
        "versions": versions(),
        "digests": {WEIGHTS: xxh3(folder / WEIGHTS)},
    }
    write_json(folder / RECORD, record | {"digest": _digest(record)})


def read_head(folder: str | os.PathLike[str]) -> HeadParts:
    """Read a head; see `IntentHead.load`."""
    from safetensors.numpy import load_file

    root = Path(folder).expanduser()
    if not (root / RECORD).is_file():
        raise ModelError(f"{root}: no intents; train them with `dialogue-cube train-intents --out {root}`")
    record: dict[str, Any] = read_json(root / RECORD, _ADVICE, _SHAPE, error=ModelError)
    if record["format"] != _FORMAT:
        raise ModelError(f"{root}: intents of format {record['format']}, but this version reads {_FORMAT}; {_ADVICE}")
    if "digest" in record and record.pop("digest") != _digest(record):
        raise ModelError(f"{root / RECORD}: damaged or changed since the intents were written; {_ADVICE}")
    if damage := find_damage(root, record["digests"], xxh3):
        raise ModelError(f"{root / damage[0]}: {damage[1]} since the intents were written; {_ADVICE}")
    try:
        tensors = load_file(root / WEIGHTS)
        scorer = Scorer(
            Linear(tensors["weights"], tensors["bias"]),
            tensors["examples"],
            tensors["starts"],
            Settings(**record["settings"]),
        )
        _check_shapes(scorer, len(record["labels"]))
        facts = record["validation"]
        confusions = [(str(true), str(other), int(count)) for true, other, count in facts["confusions"]]
        validation = Validation(**facts | {"confusions": confusions})
    except Exception as error:  # safetensors, numpy and the record raise half a dozen types
        raise ModelError(f"{root}: the intents are damaged ({error}); {_ADVICE}") from error
    return HeadParts(
        labels=record["labels"],
        scorer=scorer,
        is_multi=record["is_multi"],
        temperature=record["temperature"],
        scope_weight=record["scope_weight"],
        scope_threshold=record["scope_threshold"],
        label_threshold=record["label_threshold"],
        validation=validation,
        encoder=record["encoder"],
        data=record["data"],
        added=record["added"],
        seed=record["seed"],
    )


def _digest(record: dict[str, Any]) -> str:
    """Digest of a record: a flipped bit in it could be another label or threshold."""
    from xxhash import xxh3_128

    return str(xxh3_128(json.dumps(record, sort_keys=True).encode()).hexdigest())


def _check_shapes(scorer: Scorer, labels: int) -> None:
    weights, examples, starts = scorer.linear.weights, scorer.examples, scorer.starts
    fits = (
        weights.ndim == examples.ndim == 2
        and len(weights) == len(scorer.linear.bias) == len(starts) == labels
        and weights.shape[1] == examples.shape[1]
        and starts[0] == 0
        and (np.diff(np.append(starts, len(examples))) > 0).all()
    )
    if not fits:
        raise ValueError(f"{labels} labels, but weights {list(weights.shape)} and {len(examples)} examples")
