"""Cross-validation: how many epochs to train, and how much of the change to keep, where validation pairs are few.

Every pair is left out once, judged by a core that has not seen its fold, against all distinct answers, and compared
with the encoder alone (an untrained core, epoch 0) on the same pair. Ranks are too coarse to tell epochs apart on few
pairs, so the likelihood of the true answer selects, among the epochs whose mean reciprocal rank is not below that of
the encoder alone.

Accuracy on pairs that neither training nor selection has seen, on minilm, with four questions for each answer (mean of
one to three samples): 20 pairs of nlp.js's corpus .78 by the encoder alone, .87 by a validation split of four pairs,
.99 by this; 60 pairs of Banking77 .73, .85, .91. With one question for each answer (ChatterBot's corpus) nothing is
gained or lost from 6 to 200 pairs.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.training_data import TrainingData
from cube_model.metrics.metrics import Draws, bootstrap_interval, gold_ranks, normalize, scores
from cube_model.training import schedule
from cube_model.training.config import TrainingConfig
from cube_model.training.folds import divide, groups_of
from cube_model.training.validation import Metrics, further_figures
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.progress import step_bar

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cube_model.core.modeling_cube import CubeModel

SHARES = (0.5, 1.0)
"""Shares of the way from the untrained to the trained weights that are compared."""

_SCORE = "score"
"""Name of the figure that selects."""

Key = tuple[int, float]
"""An epoch and a share."""


@dataclass(frozen=True)
class Choice:
    """Result of a cross-validation.

    Attributes:
        epochs: Number of epochs to train; 0: the encoder alone is as good.
        share: Share of the change of the weights to keep, see `SHARES`.
        folds: Number of folds.
        history: Figures of the left-out pairs after each epoch, at that share.
        metric: Figure that must not fall below that of the encoder alone.
        difference: Its gain over the encoder alone with the ends of its 95 % interval, paired, over groups.
        seconds: Duration.
    """

    epochs: int
    share: float
    folds: int
    history: list[dict[str, float]]
    metric: str
    difference: tuple[float, float, float]
    seconds: float

    def judge(self, core: CubeModel, epoch: int) -> dict[str, float]:
        """Return the figures of the left-out pairs after an epoch, whatever the core: it has seen these pairs."""
        return self.history[min(epoch, self.epochs)]


def cross_validate(
    config: TrainingConfig,
    data: TrainingData,
    new_core: Callable[[TrainingData], CubeModel],
    accelerator: Accelerator,
    *,
    turns: int,
    compute_metrics: Metrics | None = None,
    further: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> Choice:
    """Train once for each fold, and choose by the left-out pairs. Every process of a launch returns the same.

    Args:
        config: Training configuration.
        data: All pairs, as training pairs.
        new_core: Makes an untrained core for the training pairs of a fold.
        accelerator: Accelerator of the run.
        turns: Number of turns that the core reads, the question included.
        compute_metrics: Further figures, see `validate`; they are averaged over the folds.
        further: Arguments of `transformers.TrainingArguments` that the configuration does not set.
        progress: Show a progress bar.
    """
    from accelerate.utils import broadcast_object_list

    from cube_model.training.core_trainer import CoreTrainer

    started, table = time.monotonic(), data.train_vectors
    config = with_schedule(config, len(data.train), output=None, resume=False, overwrite=False, tracker="none")
    groups = groups_of(data.train, table)
    fold_of = divide(groups, config.seed)
    folds = int(fold_of.max()) + 1
    left_out = _LeftOut(config, data, turns, compute_metrics)
    with step_bar() if progress else nullcontext(_no_bar) as advance:
        for fold in range(folds):
            advance(f"cross-validation, {folds} folds", fold, folds)
            rest, rows = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            part = TrainingData(data.train.select(rest), table, data.train.select(rows), table, data.teacher)
            with temporary_folder() as folder:
                trainer = CoreTrainer(
                    config,
                    new_core(part),
                    part,
                    folder=folder,
                    accelerator=accelerator,
                    turns=turns,
                    judge=left_out.judge(rows),
                    further=further,
                )
                trainer.train()
    metric = "left_out_mrr" if left_out.retrieves else "mean_cosine_to_teacher"
    epochs, share = choose(left_out.gains(_SCORE), left_out.gains(metric))
    history = [left_out.figures((epoch, share if epoch else 1.0)) for epoch in range(epochs + 1)]
    difference = bootstrap_interval(left_out.gains(metric)[epochs, share], groups, seed=config.seed)
    choice = [Choice(epochs, share, folds, history, metric, difference, time.monotonic() - started)]
    broadcast_object_list(choice)  # processes on unlike hardware must agree
    return choice[0]


def with_schedule(config: TrainingConfig, pairs: int, **changes: Any) -> TrainingConfig:
    """Return a configuration for folds and for all pairs, so that an epoch means the same in both.

    Args:
        config: Training configuration.
        pairs: Number of all pairs.
        changes: Other fields to replace.
    """
    epochs = schedule.cross_validated_epochs(config, pairs)
    return dataclasses.replace(config, epochs=epochs, patience=epochs, **changes)


def choose(scores: dict[Key, np.ndarray], guards: dict[Key, np.ndarray]) -> Key:
    """Return the epoch and share with the highest score of those not worse than the encoder alone.

    Neighbouring epochs are nearly the same core, so the mean over an epoch and its neighbours counts.

    Args:
        scores: Gain in score of each of n left-out pairs over the encoder alone, float `[n]`, by epoch and share.
        guards: Gain in the figure that must not fall, in the same form.

    Returns:
        Epoch 0 with share 1, the encoder alone, if no epoch has a higher score.
    """
    epochs = [epoch for epoch, share in scores if share == 1 and epoch]
    best, highest = (0, 1.0), 0.0
    for share in SHARES:
        for epoch in epochs:
            near = [(other, share) for other in epochs if abs(other - epoch) <= 1]
            score, guard = (float(np.mean([table[key] for key in near])) for table in (scores, guards))
            if score > highest and min(guard, guards[epoch, share].mean()) >= 0:
                best, highest = (epoch, share), score
    return best


@dataclass
class _LeftOut:
    """Figures of each pair, by a core that has not seen it.

    Args:
        config: Training configuration.
        data: n pairs, as training pairs.
        turns: Number of turns that the core reads, the question included.
        compute_metrics: Further figures of a fold.

    Attributes:
        values: Figures by epoch and share: name -> float `[n]`.
    """

    config: TrainingConfig
    data: TrainingData
    turns: int
    compute_metrics: Metrics | None
    values: dict[Key, dict[str, np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pairs = self.data.train
        self.retrieves = self.config.mode != "autoencoder" and self.config.cosine_weight < 1
        _, self._first, self._gold = np.unique(pairs.labels, return_index=True, return_inverse=True)
        self._batches = Draws.of(len(pairs), draws=1, seed=self.config.seed).batches[0]

    def judge(self, rows: np.ndarray) -> Callable[[CubeModel, int], dict[str, float]]:
        """Return a function that judges the pairs at `rows` by a core and its epoch."""
        initial: dict[str, Any] = {}

        def judge(core: CubeModel, epoch: int) -> dict[str, float]:
            if not epoch:
                initial.update({name: value.clone() for name, value in core.state_dict().items()})
            trained = {name: value.clone() for name, value in core.state_dict().items()}
            for share in SHARES if epoch else (1.0,):
                shrink(core, initial, share)
                for name, value in self._measure(core, rows).items():
                    table = self.values.setdefault((epoch, share), {})
                    table.setdefault(name, np.full(len(self._gold), np.nan))[rows] = value
                core.load_state_dict(trained)
            return self.figures((epoch, 1.0))

        return judge

    def figures(self, key: Key) -> dict[str, float]:
        """Return the means over all pairs judged so far."""
        return {name: float(np.nanmean(values)) for name, values in self.values[key].items() if name != _SCORE}

    def gains(self, name: str) -> dict[Key, np.ndarray]:
        """Return the gain of each pair over the encoder alone, float `[n]`, by epoch and share."""
        return {key: values[name] - self.values[0, 1.0][name] for key, values in self.values.items()}

    def _measure(self, core: CubeModel, rows: np.ndarray) -> dict[str, np.ndarray | float]:
        from cube_model.inference.processor import core_function, map_rows

        pairs, vectors, training = self.data.train, self.data.train_vectors, core.training
        core.eval()
        turns = pairs.questions[rows, : self.turns]
        questions = normalize(map_rows(core_function(core, core.encode_questions), vectors, turns))
        true = normalize(vectors[pairs.answers[rows]])
        cosine = (questions * true).sum(1)
        figures: dict[str, np.ndarray | float] = {"mean_cosine_to_teacher": cosine}
        answers = normalize(map_rows(core_function(core, core.encode_answers), vectors, pairs.answers[self._first]))
        own = answers[self._gold[rows]]
        if core.config.mode != "autoencoder":
            figures = {
                "accuracy_1_of_100": self._hits(questions, answers, rows),
                "left_out_mrr": 1 / gold_ranks(questions, answers, self._gold[rows]),
                "mean_cosine": (questions * own).sum(1),
                **figures,
            }
        if self.compute_metrics is not None:
            figures |= further_figures(self.compute_metrics, questions, own, pairs.labels[rows], figures)
        score = self._likelihood(questions, answers, rows) if self.retrieves else cosine
        core.train(training)
        return {**figures, _SCORE: score}

    def _likelihood(self, questions: np.ndarray, answers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Log-likelihood of each true answer among all, at the temperature with which training begins."""
        logits = self.config.temperature * scores(questions, answers)
        logits -= logits.max(1, keepdims=True)
        true = logits[np.arange(len(rows)), self._gold[rows]]
        return np.asarray(true - np.log(np.exp(logits).sum(1)))

    def _hits(self, questions: np.ndarray, answers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Whether the true answer is the best of the question's batch of 100: 0, 1, or NaN outside the batches."""
        hits = np.full(len(rows), np.nan)
        for batch in self._batches:
            inside = np.flatnonzero(np.isin(rows, batch))
            if len(inside):
                candidates = self._gold[batch]
                best = scores(questions[inside], answers[candidates]).argmax(1)
                hits[inside] = candidates[best] == self._gold[rows[inside]]
        return hits


def shrink(core: CubeModel, initial: dict[str, Any], share: float) -> None:
    """Move the weights of a trained core towards those of the untrained one, in place.

    Args:
        core: Trained core.
        initial: State of the untrained core.
        share: Share of the change to keep; 1 leaves the weights as they are.
    """
    import torch

    if share < 1:
        state = core.state_dict()
        core.load_state_dict({name: torch.lerp(initial[name].to(value), value, share) for name, value in state.items()})


def _no_bar(step: str, done: int, total: int) -> None:
    """Show nothing."""
