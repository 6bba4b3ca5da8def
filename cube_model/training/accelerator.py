"""The Accelerator of a run: device, precision, processes, threads and trackers."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cube_model.errors import ModelError
from cube_model.training.config import TrainingConfig

if TYPE_CHECKING:
    from accelerate import Accelerator


def make_accelerator(config: TrainingConfig, work: Path | None) -> Accelerator:
    """An Accelerator as the run and the launcher want it.

    Args:
        config: The run.
        work: Where trackers write; None: nowhere.

    Raises:
        ModelError: The device or tracker is not there.
    """
    import torch
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.state import AcceleratorState
    from accelerate.utils import DataLoaderConfiguration, set_seed

    set_seed(config.seed)
    if "LOCAL_RANK" not in os.environ:
        # the state is one a process: a second run in a notebook may want another device or precision
        AcceleratorState._reset_state(reset_partial_state=True)
    tracker = None if config.tracker == "none" else config.tracker
    if tracker and work is None:
        raise ModelError(f"tracker {tracker}: needs an output folder to write to; pass --output")
    try:
        accelerator = Accelerator(
            cpu=config.device == "cpu",
            mixed_precision=config.mixed_precision,
            gradient_accumulation_steps=config.gradient_accumulation,
            log_with=tracker,
            project_dir=None if work is None else str(work),
            dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True, data_seed=config.seed),
            # other processes wait while the first one encodes a large corpus
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(days=7))],
        )
        if tracker and work is not None:
            shown = {k: v for k, v in config.result_options().items() if isinstance(v, (int, float, str, bool))}
            work.mkdir(parents=True, exist_ok=True)
            accelerator.init_trackers("runs", config=shown)
    except (ValueError, ImportError, OSError) as error:
        what = f"tracker {tracker}" if tracker else "accelerate"
        advice = "; install it or pass --tracker none" if tracker else ""
        raise ModelError(f"{what}: {str(error).splitlines()[0]}{advice}") from error
    if tracker and not accelerator.trackers and accelerator.is_main_process:
        raise ModelError(f"tracker {tracker}: not installed; install it or pass --tracker none")
    if config.device not in ("auto", accelerator.device.type):
        raise ModelError(f"device {config.device}: there is only {accelerator.device.type} here; pass --device auto")
    if accelerator.device.type == "cpu":
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", accelerator.num_processes))
        torch.set_num_threads(config.threads or max(1, _cores() // beside))
    return accelerator


def mean_over_processes(accelerator: Accelerator, value: float) -> float:
    """Mean of a number that every process has."""
    import torch

    gathered: Any = accelerator.gather(torch.tensor([value], device=accelerator.device))
    return float(gathered.mean())


def _cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
