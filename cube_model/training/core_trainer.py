"""The `transformers.Trainer` of a core: its batches, loss, validation and progress."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cube_model.data.training_data import TrainingData
from cube_model.training import schedule
from cube_model.training.config import TrainingConfig
from cube_model.training.data import training_batches
from cube_model.training.library_arguments import library_arguments
from cube_model.training.losses import AutoencoderLoss, DialogueLoss
from cube_model.training.progress import Progress
from cube_model.training.resumable_trainer import ResumableTrainer, SetEpoch
from cube_model.training.validation import Metrics, selection_metric, validate

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from cube_model.core.modeling_cube import CubeModel

Judge = Callable[["CubeModel", int], dict[str, float]]
"""Figures of a core after an epoch."""

_PROGRESS, _BEST = "progress.json", "best.safetensors"


class CoreTrainer(ResumableTrainer):
    """Trains a core on pairs whose embeddings are ready.

    Batches, noise and schedule depend on the configuration and the number of processes alone, so a resumed training
    gives the same core, bit for bit.

    Args:
        config: Training configuration.
        core: Untrained core, trained in place.
        data: Pairs and embeddings.
        folder: Folder of the checkpoints.
        accelerator: Accelerator of the run; the trainer makes its own with the same device and precision.
        turns: Number of turns that the core reads, the question included.
        callbacks: Callbacks besides the library's.
        compute_metrics: Further validation figures, see `validate`.
        judge: Figures of a core after an epoch, the keys those of `validate`. Default: `validate` on the validation
            pairs.
        last_epoch: Epoch after which to stop and whose weights to keep, see `cross_validate`. Default: the epoch with
            the best figures.
        further: Arguments of `transformers.TrainingArguments` that the configuration does not set.

    Attributes:
        progress: Progress of the training.
        steps: Maximum number of optimizer steps.
        best_weights: State of the core in its best epoch.
    """

    def __init__(
        self,
        config: TrainingConfig,
        core: CubeModel,
        data: TrainingData,
        *,
        folder: Path,
        accelerator: Accelerator,
        turns: int,
        callbacks: Sequence[TrainerCallback | type[TrainerCallback]] = (),
        compute_metrics: Metrics | None = None,
        judge: Judge | None = None,
        last_epoch: int | None = None,
        further: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.core, self.data = config, core, data
        self._judge, self._last_epoch = judge or self._validate, last_epoch
        self.progress, self.best_weights = Progress(), dict[str, torch.Tensor]()
        self._epochs = _Epochs(config.checkpoint_every)
        super().__init__(
            model=_loss(config, core),
            args=library_arguments(config, data.pairs, folder, accelerator, further),
            eval_dataset=data.validation,
            callbacks=[self._epochs, *callbacks],
            compute_metrics=compute_metrics,
        )
        # nothing to free before the only call of `train`, and the search for it takes longer than a small training
        self.accelerator.free_memory = lambda *objects: list(objects)
        batches = training_batches(
            data,
            batch_size=self.args.per_device_train_batch_size,
            turns=turns,
            processes=self.accelerator.num_processes,
            seed=config.seed,
        )
        self.add_callback(SetEpoch(batches.sampler))
        self._loader = self.accelerator.prepare(batches)
        steps = math.ceil(len(self._loader) / config.gradient_accumulation)
        self.args.num_train_epochs = schedule.epochs(config, steps)
        self.steps = steps * int(self.args.num_train_epochs if last_epoch is None else last_epoch)
        self._patience = schedule.patience(config, int(self.args.num_train_epochs))
        self._clock = time.monotonic()

    def resume(self, checkpoint: Path) -> None:
        """Continue from the progress in a checkpoint; `train(resume_from_checkpoint=...)` reads the rest.

        Args:
            checkpoint: An undamaged checkpoint.
        """
        record = json.loads((checkpoint / _PROGRESS).read_text(encoding="utf-8"))
        loss_sum = record["loss_sums"][self.args.process_index]
        self.progress = Progress(**{**record["progress"], "loss_sum": loss_sum})
        self.best_weights = load_file(checkpoint / _BEST)
        self._clock = time.monotonic() - self.progress.seconds
        self.args.eval_on_start = False

    def save_progress(self, folder: Path) -> None:
        """See `ResumableTrainer`."""
        own = torch.tensor([self.progress.loss_sum], dtype=torch.float64, device=self.args.device)
        loss_sums = self.accelerator.gather(own).tolist()  # the other figures are the same in all processes
        self.progress.seconds = time.monotonic() - self._clock
        self.progress.finished = self.control.should_training_stop and self._epochs.ended
        if self.args.should_save:
            save_file(self.best_weights, folder / _BEST)
            record = {"progress": dataclasses.asdict(self.progress), "loss_sums": loss_sums}
            (folder / _PROGRESS).write_text(json.dumps(record), encoding="utf-8")

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Seeded batches of embeddings."""
        return self._loader

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        """The matrices that read and write; decaying biases or the temperature is of no use."""
        return [name for name, _ in model.named_parameters() if name.endswith((".read", ".write"))]

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], *arguments: Any, **options: Any
    ) -> torch.Tensor:
        """The loss of a batch, with noise that depends on seed, batch and process alone: a resumed run repeats it."""
        progress = self.progress
        torch.manual_seed(schedule.step_seed(self.config.seed, progress.batches, self.args.process_index))
        # Trainer divides the loss by this; its choice would give the batches of an incomplete last group more weight
        self.current_gradient_accumulation_steps = self.args.gradient_accumulation_steps
        rows = inputs.pop("rows")
        loss = model(**inputs)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self.not_finite(value, self._place(rows))
        progress.loss_sum += value
        progress.batches, progress.batches_of_epoch = progress.batches + 1, progress.batches_of_epoch + 1
        return loss

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        """Validate. Before and after epochs, record the figures, and keep the weights if they are the best so far.

        Returns:
            The figures of `validate`, with `eval_` before their names.
        """
        progress = self.progress
        epoch = len(progress.history)
        figures = self._judge(self.core, epoch)
        logs = {f"eval_{name}": value for name, value in figures.items()}
        if self._epochs.ended:
            loss = None
            if epoch:
                mean = torch.tensor([progress.loss_sum / max(progress.batches_of_epoch, 1)], device=self.args.device)
                loss = float(self.accelerator.gather(mean).mean())
                self.log({"epoch_loss": loss})
            progress.history.append({"epoch": epoch, "loss": loss, **figures})
            progress.loss_sum, progress.batches_of_epoch = 0.0, 0
            if not epoch or self._is_better(figures):
                progress.best_epoch = epoch
                self.best_weights = {name: value.cpu().clone() for name, value in self.core.state_dict().items()}
        progress.seconds = time.monotonic() - self._clock
        self.log(dict(logs))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, logs)
        if progress.epoch == self._last_epoch or progress.epoch - progress.best_epoch >= self._patience:
            self.control.should_training_stop = True
        return logs

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Note the best figure for callbacks such as `EarlyStoppingCallback`; the weights to keep are noted above."""
        if f"eval_{self.args.metric_for_best_model}" not in metrics:  # folds are judged by other figures
            return False
        return bool(super()._determine_best_metric(metrics, trial))

    def _load_best_model(self) -> None:
        """Nothing to load here: `best_weights` are."""

    def _validate(self, core: CubeModel, epoch: int) -> dict[str, float]:
        return validate(
            core, self.data.validation, self.data.validation_vectors, self.config.seed, self.compute_metrics
        )

    def _is_better(self, figures: dict[str, float]) -> bool:
        """Whether an epoch is the one to keep so far."""
        key = selection_metric(self.config.mode, self.config.cosine_weight)
        return self._last_epoch is not None or figures[key] > self.progress.history[self.progress.best_epoch][key]

    def _place(self, rows: torch.Tensor) -> str:
        """Describe a batch in the current epoch."""
        shown = ", ".join(str(row) for row in rows[:5].tolist()) + (", ..." if len(rows) > 5 else "")
        progress, question = self.progress, self.data.question(int(rows[0]))
        return (
            f"epoch {progress.epoch + 1}, step {progress.batches_of_epoch + 1} (training pairs {shown}; the first one "
            f"asks {question[:80]!r})"
        )


class ProgressBar(TrainerCallback):
    """Advances the bar of a training.

    Args:
        progress: Progress to show.
        advance: Function of the progress and the last loss, see `training_bar`.
    """

    def __init__(self, progress: Progress, advance: Callable[[Progress, float], None]) -> None:
        self.progress, self.advance = progress, advance

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **how: Any) -> None:
        """Advance by one step."""
        progress = self.progress
        self.advance(progress, progress.loss_sum / max(progress.batches_of_epoch, 1))


class _Epochs(TrainerCallback):
    """Knows whether an epoch has ended, and asks for checkpoints within it; the one at its end follows the validation.

    Args:
        checkpoint_every: Number of optimizer steps between checkpoints; 0: only those at the end of epochs.

    Attributes:
        ended: No epoch is under way.
    """

    def __init__(self, checkpoint_every: int) -> None:
        self.every, self.ended = checkpoint_every, True

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **how: Any) -> None:
        """Note it."""
        self.ended = False

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **how: Any) -> None:
        """Ask for a checkpoint if one is due."""
        steps = state.max_steps // int(args.num_train_epochs)
        if self.every and state.global_step % self.every == 0 and state.global_step % steps:
            control.should_save = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **how: Any) -> None:
        """Note it."""
        self.ended = True


def _loss(config: TrainingConfig, core: CubeModel) -> DialogueLoss | AutoencoderLoss:
    noise = config.noise or 0.0
    if config.mode == "autoencoder":
        return AutoencoderLoss(core, noise=noise)
    return DialogueLoss(
        core,
        noise=noise,
        temperature=config.temperature,
        cosine_weight=config.cosine_weight,
        label_smoothing=config.label_smoothing,
    )
