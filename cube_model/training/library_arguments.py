"""A training configuration in the terms of `transformers.TrainingArguments`, and further ones of the caller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainingArguments

from cube_model.errors import ModelError
from cube_model.training import schedule
from cube_model.training.config import TrainingConfig
from cube_model.training.validation import selection_metric

if TYPE_CHECKING:
    from accelerate import Accelerator

_OPTIONS = {
    "output_dir": "output",
    "per_device_train_batch_size": "batch_size",
    "num_train_epochs": "epochs",
    "lr_scheduler_type": "scheduler",
    "bf16": "mixed_precision",
    "fp16": "mixed_precision",
    "use_cpu": "device",
    "data_seed": "seed",
    "save_steps": "checkpoint_every",
    "report_to": "tracker",
    "gradient_accumulation_steps": "gradient_accumulation",
}
"""Arguments that a field of `TrainingConfig` sets under another name."""


def library_arguments(
    config: TrainingConfig,
    pairs: int,
    folder: Path,
    accelerator: Accelerator,
    further: Mapping[str, Any] | None = None,
) -> TrainingArguments:
    """Return the arguments of a training.

    Args:
        config: Training configuration.
        pairs: Number of training pairs.
        folder: Folder of the checkpoints.
        accelerator: Accelerator of the run.
        further: Arguments that no field of the configuration sets, by name.

    Raises:
        ModelError: One of `further` is set by the configuration or the trainer, is unknown or has no valid value.
    """
    further = dict(further or {})
    fixed = {
        "output_dir": str(folder),
        "per_device_train_batch_size": schedule.batch_size(config, pairs),
        "gradient_accumulation_steps": config.gradient_accumulation,
        "learning_rate": schedule.learning_rate(config, pairs),
        "lr_scheduler_type": config.scheduler,
        "warmup_steps": schedule.WARMUP,
        "weight_decay": config.weight_decay,
        "bf16": accelerator.mixed_precision == "bf16",
        "fp16": accelerator.mixed_precision == "fp16",
        "use_cpu": accelerator.device.type == "cpu",
        "seed": config.seed,
        "data_seed": config.seed,
        "eval_strategy": "epoch",
        "eval_on_start": True,
        "save_strategy": "no" if config.output is None else "epoch",
        "metric_for_best_model": selection_metric(config.mode, config.cosine_weight),
        "greater_is_better": True,
        "disable_tqdm": True,
        "report_to": "none",  # see `tracker_callbacks`
        "remove_unused_columns": False,
        "accelerator_config": {"use_configured_state": True},
    }
    _check(further, fixed)
    defaults = {
        "optim": "adamw_torch",
        "max_grad_norm": 1.0,
        "logging_steps": 20,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "ddp_find_unused_parameters": False,
    }
    try:
        arguments = TrainingArguments(**{**defaults, **further, **fixed})
    except (TypeError, ValueError, ImportError) as error:
        if not further:
            raise
        raise ModelError(f"training_arguments: {str(error).splitlines()[0]}") from error
    arguments.mixed_precision = accelerator.mixed_precision  # not that of the launcher where the configuration differs
    arguments._n_gpu = min(1, arguments.n_gpu)  # several graphics cards take several processes, not `DataParallel`
    arguments.load_best_model_at_end = True  # by `CubeTrainer`; the library would need its checkpoint
    return arguments


def _check(further: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Refuse what would contradict the configuration, or could not be recorded."""
    fields = TrainingConfig.__dataclass_fields__
    trainers = {"max_steps", "save_total_limit", "load_best_model_at_end", "resume_from_checkpoint"}
    launchers = {"fsdp", "fsdp_config", "deepspeed", "parallelism_config"}
    for name, value in further.items():
        option = _OPTIONS.get(name, name)
        if option in fields:
            raise ModelError(f"training_arguments: {name} is set by TrainingConfig({option}=...)")
        if name in fixed or name in trainers:
            raise ModelError(f"training_arguments: {name} is set by the trainer itself")
        if name in launchers:
            raise ModelError(f"training_arguments: {name} is set by `accelerate launch`")
        if name not in TrainingArguments.__dataclass_fields__:
            raise ModelError(f"training_arguments: transformers.TrainingArguments has no {name}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"training_arguments: {name} is {value!r}, which training.json cannot record; expected numbers, texts, "
                "lists or dictionaries of them"
            ) from error
