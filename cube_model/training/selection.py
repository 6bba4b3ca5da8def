"""What selects the epochs of a training, validation pairs or a cross-validation, in words and in `training.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cube_model.data.training_data import TrainingData
from cube_model.training.config import TrainingConfig
from cube_model.training.cross_validation import Choice
from cube_model.training.folds import divide, groups_of
from cube_model.training.small_data import FEW_PAIRS, LARGEST_HALF_WIDTH, interval_of, least_pairs

_NAMES = {"left_out_mrr": "MRR", "mean_cosine_to_teacher": "mean cosine"}


@dataclass
class Selection:
    """What selects the epochs.

    Attributes:
        method: `split` or `k-fold`.
        pairs: Number of validation pairs.
        answers: Number of distinct answers among them.
        half_width: Half width of the 95 % interval of an accuracy over them, see `small_data`.
        needed: Number of validation pairs that could judge, with the answers of all pairs.
        total: Number of training and validation pairs.
        choice: Result of the cross-validation; None with `split`, and before it is done.
    """

    method: Literal["split", "k-fold"]
    pairs: int
    answers: int
    half_width: float
    needed: int
    total: int
    choice: Choice | None = None

    @classmethod
    def of(cls, config: TrainingConfig, data: TrainingData) -> Selection:
        """Decide for a configuration and its data; pairs that cannot be divided without leaks need `split`."""
        validation = data.validation
        total = data.pairs + len(validation)
        half_width = interval_of(validation)
        method = config.validation
        if config.streaming:
            method = "split"
        if method == "auto":
            method = "k-fold" if half_width > LARGEST_HALF_WIDTH and total <= FEW_PAIRS else "split"
        if method == "k-fold":
            joined = data.joined()
            if not divide(groups_of(joined.train, joined.train_vectors), config.seed).any():
                method = "split"
        answers = np.unique(np.concatenate([data.train.labels, validation.labels]))
        of_validation = len(np.unique(validation.labels))
        return cls(method, len(validation), of_validation, half_width, least_pairs(len(answers)), total)

    @property
    def too_few(self) -> bool:
        """Whether the validation pairs are too few to judge."""
        return self.half_width > LARGEST_HALF_WIDTH

    def notice(self) -> str:
        """Say that the validation pairs are too few, what is done, and what to do."""
        pairs = f"{self.pairs:,} validation pair{'' if self.pairs == 1 else 's'}"
        few = (
            f"{pairs} with {self.answers:,} distinct answer{'' if self.answers == 1 else 's'} cannot judge a training: "
            f"their accuracy is uncertain by ±{self.half_width:.2f}, and ±{LARGEST_HALF_WIDTH:.2f} takes "
            f"{self.needed:,} pairs"
        )
        more = "add data, or hold out more (`build` holds out a tenth of the dialogues, `validation_split` a share)"
        if self.method == "k-fold":
            return (
                f"{few}. Cross-validation over all {self.total:,} pairs selects the number of epochs instead, and the "
                f"core learns from all of them. For a validation of its own, {more}; --validation split makes do with "
                "what there is"
            )
        return (
            f"{few}; the selected epoch may be no better than others. To be sure, {more} or raise "
            "--max-validation-pairs; --validation k-fold takes five more trainings"
        )

    def outcome(self) -> str:
        """Say what the cross-validation has shown."""
        choice, name, before, after = self._figures()
        pairs = f"{self.total:,} pairs, each left out once ({choice.folds} folds)"
        if not choice.epochs:
            return (
                f"{pairs}: no training makes their answers likelier without ranking them lower than the encoder alone "
                f"({name} {before:.3f}), so the core stays the encoder alone; more pairs help, or several questions "
                "for each answer"
            )
        value, low, high = choice.difference
        share = "" if choice.share == 1 else f" and {choice.share:.0%} of the change of the weights"
        return (
            f"{pairs}: {name} {before:.3f} with the encoder alone, {after:.3f} with {choice.epochs} epochs{share}, "
            f"which make their answers likeliest; gain {value:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}"
        )

    def summary(self) -> str:
        """Say in a line what the training has come to."""
        choice, name, before, after = self._figures()
        if not choice.epochs:
            return f"the encoder alone, as no training is better on left-out pairs ({name} {before:.3f})"
        return (
            f"{choice.epochs} epochs on all {self.total:,} pairs, by {choice.folds}-fold cross-validation; {name} of "
            f"left-out pairs {before:.3f} (untrained) -> {after:.3f}"
        )

    def facts(self) -> dict[str, Any]:
        """Return what `training.json` records."""
        facts: dict[str, Any] = {
            "method": self.method,
            "pairs": self.pairs,
            "answers": self.answers,
            "half_width_95": round(self.half_width, 4),
            "needed_pairs": self.needed,
        }
        if self.too_few:
            facts["warning"] = self.notice()
        if self.choice is not None:
            value, low, high = self.choice.difference
            facts |= {
                "left_out_pairs": self.total,
                "folds": self.choice.folds,
                "epochs": self.choice.epochs,
                "share": self.choice.share,
                "metric": self.choice.metric,
                "gain": {"value": value, "ci95": [low, high]},
                "outcome": self.outcome(),
            }
        return facts

    def _figures(self) -> tuple[Choice, str, float, float]:
        """The choice, and its figure's name and values with the encoder alone and with the chosen epochs."""
        assert self.choice is not None, "only after a cross-validation"
        metric, history = self.choice.metric, self.choice.history
        return self.choice, _NAMES[metric], history[0][metric], history[-1][metric]
