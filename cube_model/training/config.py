"""Everything that a training run depends on, checked."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER

_SAME_RUN_NOT_NEEDED = (
    "output",
    "tracker",
    "checkpoint_every",
    "overwrite",
    "resume",
    "device",
    "threads",
    "progress",
    "cache_dir",
)
"""Arguments that do not change the result."""

MODES = ("dialogue", "autoencoder")
SCHEDULERS = ("cosine", "linear", "constant_with_warmup")
MIXED_PRECISIONS = (None, "no", "bf16")


@dataclass
class TrainingConfig:
    """Everything a run depends on. Shape of the core: see `CubeConfig`, whose defaults hold where None stands here.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository; not needed when `CubeTrainer.train` is
            given a dataset.
        output: Folder to make. It appears whole, at the end. None: the weights stay in `CubeTrainer.model`, nothing
            is written.
        mode: `"dialogue"`: question to answer; `"autoencoder"`: a vector through a short code and back.
        teacher: Short name, folder or Hub repository of the frozen encoder.
        sources: Corpora to train on; all when not given.
        max_pairs: At most so many training pairs (seeded choice).
        max_validation_pairs: At most so many validation pairs.
        context_turns: Earlier turns that the core reads; None: as many as a given dataset holds, 0 with `data`.
        hard_negatives: At most so many mined wrong answers of each pair (column `negatives`).
        epochs: Passes over the training pairs; None: 12, and more where that is under 200 optimizer steps (few
            pairs). The best pass by validation is kept.
        patience: Stop after so many epochs without a better one; None: a quarter of the epochs.
        batch_size: Pairs a batch and process; the answers of all processes' batches are each other's wrong ones.
            None: 512, less where there are few pairs.
        gradient_accumulation: Batches an optimizer step. It adds up gradients, not wrong answers: for more of those
            raise `batch_size`.
        learning_rate: Highest value of the schedule (5 % warm-up); None: 5e-3, and 1e-3 with fewer than 10,000 pairs.
        scheduler: `"cosine"` or `"linear"` to zero, or `"constant_with_warmup"`.
        weight_decay: Of AdamW, on matrices.
        mixed_precision: `"bf16"` or `"no"`; None: what `accelerate launch` was told, else no.
        cosine_weight: Share of the loss that is 1 - cosine to the teacher's answer vector; the rest is contrastive.
        temperature: Factor on the cosine in the contrastive loss before training; it is learned.
        noise: Length of the Gaussian noise put on vectors of length 1 while training; None: 0.3, for an autoencoder 0.
        seed: Of initialisation, order, noise and choices.
        embedding_dim: Length of the vectors; the teacher's when None.
        lattice_size, cell_channels, steps, global_units, plane_units, map_answers, code_size: See `CubeConfig`.
        teacher_dtype: `"auto"`, `"float32"` or `"bfloat16"`.
        tracker: Where to log: `"none"`, `"tensorboard"`, `"trackio"`, `"wandb"`, `"mlflow"`, ... (Accelerate's names).
        checkpoint_every: Optimizer steps between checkpoints; one an epoch when 0.
        resume: Go on from the checkpoint of an interrupted run with the same arguments.
        overwrite: Replace an earlier output of ours; without `resume` discard an interrupted run.
        device: `"auto"` (a graphics card where there is one), `"cpu"`, or the kind that must be there: `"cuda"`, ...
        threads: Processor threads of each process; 0: all cores, shared evenly (`accelerate launch` would give one).
        progress: Show progress bars.
        cache_dir: Folder of the embedding cache.

    Raises:
        ModelError: A value makes no sense; the message names it.
    """

    data: str | None = None
    output: str | None = None
    mode: str = "dialogue"
    teacher: str = DEFAULT_TEACHER
    sources: list[str] | None = None
    max_pairs: int | None = None
    max_validation_pairs: int = 10_000
    context_turns: int | None = None
    hard_negatives: int = 0
    epochs: int | None = None
    patience: int | None = None
    batch_size: int | None = None
    gradient_accumulation: int = 1
    learning_rate: float | None = None
    scheduler: str = "cosine"
    weight_decay: float = 0.01
    mixed_precision: str | None = None
    cosine_weight: float = 0.0
    temperature: float = 20.0
    noise: float | None = None
    seed: int = 0
    embedding_dim: int | None = None
    lattice_size: list[int] | None = None
    cell_channels: int | None = None
    steps: int | None = None
    global_units: int | None = None
    plane_units: int | None = None
    map_answers: bool | None = None
    code_size: int | None = None
    teacher_dtype: str = "auto"
    tracker: str = "none"
    checkpoint_every: int = 0
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    threads: int = 0
    progress: bool = True
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        for name in ("data", "output", "cache_dir"):
            if getattr(self, name) is not None:
                setattr(self, name, os.fspath(getattr(self, name)))
        self.teacher = os.fspath(self.teacher)
        if self.mode == "generator":
            raise ModelError(
                'mode "generator" is a way to use a trained core: train mode "dialogue", then '
                'EmbeddingProcessor(model, mode="generator")'
            )
        for name, known in (("mode", MODES), ("scheduler", SCHEDULERS), ("mixed_precision", MIXED_PRECISIONS)):
            value = getattr(self, name)
            _require(name, value, value in known, f"one of {', '.join(str(one) for one in known)}")
        least = {"patience": 1, "max_validation_pairs": 1, "gradient_accumulation": 1, "epochs": 1, "max_pairs": 2}
        least |= {"context_turns": 0, "checkpoint_every": 0, "hard_negatives": 0}
        for name, low in least.items():
            value = getattr(self, name)
            _require(name, value, value is None or value >= low, f"at least {low}")
        size = self.batch_size
        _require("batch_size", size, size is None or size >= 2, "at least 2: answers are told from each other")
        for name in ("learning_rate", "temperature"):
            value = getattr(self, name)
            _require(name, value, value is None or value > 0, "above 0")
        if self.noise is None:
            self.noise = 0.0 if self.mode == "autoencoder" else 0.3
        _require("noise", self.noise, self.noise >= 0, "0 or more")
        _require("cosine_weight", self.cosine_weight, 0 <= self.cosine_weight <= 1, "0 to 1")
        if self.cosine_weight == 1 and self.map_answers:
            raise ModelError("cosine-weight is 1: nothing would teach the answer side; lower it or pass --keep-answers")
        if self.output is None and (self.resume or self.overwrite):
            raise ModelError("resume and overwrite need an output folder")

    def core(self) -> dict[str, Any]:
        """The arguments of `CubeConfig` that this run sets, but for the dimension and the turns."""
        names = ("lattice_size", "cell_channels", "steps", "global_units", "plane_units", "map_answers", "code_size")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.cosine_weight == 1:
            chosen["map_answers"] = False
        return {"mode": self.mode, **chosen}

    def of_the_run(self) -> dict[str, Any]:
        """The arguments that decide the result: a resumed run must have the same."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in _SAME_RUN_NOT_NEEDED}


def _require(name: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ModelError(f"{name.replace('_', '-')} is {value}: expected {expected}")
