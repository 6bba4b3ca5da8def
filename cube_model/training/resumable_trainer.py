"""What the trainers of cores and of encoders share: robust checkpoints, and a stop when the loss is not finite."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import TRAINING_ARGS_NAME

from cube_model.errors import ModelError
from cube_model.training.checkpoints import keep_checkpoint
from dataset_builders.common.files import needs_room


class ResumableTrainer(Trainer):
    """`transformers.Trainer` whose checkpoints are complete or absent, see `checkpoints`.

    Trainer writes a checkpoint in place, so a run that is killed meanwhile would resume from half of one.
    """

    def __init__(self, **options: Any) -> None:
        self._aside: Path | None = None
        super().__init__(**options)
        self.remove_callback(PrinterCallback)  # prints dictionaries on the output of the command

    def train(self, resume_from_checkpoint: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train, see `transformers.Trainer`.

        Raises:
            ModelError: A file of the checkpoint holds other objects than tensors and plain values: it is not executed.
        """
        try:
            return super().train(resume_from_checkpoint, *arguments, **options)
        except pickle.UnpicklingError as error:
            raise ModelError(
                f"{resume_from_checkpoint}: holds objects that no training writes; delete it to resume from the "
                "checkpoint before, or pass --overwrite to start again"
            ) from error

    def save_progress(self, folder: Path) -> None:
        """Write what a subclass needs to resume besides Trainer's own files; every process calls it.

        Args:
            folder: The checkpoint.
        """

    def not_finite(self, loss: float, place: str) -> ModelError:
        """Return the error that ends a training when a loss is not finite.

        Args:
            loss: Loss of a batch.
            place: Description of the batch.
        """
        return ModelError(
            f"loss is {loss} in {place}: stopped, nothing written; lower --learning-rate (now "
            f"{self.args.learning_rate})"
        )

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        folder = Path(str(self.args.output_dir))
        aside = folder / ".unfinished"
        with needs_room(folder, "continue with --resume", ModelError):
            if self.args.should_save:
                shutil.rmtree(aside, ignore_errors=True)
            self.accelerator.wait_for_everyone()
            self._aside = aside
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self._aside = None
            written = aside / f"checkpoint-{self.state.global_step}"
            self.save_progress(written)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                (written / TRAINING_ARGS_NAME).unlink(missing_ok=True)  # a pickle that nobody reads
                keep_checkpoint(written, folder)
                aside.rmdir()
            self.accelerator.wait_for_everyone()

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._aside or super()._get_output_dir(trial))


class SetEpoch(TrainerCallback):
    """Sets the epoch of a sampler whose order depends on it: Trainer does not reach it in a resumed epoch.

    Args:
        sampler: Sampler, with or without a method `set_epoch`.
    """

    def __init__(self, sampler: Any) -> None:
        self._set = getattr(sampler, "set_epoch", None)

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **how: Any) -> None:
        """Set it."""
        if self._set is not None:
            self._set(int(state.epoch or 0))
