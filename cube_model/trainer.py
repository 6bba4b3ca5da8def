"""Training of a core on question -> answer pairs: one code path on top of Accelerate.

>>> from cube_model import CubeTrainer, TrainingConfig
>>> CubeTrainer(TrainingConfig(data="my-corpus", teacher="minilm", output="my-core", context_turns=2)).train()
"""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model._quiet import quiet_transformers
from cube_model.embedding_cache import EmbeddingCache
from cube_model.errors import ModelError
from cube_model.question_answer_data import QuestionAnswerPairs
from cube_model.teacher import Teacher
from cube_model.training_bar import training_bar
from cube_model.training_config import TrainingConfig
from cube_model.training_data import batch_loader, load_training_pairs
from cube_model.versions import versions

if TYPE_CHECKING:
    from accelerate import Accelerator

    from cube_model.modeling_cube import CubeModel

logger = logging.getLogger(__name__)

RECORD = "training.json"
"""Written into every output folder; by it a folder is known as ours."""


@dataclass
class Progress:
    """Where a run stands; written into every checkpoint.

    Attributes:
        epoch: Epochs done.
        step: Optimizer steps done in the epoch under way.
        loss_sum: Sum of the losses of those steps.
        history: One entry an epoch; entry 0 is the untrained core.
        best_epoch: Epoch with the highest validation accuracy so far.
        seconds: Spent on training by this and the interrupted runs.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0


class CubeTrainer:
    """Trains one core; `train` does all of it.

    Args:
        config: The run.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.output = Path(config.output).expanduser().absolute()
        self.work = self.output.parent / f".{self.output.name}.training"
        self.progress = Progress()
        self.is_main = True
        self._best_weights: dict[str, Any] = {}

    def train(self) -> Path:
        """Train and write the output folder; returns its path.

        Raises:
            ModelError: Bad arguments or data, an output that must not be replaced, or a loss that is not finite.
        """
        self._check_folders()
        accelerator = self._accelerator()
        self.is_main = accelerator.is_main_process
        self._check_folders_of_main(accelerator)
        train, validation, train_vectors, validation_vectors, teacher = self._data(accelerator)
        model = self._model(teacher, train)
        started = time.monotonic()
        self._fit(accelerator, model, train, train_vectors, validation, validation_vectors, started)
        if accelerator.is_main_process:
            self._write_output(model, train, validation, teacher)
        accelerator.wait_for_everyone()
        accelerator.end_training()
        return self.output

    # -- before training

    def _check_folders(self) -> None:
        """Refuse what must not be replaced, before any time is spent."""
        if self.output.exists():
            ours = (self.output / RECORD).is_file() and (self.output / "config.json").is_file()
            empty = self.output.is_dir() and not any(self.output.iterdir())
            if not ours and not empty:
                raise ModelError(f"{self.output}: exists and is not a trained core; choose another --output")
            if ours and not self.config.overwrite:
                raise ModelError(f"{self.output}: exists; pass --overwrite to replace it or choose another --output")
        if self.config.resume and self.config.overwrite:
            raise ModelError("--resume and --overwrite exclude each other")
        if self._checkpoints() and not self.config.resume and not self.config.overwrite:
            raise ModelError(
                f"{self.work}: an interrupted run; pass --resume to go on with it or --overwrite to start again"
            )
        if self.config.resume and not self._checkpoints():
            logger.warning("nothing to resume beside %s: starting from the beginning", self.output)

    def _check_folders_of_main(self, accelerator: Accelerator) -> None:
        """Make the working folder; other processes wait, as they must see the same checkpoints."""
        if accelerator.is_main_process:
            try:
                if self.config.overwrite:
                    shutil.rmtree(self.work, ignore_errors=True)
                self.work.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ModelError(
                    f"{self.work}: cannot be written ({error.strerror}); choose another --output"
                ) from error
        accelerator.wait_for_everyone()

    def _accelerator(self) -> Accelerator:
        from datetime import timedelta

        import torch
        from accelerate import Accelerator, InitProcessGroupKwargs
        from accelerate.utils import DataLoaderConfiguration, set_seed

        set_seed(self.config.seed)
        tracker = None if self.config.tracker == "none" else self.config.tracker
        try:
            accelerator = Accelerator(
                cpu=self.config.cpu,
                log_with=tracker,
                project_dir=str(self.work),
                dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True, data_seed=self.config.seed),
                # other processes wait while the first one encodes a large corpus
                kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(days=7))],
            )
            if tracker:
                shown = {k: v for k, v in self.config.of_the_run().items() if isinstance(v, (int, float, str, bool))}
                self.work.mkdir(parents=True, exist_ok=True)
                accelerator.init_trackers("runs", config=shown)
        except (ValueError, ImportError, OSError) as error:
            raise ModelError(
                f"tracker {tracker}: {str(error).splitlines()[0]}; install it or pass --tracker none"
            ) from error
        if tracker and not accelerator.trackers and accelerator.is_main_process:
            raise ModelError(f"tracker {tracker}: not installed; install it or pass --tracker none")
        if accelerator.device.type == "cpu":
            beside = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
            torch.set_num_threads(self.config.threads or max(1, _cores() // beside))
        return accelerator

    def _data(
        self, accelerator: Accelerator
    ) -> tuple[QuestionAnswerPairs, QuestionAnswerPairs, np.ndarray, np.ndarray, Teacher]:
        """Pairs and vectors of training and validation. The first process fills the cache, the others read it."""
        show = self.config.progress and accelerator.is_main_process
        with accelerator.main_process_first():
            train, validation = load_training_pairs(self.config)
            teacher = Teacher.load(self.config.teacher, self.config.teacher_dtype, str(accelerator.device))
            cache = EmbeddingCache(self.config.cache_dir)
            vectors = [pairs.embed(teacher, cache, progress=show) for pairs in (train, validation)]
        for array in vectors:
            if not np.isfinite(array).all():
                raise ModelError(
                    f"teacher {teacher.name} ({teacher.dtype}) gives vectors that are not finite; try float32"
                )
        return train, validation, vectors[0], vectors[1], teacher

    def _model(self, teacher: Teacher, train: QuestionAnswerPairs) -> CubeModel:
        from accelerate.utils import set_seed
        from huggingface_hub.errors import StrictDataclassError

        from cube_model.configuration_cube import CubeConfig
        from cube_model.modeling_cube import CubeModel

        set_seed(self.config.seed)
        try:
            config = CubeConfig(
                embedding_dim=teacher.dimension,
                teacher=teacher.describe(),
                training={
                    "data_fingerprint": train.fingerprint,
                    "pairs": len(train),
                    "sources": sorted(set(train.sources)),
                    "seed": self.config.seed,
                },
                **self.config.core(),
            )
        except (StrictDataclassError, ValueError) as error:
            raise ModelError(f"core: {str(error).splitlines()[-1].strip().removeprefix('ValueError: ')}") from error
        return CubeModel(config)

    # -- training

    def _fit(
        self,
        accelerator: Accelerator,
        model: CubeModel,
        train: QuestionAnswerPairs,
        vectors: np.ndarray,
        validation: QuestionAnswerPairs,
        validation_vectors: np.ndarray,
        started: float,
    ) -> None:
        import torch
        from accelerate import skip_first_batches

        config, progress = self.config, self.progress
        loader = batch_loader(train, vectors, config.batch_size, accelerator.num_processes)
        optimizer = torch.optim.AdamW(_parameter_groups(model, config.weight_decay), lr=config.learning_rate)
        wrapped, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        total = len(loader) * config.epochs
        # not prepared: Accelerate would step it once a process
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer.optimizer, lambda step: _schedule(step, total))
        accelerator.register_for_checkpointing(scheduler)
        self._resume(accelerator, train.fingerprint)
        progress = self.progress
        earlier = progress.seconds

        def checkpoint() -> None:
            progress.seconds = earlier + time.monotonic() - started
            self._save_checkpoint(accelerator, train.fingerprint)

        def judge(epoch: int, loss: float | None) -> None:
            entry = {"epoch": epoch, "loss": loss, **_validate(model, validation, validation_vectors, config.seed)}
            progress.history.append(entry)
            best = progress.history[progress.best_epoch]
            if epoch == 0 or entry["accuracy_1_of_100"] > best["accuracy_1_of_100"]:
                progress.best_epoch = epoch
                self._best_weights = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
            logged = {f"validation/{key}": entry[key] for key in ("accuracy_1_of_100", "mean_cosine")}
            accelerator.log(
                {**logged, **({"train/epoch_loss": loss} if loss is not None else {})}, step=epoch * len(loader)
            )

        if not progress.history:
            judge(0, None)
        show = config.progress and accelerator.is_main_process
        with training_bar(total, progress.epoch * len(loader) + progress.step, show) as advance:
            while progress.epoch < config.epochs and not self._out_of_patience():
                batches = skip_first_batches(loader, progress.step) if progress.step else loader
                batches.set_epoch(progress.epoch)
                wrapped.train()
                for questions, answers, labels in batches:
                    done = progress.epoch * len(loader) + progress.step
                    # the noise of a step depends on seed, step and process alone, so a resumed run repeats it
                    torch.manual_seed(_step_seed(config.seed, done, accelerator.process_index))
                    loss = wrapped(questions, answers, labels).loss
                    value = float(loss.detach())
                    if not math.isfinite(value):
                        raise ModelError(
                            f"loss is {value} in epoch {progress.epoch + 1}, step {progress.step + 1}: stopped, "
                            f"nothing written; lower --learning-rate (now {config.learning_rate})"
                        )
                    accelerator.backward(loss)
                    accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
                    progress.step += 1
                    progress.loss_sum += value
                    if done % 20 == 0:
                        accelerator.log({"train/loss": value, "train/lr": scheduler.get_last_lr()[0]}, step=done)
                    advance(progress, value)
                    if config.checkpoint_every and (done + 1) % config.checkpoint_every == 0:
                        checkpoint()
                    self.after_step(done + 1)
                judge(progress.epoch + 1, _mean(accelerator, progress.loss_sum / max(progress.step, 1)))
                progress.epoch, progress.step, progress.loss_sum = progress.epoch + 1, 0, 0.0
                checkpoint()
        progress.seconds = earlier + time.monotonic() - started
        model.load_state_dict(self._best_weights)

    def after_step(self, step: int) -> None:
        """Called after every optimizer step with the number of steps done; for subclasses."""

    def _out_of_patience(self) -> bool:
        return self.progress.epoch - self.progress.best_epoch >= self.config.patience

    # -- checkpoints

    def _checkpoints(self) -> list[Path]:
        return sorted(self.work.glob("checkpoint-*"))

    def _save_checkpoint(self, accelerator: Accelerator, fingerprint: str) -> None:
        """Write aside and rename: a checkpoint is whole or not there. Earlier ones are then removed."""
        from safetensors.torch import save_file

        progress = self.progress
        final = self.work / f"checkpoint-{progress.epoch:05d}-{progress.step:08d}"
        aside = self.work / f".{final.name}"
        if accelerator.is_main_process:
            shutil.rmtree(aside, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(aside), safe_serialization=True)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            save_file(self._best_weights, aside / "best.safetensors")
            record = {
                "progress": dataclasses.asdict(progress),
                "arguments": self.config.of_the_run(),
                "data": fingerprint,
                "processes": accelerator.num_processes,
            }
            (aside / "progress.json").write_text(json.dumps(record), encoding="utf-8")
            earlier = self._checkpoints()
            shutil.rmtree(final, ignore_errors=True)
            aside.rename(final)
            for path in earlier:
                if path != final:
                    shutil.rmtree(path, ignore_errors=True)
        accelerator.wait_for_everyone()

    def _resume(self, accelerator: Accelerator, fingerprint: str) -> None:
        from safetensors.torch import load_file

        found = self._checkpoints()
        if not self.config.resume or not found:
            return
        record = json.loads((found[-1] / "progress.json").read_text(encoding="utf-8"))
        now = {**self.config.of_the_run(), "data fingerprint": fingerprint, "processes": accelerator.num_processes}
        then = {**record["arguments"], "data fingerprint": record["data"], "processes": record["processes"]}
        for key in now:
            if now[key] != then.get(key):
                raise ModelError(
                    f"cannot resume {self.work}: {key.replace('_', '-')} was {then.get(key)}, now {now[key]}; "
                    "use the same or pass --overwrite to start again"
                )
        accelerator.load_state(str(found[-1]))
        self._best_weights = load_file(found[-1] / "best.safetensors")
        self.progress = Progress(**record["progress"])
        logger.info("resumed from %s", found[-1])

    # -- after training

    def _write_output(
        self, model: CubeModel, train: QuestionAnswerPairs, validation: QuestionAnswerPairs, teacher: Teacher
    ) -> None:
        """Write model and record aside, then rename: the output is whole or not there."""
        aside = self.work / "output"
        shutil.rmtree(aside, ignore_errors=True)
        model.cpu()
        with quiet_transformers():
            model.eval().save_pretrained(aside)
        record = {
            "format": 1,
            "arguments": {key: value for key, value in dataclasses.asdict(self.config).items() if key != "output"},
            "data": {
                "fingerprint": train.fingerprint,
                "pairs": len(train),
                "sources": sorted(set(train.sources)),
                "validation_fingerprint": validation.fingerprint,
                "validation_pairs": len(validation),
            },
            "teacher": teacher.describe(),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "best_epoch": self.progress.best_epoch,
            "history": self.progress.history,
            "seconds": round(self.progress.seconds, 1),
            "versions": versions(),
        }
        (aside / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if (self.work / "runs").is_dir():
            shutil.move(self.work / "runs", aside / "runs")
        if self.output.exists():
            replaced = self.work / "replaced"
            shutil.rmtree(replaced, ignore_errors=True)
            self.output.rename(replaced)
        aside.rename(self.output)
        shutil.rmtree(self.work, ignore_errors=True)


def _parameter_groups(model: CubeModel, weight_decay: float) -> list[dict[str, Any]]:
    """Weight decay on matrices only: decaying biases or the temperature has no use."""
    decayed = [p for name, p in model.named_parameters() if name.endswith((".read", ".write"))]
    others = [p for name, p in model.named_parameters() if not name.endswith((".read", ".write"))]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _schedule(step: int, total: int) -> float:
    """Factor on the learning rate: 5 % linear warm-up times half a cosine."""
    warm = min(1.0, (step + 1) / max(1.0, 0.05 * total))
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, total))))


def _step_seed(seed: int, step: int, process: int) -> int:
    return int(np.random.SeedSequence((seed, step, process)).generate_state(1, np.uint64)[0] >> 1)


def _mean(accelerator: Accelerator, value: float) -> float:
    """Mean over processes."""
    import torch

    return float(accelerator.gather(torch.tensor([value], device=accelerator.device)).mean())


def _validate(model: CubeModel, pairs: QuestionAnswerPairs, vectors: np.ndarray, seed: int) -> dict[str, float]:
    """1-of-100 accuracy and mean cosine; every process computes the same, so all agree on the best epoch."""
    from cube_model.evaluation.response_selection import core, map_vectors, quick_accuracy

    questions, answers = map_vectors(core(model), pairs, vectors)
    return {
        "accuracy_1_of_100": quick_accuracy(questions, answers, pairs.labels, seed=seed),
        "mean_cosine": float((questions * answers).sum(1).mean()),
    }


def _cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
