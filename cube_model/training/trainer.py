"""Training of a core on question -> answer pairs: one code path on top of Accelerate.

>>> from cube_model import CubeTrainer, TrainingConfig
>>> CubeTrainer(TrainingConfig(data="my-corpus", teacher="minilm", output="my-core", context_turns=2)).train()
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.data.training_data import TrainingData, TrainingDataset
from cube_model.errors import ModelError
from cube_model.machine import hardware, versions
from cube_model.training import schedule
from cube_model.training.accelerator import make_accelerator, mean_over_processes
from cube_model.training.checkpoints import Checkpoints, Progress
from cube_model.training.config import TrainingConfig
from cube_model.training.data import batch_loader, load_training_data
from cube_model.training.output import RECORD, TRAINED, check_output, claimed_output, write_output
from cube_model.training.validation import chosen_by, validate
from dataset_builders.common.outputs import Output
from dataset_builders.common.progress import training_bar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from accelerate import Accelerator

    from cube_model.core.modeling_cube import CubeModel

__all__ = ["RECORD", "CubeTrainer", "Progress"]

logger = logging.getLogger(__name__)


class CubeTrainer:
    """Trains one core; `train` does all of it.

    Args:
        config: The run.

    Attributes:
        model: The core: untrained after `initialize_components`, trained after `train`.
        progress: Epochs, losses and validation figures so far.
        is_main: This process is the one that writes.

    Example:
        >>> trainer = CubeTrainer(config=TrainingConfig(mode="dialogue", lattice_size=[8, 8, 12], embedding_dim=768))
        >>> trainer.initialize_components()
        >>> trainer.train(dataset)  # anything with a method training_data() -> TrainingData
        >>> trainer.forward(question_embeddings)  # [batch, 768] -> [batch, 768]
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.output = None if config.output is None else Path(config.output).expanduser().absolute()
        self.model: CubeModel | None = None
        self.progress = Progress()
        self.is_main = True
        self._best_weights: dict[str, Any] = {}

    def initialize_components(self) -> None:
        """Make the untrained core, to look at or to call `forward` on; `train` starts from the very same weights.

        Raises:
            ModelError: Neither `embedding_dim` nor `lattice_size` is set, or they do not fit each other.
        """
        dimension = self.config.embedding_dim or math.prod(self.config.lattice_size or [0])
        if not dimension:
            raise ModelError("the size of the core is not known before training: set embedding_dim or lattice_size")
        self.model = self._new_model(dimension, self.config.context_turns or 0)

    def forward(self, question_embeddings: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Map questions, without gradient, as `CubeModel.encode_questions` or an autoencoder's `forward`.

        Args:
            question_embeddings: `[dimension]`, `[batch, dimension]` or `[batch, turns, dimension]`.

        Returns:
            float32 `[dimension]` or `[batch, dimension]`, on the processor.
        """
        import torch

        if self.model is None:
            self.initialize_components()
        assert self.model is not None
        given = torch.as_tensor(question_embeddings)
        with torch.inference_mode():
            batch = given[None] if given.dim() == 1 else given
            mapped = self.model.eval()(batch.to(self.model.device, self.model.dtype)).embeddings.float().cpu()
        return mapped[0] if given.dim() == 1 else mapped

    def train(self, dataset: TrainingDataset | None = None) -> Path | None:
        """Train, and write the output folder when there is one.

        Args:
            dataset: What to train on; `config.data` and `config.teacher` when not given.

        Returns:
            The output folder; None when the run has none.

        Raises:
            ModelError: Bad arguments or data, an output that must not be replaced, or a loss that is not finite.
        """
        config, output, work = self.config, None, None
        self.progress, self._best_weights = Progress(), {}
        if self.output is not None:
            output = Output(self.output, TRAINED, overwrite=config.overwrite)
            work = output.work
            interrupted = bool(len(Checkpoints(work, {})))
            check_output(output, resume=config.resume, interrupted=interrupted)
            if config.resume and not interrupted:
                logger.warning("nothing to resume beside %s: starting from the beginning", self.output)
        accelerator = make_accelerator(config, work)
        self.is_main = accelerator.is_main_process
        with claimed_output(output if self.is_main else None, resume=config.resume):
            accelerator.wait_for_everyone()  # all must see the same checkpoints
            data = self._data(dataset, accelerator)
            self.model = self._new_model(data.dimension, self._turns(data) - 1, data)
            self._fit(accelerator, self.model, data, work)
            if output is not None and self.is_main:
                ran_on = hardware(accelerator.device.type, accelerator.num_processes)
                write_output(output, self.model.eval(), {**self._record(self.model, data), "hardware": ran_on})
        accelerator.wait_for_everyone()
        accelerator.end_training()
        return self.output

    def after_step(self, step: int) -> None:
        """Called after every batch with the number of batches done; for subclasses."""

    # -- before training

    def _data(self, dataset: TrainingDataset | None, accelerator: Accelerator) -> TrainingData:
        show = self.config.progress and accelerator.is_main_process
        if dataset is not None:
            data = dataset.training_data()
        else:
            data = load_training_data(self.config, accelerator, progress=show)
        wanted = self.config.embedding_dim
        if wanted is not None and wanted != data.dimension:
            raise ModelError(
                f"embedding-dim is {wanted}, but the vectors of {data.teacher.get('name')} have {data.dimension} "
                "numbers; leave embedding_dim and lattice_size out to fit the teacher"
            )
        if (self.config.context_turns or 0) > data.context_turns:
            raise ModelError(
                f"context-turns is {self.config.context_turns}, but the dataset holds {data.context_turns}"
            )
        return data

    def _turns(self, data: TrainingData) -> int:
        """Question and earlier turns that the core reads."""
        if self.config.mode == "autoencoder":
            return 1
        return 1 + (data.context_turns if self.config.context_turns is None else self.config.context_turns)

    def _new_model(self, dimension: int, context_turns: int, data: TrainingData | None = None) -> CubeModel:
        """An untrained core; with data it also records them, and an autoencoder starts at their principal axes."""
        from accelerate.utils import set_seed
        from huggingface_hub.errors import StrictDataclassError

        from cube_model.core.configuration_cube import CubeConfig
        from cube_model.core.modeling_cube import CubeModel

        facts: dict[str, Any] = {}
        if data is not None:
            of_training = {"pairs": len(data.train), "sources": sorted(set(data.train.sources))}
            of_training |= {"data_fingerprint": data.train.fingerprint, "seed": self.config.seed}
            facts = {"teacher": data.teacher, "training": of_training}
        set_seed(self.config.seed)
        try:
            shape = CubeConfig(embedding_dim=dimension, context_turns=context_turns, **self.config.core(), **facts)
        except (StrictDataclassError, ValueError) as error:
            raise ModelError(f"core: {str(error).splitlines()[-1].strip().removeprefix('ValueError: ')}") from error
        model = CubeModel(shape)
        if data is not None and self.config.mode == "autoencoder":
            import torch

            used = sorted(set(data.train.questions[:, 0].tolist()))
            model.start_from_principal_axes(torch.from_numpy(data.train_vectors[used]))
        return model

    def _loss(self, model: CubeModel) -> torch.nn.Module:
        from cube_model.training.losses import AutoencoderLoss, DialogueLoss

        config = self.config
        if config.mode == "autoencoder":
            return AutoencoderLoss(model, noise=config.noise or 0.0)
        return DialogueLoss(
            model, noise=config.noise or 0.0, temperature=config.temperature, cosine_weight=config.cosine_weight
        )

    # -- training

    def _fit(self, accelerator: Accelerator, model: CubeModel, data: TrainingData, work: Path | None) -> None:
        import torch
        from accelerate import skip_first_batches

        config, started = self.config, time.monotonic()
        module, size = self._loss(model), schedule.batch_size(config, len(data.train))
        loader = batch_loader(
            data.train,
            data.train_vectors,
            batch_size=size,
            turns=self._turns(data),
            processes=accelerator.num_processes,
        )
        groups = schedule.parameter_groups(module, config.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=schedule.learning_rate(config, len(data.train)))
        module, optimizer, loader = accelerator.prepare(module, optimizer, loader)
        steps = math.ceil(len(loader) / config.gradient_accumulation)
        epochs = schedule.epochs(config, steps)
        patience = schedule.patience(config, epochs)
        # not prepared: Accelerate would step it once a process
        scheduler = schedule.scheduler(config.scheduler, optimizer.optimizer, steps * epochs)
        accelerator.register_for_checkpointing(scheduler)
        checkpoints = None
        if work is not None:
            checkpoints = Checkpoints(work, {**config.result_options(), "data fingerprint": data.fingerprint})
            if config.resume and (found := checkpoints.load(accelerator)):
                self.progress, self._best_weights = found
                logger.info("resumed %s after epoch %d, step %d", work, self.progress.epoch, self.progress.step)
        progress = self.progress
        earlier = progress.seconds

        def checkpoint() -> None:
            progress.seconds = earlier + time.monotonic() - started
            if checkpoints is not None:
                checkpoints.save(accelerator, progress, self._best_weights)

        if not progress.history:
            self._judge(accelerator, model, data, 0, None, 0)
        show = config.progress and accelerator.is_main_process
        done = progress.epoch * len(loader) + progress.step
        with training_bar(len(loader) * epochs, done, show) as advance:
            while progress.epoch < epochs and progress.epoch - progress.best_epoch < patience:
                batches = skip_first_batches(loader, progress.step) if progress.step else loader
                batches.set_epoch(progress.epoch)
                module.train()
                for batch in batches:
                    # the noise depends on seed, step and process alone, so a resumed run repeats it
                    torch.manual_seed(schedule.step_seed(config.seed, done, accelerator.process_index))
                    rows = batch.pop("rows")
                    with accelerator.accumulate(module):
                        loss = module(**batch)
                        value = float(loss.detach())
                        if not math.isfinite(value):
                            raise ModelError(self._not_finite(value, rows, data))
                        accelerator.backward(loss)
                        if accelerator.sync_gradients:
                            accelerator.clip_grad_norm_(module.parameters(), 1.0)
                        optimizer.step()
                        if accelerator.sync_gradients:
                            scheduler.step()
                        optimizer.zero_grad()
                    progress.step, done = progress.step + 1, done + 1
                    progress.loss_sum += value
                    if done % 20 == 1:
                        accelerator.log({"train/loss": value, "train/lr": scheduler.get_last_lr()[0]}, step=done - 1)
                    advance(progress, value)
                    at = math.ceil(progress.step / config.gradient_accumulation) + progress.epoch * steps
                    if config.checkpoint_every and accelerator.sync_gradients and at % config.checkpoint_every == 0:
                        checkpoint()
                    self.after_step(done)
                loss_of_epoch = mean_over_processes(accelerator, progress.loss_sum / max(progress.step, 1))
                self._judge(accelerator, model, data, progress.epoch + 1, loss_of_epoch, done)
                progress.epoch, progress.step, progress.loss_sum = progress.epoch + 1, 0, 0.0
                checkpoint()
        progress.seconds = earlier + time.monotonic() - started
        model.load_state_dict(self._best_weights)
        model.eval()

    def _judge(
        self, accelerator: Accelerator, model: CubeModel, data: TrainingData, epoch: int, loss: float | None, step: int
    ) -> None:
        """Validate; keep the weights when they are the best so far."""
        figures = validate(model, data.validation, data.validation_vectors, self.config.seed)
        progress, key = self.progress, chosen_by(self.config.mode, self.config.cosine_weight)
        progress.history.append({"epoch": epoch, "loss": loss, **figures})
        if epoch == 0 or figures[key] > progress.history[progress.best_epoch][key]:
            progress.best_epoch = epoch
            self._best_weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        logged = {f"validation/{name}": value for name, value in figures.items()}
        accelerator.log({**logged, **({} if loss is None else {"train/epoch_loss": loss})}, step=step)

    def _not_finite(self, value: float, rows: torch.Tensor, data: TrainingData) -> str:
        shown = ", ".join(str(row) for row in rows[:5].tolist()) + (", ..." if len(rows) > 5 else "")
        question = data.train.texts[data.train.questions[int(rows[0]), 0]]
        return (
            f"loss is {value} in epoch {self.progress.epoch + 1}, step {self.progress.step + 1} (training pairs "
            f"{shown}; the first one asks {question[:80]!r}): stopped, nothing written; lower --learning-rate "
            f"(now {schedule.learning_rate(self.config, len(data.train))})"
        )

    # -- after training

    def _record(self, model: CubeModel, data: TrainingData) -> dict[str, Any]:
        """What `training.json` says: all that the result depends on, and how it came about."""
        licenses: dict[str, list[str]] = {}
        for source, license in sorted(set(zip(data.train.sources, data.train.licenses, strict=True))):
            licenses.setdefault(source, []).append(license)
        return {
            "format": 2,
            "arguments": {key: value for key, value in dataclasses.asdict(self.config).items() if key != "output"},
            "data": {
                "fingerprint": data.train.fingerprint,
                "pairs": len(data.train),
                "sources": sorted(set(data.train.sources)),
                "licenses": licenses,
                "languages": sorted(set(data.train.languages)),
                "validation_fingerprint": data.validation.fingerprint,
                "validation_pairs": len(data.validation),
            },
            "teacher": data.teacher,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "chosen_by": chosen_by(self.config.mode, self.config.cosine_weight),
            "best_epoch": self.progress.best_epoch,
            "history": self.progress.history,
            "seconds": round(self.progress.seconds, 1),
            "versions": versions(),
        }
