"""Everything that a fine-tuning of the dialogue embedder depends on, checked."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any

from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER

_SAME_RUN_NOT_NEEDED = ("output", "checkpoint_every", "overwrite", "resume", "device", "threads", "progress")
"""Arguments that do not change the result."""

DIRECTIONS = {
    "user-system": (("user", "system"),),
    "system-user": (("system", "user"),),
    "both": (("user", "system"), ("system", "user")),
}
"""Speakers of anchor and positive; user-system pairs are the question -> answer pairs."""

SCHEDULERS = ("linear", "cosine", "constant_with_warmup")
MIXED_PRECISIONS = ("auto", "bf16", "no")


@dataclass
class EmbedderConfig:
    """A run of `cube_model.embedder`.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository; its train split is read.
        output: Folder to make; it appears whole, at the end.
        base: Text encoder to start from: short name of a teacher, folder or Hub repository.
        revision: Commit, tag or branch of a Hub base.
        sources: Corpora whose dialogues to train on; all when not given.
        direction: A key of `DIRECTIONS`.
        max_pairs: At most so many pairs of each direction, and of intent positives (seeded choice).
        context_turns: Earlier turns put after the anchor, most recent first (see `joined_turns`).
        intent_positives: Also train on the pairs of type `same_intent` of the data, of all sources.
        hard_negatives: Mined wrong answers of each pair to use; a pair with fewer gets random answers instead.
        epochs: Passes over the pairs.
        max_steps: Optimizer steps to stop after, whatever the epochs; the schedule ends there.
        batch_size: Pairs a batch and process; all processes' answers are each other's wrong ones.
        mini_batch_size: Pairs computed at a time; a larger batch is computed in such parts (gradient caching), which
            bounds the memory, changes no gradient, and costs a second forward pass.
        learning_rate: Highest value of the schedule.
        scheduler: `"linear"` or `"cosine"` to zero, or `"constant_with_warmup"`.
        warmup: Share of the steps that the learning rate rises for.
        weight_decay: Of AdamW.
        scale: Factor on the cosine in the loss: one over the temperature.
        symmetric: Also tell questions of an answer from each other, not only answers of a question.
        max_length: Tokens read of a text in training; None: what 99 % of the texts fit in. The saved encoder reads as
            many as the base did.
        train_embeddings: Train the token embeddings too: half the weights of a small encoder.
        dropout: Share of the activations zeroed in training, in place of the base's own; 0 costs least, and a pass or
            two over pairs that all differ has little to overfit.
        mixed_precision: `"bf16"`, `"no"`, or `"auto"`: bf16 where the processor or card computes in it natively.
        seed: Of order, dropout and choices.
        checkpoint_every: Optimizer steps between checkpoints.
        resume: Go on from the checkpoint of an interrupted run with the same arguments.
        overwrite: Replace an earlier output of ours; without `resume` discard an interrupted run.
        device: `"auto"` (a graphics card where there is one) or `"cpu"`.
        threads: Processor threads of each process; 0: all cores, shared evenly.
        progress: Show a progress bar.

    Raises:
        ModelError: A value makes no sense; the message names it.
    """

    data: str
    output: str
    base: str = DEFAULT_TEACHER
    revision: str | None = None
    sources: list[str] | None = None
    direction: str = "user-system"
    max_pairs: int | None = None
    context_turns: int = 0
    intent_positives: bool = False
    hard_negatives: int = 0
    epochs: int = 1
    max_steps: int | None = None
    batch_size: int = 128
    mini_batch_size: int = 256
    learning_rate: float = 2e-4
    scheduler: str = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    scale: float = 20.0
    symmetric: bool = True
    max_length: int | None = None
    train_embeddings: bool = True
    dropout: float = 0.0
    mixed_precision: str = "auto"
    seed: int = 0
    checkpoint_every: int = 200
    resume: bool = False
    overwrite: bool = False
    device: str = "auto"
    threads: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        self.data, self.output, self.base = (os.fspath(path) for path in (self.data, self.output, self.base))
        choices: dict[str, Any] = {"direction": DIRECTIONS, "scheduler": SCHEDULERS}
        choices |= {"mixed_precision": MIXED_PRECISIONS, "device": ("auto", "cpu")}
        for name, known in choices.items():
            value = getattr(self, name)
            _require(name, value, value in known, f"one of {', '.join(known)}")
        least = {"batch_size": 2, "mini_batch_size": 1, "epochs": 1, "max_steps": 1, "max_pairs": 2, "max_length": 4}
        least |= {"context_turns": 0, "hard_negatives": 0, "checkpoint_every": 1, "threads": 0, "seed": 0}
        for name, low in least.items():
            value = getattr(self, name)
            _require(name, value, value is None or value >= low, f"at least {low}")
        for name in ("learning_rate", "scale"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        _require("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more")
        _require("warmup", self.warmup, 0 <= self.warmup < 1, "0 to below 1, a share of the steps")
        _require("dropout", self.dropout, 0 <= self.dropout < 1, "0 to below 1")

    def of_the_run(self) -> dict[str, Any]:
        """The arguments that decide the result: a resumed run must have the same."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in _SAME_RUN_NOT_NEEDED}


def _require(name: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ModelError(f"{name.replace('_', '-')} is {value}: expected {expected}")
