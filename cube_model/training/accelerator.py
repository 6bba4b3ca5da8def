"""Device, processes, precision, threads and trackers of a training."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

from cube_model.errors import ModelError
from cube_model.training.config import TrainingConfig

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import TrainerCallback


def make_accelerator(config: TrainingConfig) -> Accelerator:
    """Return an Accelerator for a training and its launcher.

    Args:
        config: Training configuration.

    Raises:
        ModelError: The device is unavailable, or the launcher is set to divide the weights among the processes.
    """
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.state import AcceleratorState, DistributedType

    if "LOCAL_RANK" not in os.environ:
        # Accelerate keeps its state per process, but a second training in a notebook may need another device
        AcceleratorState._reset_state(reset_partial_state=True)
    try:
        accelerator = Accelerator(
            cpu=config.device == "cpu",
            mixed_precision=config.mixed_precision,
            # the other processes wait while the first one encodes a large corpus
            kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(days=7))],
        )
    except (ValueError, ImportError, OSError) as error:
        raise ModelError(f"accelerate: {str(error).splitlines()[0]}") from error
    deepspeed = accelerator.state.deepspeed_plugin
    if accelerator.distributed_type == DistributedType.FSDP or (deepspeed and deepspeed.zero_stage == 3):
        raise ModelError(
            "accelerate: FSDP and ZeRO stage 3 divide the weights among the processes, but each process validates the "
            "whole core; launch without them, as a core fits on any device"
        )
    if config.device not in ("auto", accelerator.device.type):
        raise ModelError(f"device {config.device}: there is only {accelerator.device.type} here; pass --device auto")
    if accelerator.device.type == "cpu":
        set_threads(config.threads, accelerator.num_processes)
    return accelerator


def set_threads(threads: int, processes: int) -> None:
    """Set the number of processor threads of this process.

    Args:
        threads: Number of threads; 0: all cores, shared evenly by the processes of this machine.
        processes: Number of processes of the training.
    """
    import torch

    on_this_machine = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    torch.set_num_threads(threads or max(1, _cores() // on_this_machine))


def tracker_callbacks(config: TrainingConfig) -> list[TrainerCallback]:
    """Return the callbacks that report to the experiment tracker; files go into the training's working folder.

    Args:
        config: Training configuration.

    Raises:
        ModelError: The tracker is not installed, or the training writes no output.
    """
    tracker = config.tracker
    if tracker == "none":
        return []
    if config.output is None:
        raise ModelError(f"tracker {tracker}: needs an output folder to write to; pass --output")
    from transformers.integrations import get_reporting_integration_callbacks

    try:
        if tracker == "aim":  # brings its own callback
            from aim.hugging_face import AimCallback

            return [AimCallback()]
        return [callback() for callback in get_reporting_integration_callbacks(tracker)]
    except (ValueError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"tracker {tracker}: {str(error).splitlines()[0].rstrip('.')}; install it or pass --tracker none"
        ) from error


def _cores() -> int:
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
