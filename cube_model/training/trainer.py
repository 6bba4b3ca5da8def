"""Training of a core on question -> answer pairs, with `transformers.Trainer`.

>>> from cube_model import CubeTrainer, TrainingConfig
>>> config = TrainingConfig(data="dataset", teacher="minilm", output="core", context_turns=2)
>>> CubeTrainer(config).train()["accuracy_1_of_100"]
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cube_model.data.training_data import TrainingData, TrainingDataset
from cube_model.errors import ModelError
from cube_model.machine import hardware
from cube_model.training.accelerator import make_accelerator, tracker_callbacks
from cube_model.training.checkpoints import check_arguments, checkpoints, last_checkpoint, write_arguments
from cube_model.training.config import TrainingConfig
from cube_model.training.cross_validation import cross_validate, shrink, with_schedule
from cube_model.training.data import load_training_data
from cube_model.training.output import (
    RECORD,
    TRAINED,
    check_output,
    claimed_output,
    write_output,
)
from cube_model.training.progress import Progress
from cube_model.training.publish import publish
from cube_model.training.record import training_record
from cube_model.training.selection import Selection
from cube_model.training.untrained import untrained_core
from cube_model.training.validation import Metrics, validate
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.outputs import Output
from dataset_builders.common.progress import training_bar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from accelerate import Accelerator
    from transformers import TrainerCallback

    from cube_model.core.modeling_cube import CubeModel
    from cube_model.data.pairs import QuestionAnswerPairs
    from cube_model.data.vector_pairs import EmbeddingPairs

__all__ = ["RECORD", "CubeTrainer", "Progress"]

logger = logging.getLogger(__name__)


class CubeTrainer:
    """Trains a core.

    Args:
        config: Training configuration.
        callbacks: Callbacks, as for `transformers.Trainer`: they see every event and can stop the training.
        compute_metrics: Further validation figures, as for `transformers.Trainer`: a function of an `EvalPrediction`,
            see `cube_model.training.validation.validate`. They are added to the history in `training.json`.
        training_arguments: Arguments of `transformers.TrainingArguments` that no field of the configuration sets, such
            as `{"max_grad_norm": 0.5, "optim": "adamw_torch_fused"}`; `training.json` records them.

    Attributes:
        model: Core: untrained after `initialize_components`, trained after `train`; None before.
        progress: Validation figures and losses so far.
        selection: What selected the epochs of the last training; None before it.
        is_main: Whether this process is the one that writes.

    Example:
        >>> from cube_model import create_dialogue_dataset
        >>> pairs = [(f"When does bus {i} leave?", f"Bus {i} leaves every {i} minutes.") for i in range(1, 101)]
        >>> dataset = create_dialogue_dataset(pairs, teacher="minilm", progress=False)
        >>> trainer = CubeTrainer(TrainingConfig(epochs=2, validation="split", progress=False))
        >>> sorted(trainer.train(dataset))[:3]
        ['accuracy_1_of_100', 'best_epoch', 'epochs']
        >>> questions, answers = dataset[:4]
        >>> trainer.forward(questions).shape
        torch.Size([4, 384])
    """

    def __init__(
        self,
        config: TrainingConfig,
        *,
        callbacks: Sequence[TrainerCallback | type[TrainerCallback]] = (),
        compute_metrics: Metrics | None = None,
        training_arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.callbacks, self.compute_metrics = config, list(callbacks), compute_metrics
        self.training_arguments = dict(training_arguments or {})
        self.output = None if config.output is None else Path(config.output).expanduser().absolute()
        self.model: CubeModel | None = None
        self.progress = Progress()
        self.selection: Selection | None = None
        self.is_main = True
        self._validation: tuple[QuestionAnswerPairs, np.ndarray] | None = None
        self._record: dict[str, Any] | None = None

    def add_callback(self, callback: TrainerCallback | type[TrainerCallback]) -> None:
        """Add a callback to the next training.

        Args:
            callback: Callback, or its class.
        """
        self.callbacks.append(callback)

    def initialize_components(self) -> None:
        """Create the untrained core, from whose weights `train` starts; `forward` can be called on it.

        Raises:
            ModelError: Neither `embedding_dim` nor `lattice_size` is set, or they contradict each other.
        """
        dimension = self.config.embedding_dim or math.prod(self.config.lattice_size or [0])
        if not dimension:
            raise ModelError("the size of the core is not known before training: set embedding_dim or lattice_size")
        self.model = untrained_core(self.config, dimension, self.config.context_turns or 0)

    def forward(self, question_embeddings: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Map questions without gradients, like `CubeModel.encode_questions` or the `forward` of an autoencoder.

        Args:
            question_embeddings: `[dimension]`, `[batch, dimension]` or `[batch, turns, dimension]`.

        Returns:
            Float32 `[dimension]` or `[batch, dimension]`, on the processor.
        """
        import torch

        model = self._initialized_model()
        questions = torch.as_tensor(question_embeddings)
        with torch.inference_mode():
            batch = questions[None] if questions.dim() == 1 else questions
            mapped = model.eval()(batch.to(model.device, model.dtype)).embeddings.float().cpu()
        return mapped[0] if questions.dim() == 1 else mapped

    def train(self, dataset: TrainingDataset | None = None) -> dict[str, Any]:
        """Train the core, and write the output folder if the configuration names one.

        Args:
            dataset: Training and validation data. Default: those of `config.data`, embedded by `config.teacher`.

        Returns:
            `best_epoch`, `epochs`, `seconds`, `output` (path of the folder, or None), and the validation figures and
            `loss` of the best epoch, see `validate`.

        Raises:
            ModelError: Arguments or data are invalid, the output must not be replaced, or the loss is not finite.
        """
        config, output = self.config, None
        self.progress = Progress()
        if self.output is not None:
            output = Output(self.output, TRAINED, overwrite=config.overwrite)
            interrupted = bool(checkpoints(output.work))
            check_output(output, resume=config.resume, interrupted=interrupted)
            if config.resume and not interrupted:
                logger.warning("nothing to resume beside %s: starting from the beginning", self.output)
        callbacks = [*tracker_callbacks(config), *self.callbacks]
        accelerator = make_accelerator(config)
        self.is_main = accelerator.is_main_process
        with claimed_output(output if self.is_main else None, resume=config.resume):
            accelerator.wait_for_everyone()  # every process must see the same checkpoints
            data = self._data(dataset, accelerator)
            self.selection = self._selection(data, accelerator)
            if self.selection.choice is not None:
                data = data.joined()
            self.model = untrained_core(config, data.dimension, self._turns(data) - 1, data)
            self._fit(accelerator, self.model, data, None if output is None else output.work, callbacks)
            self._validation = data.validation, data.validation_vectors
            self._record = training_record(
                config,
                self.model,
                data,
                progress=self.progress,
                selection=self.selection,
                further=self.training_arguments,
                ran_on=hardware(accelerator.device.type, accelerator.num_processes),
            )
            if output is not None and self.is_main:
                write_output(output, self.model, self._record)
        accelerator.wait_for_everyone()
        accelerator.end_training()
        progress = self.progress
        best = {name: value for name, value in progress.history[progress.best_epoch].items() if name != "epoch"}
        counts = {"best_epoch": progress.best_epoch, "epochs": progress.epoch, "seconds": progress.seconds}
        return {**best, **counts, "output": self.output}

    def evaluate(self, dataset: TrainingDataset | EmbeddingPairs | None = None) -> dict[str, float]:
        """Return the validation figures of the core.

        Args:
            dataset: Dataset whose validation pairs are used, or all of its pairs if none are held out, such as the
                test split of `train_test_split`. Default: those of the last training, else of `config.data`.

        Returns:
            Figures by name, see `validate`; after `train`, those of the best epoch. After a cross-validation they are
            those of the left-out pairs, as the core has learned from all pairs of the dataset.

        Raises:
            ModelError: There is no core or no data.
        """
        from cube_model.data.vector_pairs import EmbeddingPairs

        model = self._initialized_model()
        if dataset is None and self.selection is not None and self.selection.choice is not None:
            return dict(self.selection.choice.history[-1])
        if isinstance(dataset, EmbeddingPairs) and not len(getattr(dataset, "validation", ())):
            return validate(model, dataset.pairs, dataset.vectors.numpy(), self.config.seed, self.compute_metrics)
        if dataset is not None or self._validation is None:
            data = self._data(cast("TrainingDataset | None", dataset))
            self._validation = data.validation, data.validation_vectors
        pairs, vectors = self._validation
        return validate(model, pairs, vectors, self.config.seed, self.compute_metrics)

    def save_model(self, output_dir: str | Path, *, overwrite: bool = False) -> Path:
        """Write the trained core to a folder, as `train` does for `config.output`.

        Args:
            output_dir: Output folder, for `AutoModel.from_pretrained`.
            overwrite: Replace an earlier core there.

        Returns:
            Path of the folder.

        Raises:
            ModelError: Nothing is trained yet, or the folder must not be replaced.
        """
        model, record = self._trained()
        output = Output(output_dir, TRAINED, overwrite=overwrite)
        if self.is_main:
            check_output(output, resume=False, interrupted=bool(checkpoints(output.work)))
            with claimed_output(output, resume=False):
                write_output(output, model, record)
        return output.place

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = False,
        create_pr: bool = False,
        tag: str | None = None,
        revision: str | None = None,
        message: str | None = None,
        overwrite: bool = False,
        restricted_data: bool = False,
    ) -> str | None:
        """Publish the trained core with code, training record and card, like `dialogue-cube push model`.

        Args:
            repo_id: Repository, `organisation/name`; created if missing.
            private: Make the repository private.
            create_pr: Open a pull request instead of committing.
            tag: Name of this version, such as `v1.0`.
            revision: Branch to commit to, created if missing. Default: the main branch.
            message: Title of the commit. Default: `Upload model`.
            overwrite: Replace a revision that is newer than what is pushed.
            restricted_data: Publish although the training data may not be redistributed, or their licence is unknown.

        Returns:
            URL of the commit or pull request; None in processes other than the first.

        Raises:
            ModelError: Nothing is trained yet, or the package's entry points are missing.
            DialogueCubeError: The training data are restricted, or the Hub refuses the push.
        """
        self._trained()
        with temporary_folder() as folder:
            return publish(
                lambda: self.save_model(Path(folder) / "core"),
                repo_id,
                writes=self.is_main,
                private=private,
                create_pr=create_pr,
                tag=tag,
                revision=revision,
                message=message,
                overwrite=overwrite,
                restricted_data=restricted_data,
            )

    # -- before training

    def _initialized_model(self) -> CubeModel:
        if self.model is None:
            self.initialize_components()
        assert self.model is not None
        return self.model

    def _trained(self) -> tuple[CubeModel, dict[str, Any]]:
        if self.model is None or self._record is None:
            raise ModelError("nothing is trained yet: call train() first")
        return self.model, self._record

    def _data(self, dataset: TrainingDataset | None, accelerator: Accelerator | None = None) -> TrainingData:
        show = self.config.progress and self.is_main
        if dataset is not None and self.config.streaming:
            raise ModelError("streaming reads the pairs of `data`, but train() got a dataset: leave out one of them")
        if dataset is not None:
            data = dataset.training_data()
        else:
            data = load_training_data(self.config, accelerator, progress=show)
        dimension, context_turns = self.config.embedding_dim, self.config.context_turns or 0
        if dimension is not None and dimension != data.dimension:
            raise ModelError(
                f"embedding-dim is {dimension}, but the vectors of {data.teacher.get('name')} have {data.dimension} "
                "numbers; leave embedding_dim and lattice_size out to fit the teacher"
            )
        if context_turns > data.context_turns:
            raise ModelError(f"context-turns is {context_turns}, but the dataset holds {data.context_turns}")
        return data

    def _turns(self, data: TrainingData) -> int:
        """Number of turns that the core reads, the question included."""
        if self.config.mode == "autoencoder":
            return 1
        return 1 + (data.context_turns if self.config.context_turns is None else self.config.context_turns)

    # -- training

    def _selection(self, data: TrainingData, accelerator: Accelerator) -> Selection:
        """Decide what selects the epochs, say so if validation pairs are few, and cross-validate if need be."""
        config, selection = self.config, Selection.of(self.config, data)
        if selection.too_few and self.is_main and config.validation != selection.method:  # nobody has asked for it
            logger.warning("%s", selection.notice())
        if selection.method == "k-fold":
            turns = self._turns(data)
            selection.choice = cross_validate(
                config,
                data.joined(),
                lambda part: untrained_core(config, data.dimension, turns - 1, part),
                accelerator,
                turns=turns,
                compute_metrics=self.compute_metrics,
                further=self.training_arguments,
                progress=config.progress and self.is_main,
            )
            if self.is_main:
                logger.warning("%s", selection.outcome())
        return selection

    def _fit(
        self,
        accelerator: Accelerator,
        model: CubeModel,
        data: TrainingData,
        work: Path | None,
        callbacks: list[TrainerCallback | type[TrainerCallback]],
    ) -> None:
        """Train a core in place; it ends with the weights of its best epoch."""
        from cube_model.training.core_trainer import CoreTrainer, ProgressBar

        config, choice = self.config, self.selection.choice if self.selection else None
        if choice is not None:
            config, initial = with_schedule(config, len(data.train)), copy.deepcopy(model.state_dict())
            if not choice.epochs:
                self.progress.history.append({"epoch": 0, "loss": None, **choice.history[0]})
                self.progress.seconds = choice.seconds
                model.eval()
                return
        with ExitStack() as stack:
            trainer = CoreTrainer(
                config,
                model,
                data,
                folder=work or Path(stack.enter_context(temporary_folder())),
                accelerator=accelerator,
                turns=self._turns(data),
                callbacks=callbacks,
                compute_metrics=self.compute_metrics,
                judge=None if choice is None else choice.judge,
                last_epoch=None if choice is None else choice.epochs,
                further=self.training_arguments,
            )
            checkpoint = None
            if work is not None:
                arguments = {
                    **self.config.result_options(),
                    "data fingerprint": data.fingerprint,
                    "processes": accelerator.num_processes,
                    "precision used": accelerator.mixed_precision,
                    "training arguments": self.training_arguments or None,
                }
                checkpoint = last_checkpoint(work) if config.resume else None
                if checkpoint is not None:
                    check_arguments(work, arguments)
                    trainer.resume(checkpoint)
                    logger.info("resuming from %s", checkpoint)
                elif self.is_main:
                    write_arguments(work, arguments)
            self.progress = trainer.progress
            if not self.progress.finished:
                show = config.progress and self.is_main
                bar = training_bar(trainer.steps, self.progress.batches // config.gradient_accumulation, show)
                trainer.add_callback(ProgressBar(self.progress, stack.enter_context(bar)))
                trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
            model.load_state_dict(trainer.best_weights)
            if choice is not None:
                shrink(model, initial, choice.share)
                self.progress.seconds += choice.seconds
        model.eval()
