"""Everything that a training run depends on, checked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from cube_model.errors import ModelError

_SAME_RUN_NOT_NEEDED = (
    "output",
    "tracker",
    "checkpoint_every",
    "overwrite",
    "resume",
    "cpu",
    "threads",
    "progress",
    "cache_dir",
)
"""Arguments that do not change the result."""


@dataclass
class TrainingConfig:
    """Everything a run depends on. Shape of the core: see `CubeConfig`.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        teacher: Short name, folder or Hub repository of the frozen encoder.
        output: Folder to make. It appears whole, at the end.
        sources: Corpora to train on; all when not given.
        max_pairs: At most so many training pairs (seeded choice).
        max_validation_pairs: At most so many validation pairs.
        context_turns: Earlier turns that the core reads.
        epochs: Passes over the training pairs; the best one by validation is kept.
        patience: Stop after so many epochs without a better one.
        batch_size: Pairs a batch and process; the other answers of the batch are the wrong ones.
        learning_rate: Highest value of the schedule (5 % warm-up, then half a cosine to zero).
        weight_decay: Of AdamW.
        seed: Of initialisation, order, noise and choices.
        global_units, plane_units, rule_channels, steps, noise, map_answers: See `CubeConfig`; its defaults when None.
        teacher_dtype: `"auto"`, `"float32"` or `"bfloat16"`.
        tracker: Where to log: `"none"`, `"tensorboard"`, `"trackio"`, `"wandb"`, `"mlflow"`, ... (Accelerate's names).
        checkpoint_every: Optimizer steps between checkpoints; one an epoch when 0.
        resume: Go on from the checkpoint of an interrupted run with the same arguments.
        overwrite: Replace an earlier output of ours, discard an earlier interrupted run.
        cpu: Use the processor even where there is a graphics card.
        threads: Processor threads of each process; 0: all cores, shared evenly (`accelerate launch` would give one).
        progress: Show progress bars.
        cache_dir: Folder of the embedding cache.
    """

    data: str
    output: str
    teacher: str = "minilm"
    sources: list[str] | None = None
    max_pairs: int | None = None
    max_validation_pairs: int = 10_000
    context_turns: int = 0
    epochs: int = 6
    patience: int = 3
    batch_size: int = 512
    learning_rate: float = 5e-3
    weight_decay: float = 0.01
    seed: int = 0
    global_units: int | None = None
    plane_units: int | None = None
    rule_channels: int | None = None
    steps: int | None = None
    noise: float | None = None
    map_answers: bool | None = None
    teacher_dtype: str = "auto"
    tracker: str = "none"
    checkpoint_every: int = 0
    resume: bool = False
    overwrite: bool = False
    cpu: bool = False
    threads: int = 0
    progress: bool = True
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        self.data, self.teacher, self.output = str(self.data), str(self.teacher), str(self.output)
        for name in ("epochs", "patience", "max_validation_pairs"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        _require("batch_size", self.batch_size, self.batch_size >= 2, "at least 2: answers are told from each other")
        _require("max_pairs", self.max_pairs, self.max_pairs is None or self.max_pairs >= 2, "at least 2")
        _require("context_turns", self.context_turns, self.context_turns >= 0, "0 or more")
        _require("checkpoint_every", self.checkpoint_every, self.checkpoint_every >= 0, "0 or more")
        _require("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0")

    def core(self) -> dict[str, Any]:
        """The arguments of `CubeConfig` that this run sets."""
        names = ("global_units", "plane_units", "rule_channels", "steps", "noise", "map_answers")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {"context_turns": self.context_turns, **chosen}

    def of_the_run(self) -> dict[str, Any]:
        """The arguments that decide the result: a resumed run must have the same."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in _SAME_RUN_NOT_NEEDED}


def _require(name: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ModelError(f"{name.replace('_', '-')} is {value}: expected {expected}")
