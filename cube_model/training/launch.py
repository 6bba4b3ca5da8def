"""Start a training in one process or, through `accelerate launch`, in several."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cube_model._command import show_log
from dataset_builders.common.command_options import option_words
from dataset_builders.common.endings import launching
from dataset_builders.common.options import Options

Config = TypeVar("Config", bound=Options)


def launch(train: Callable[[Config], None], module: str, config: Config, processes: int | None = None) -> None:
    """Run a training and return when it has ended. Its processes end with this one, even if it is killed.

    Args:
        train: The training, for a single process.
        module: Module whose command is the same training, for several processes: `cube_model.train`.
        config: Configuration of the training.
        processes: Number of processes. Default: what `accelerate config` has saved; without that, one for each
            accelerator (graphics card), or one on the CPU.

    Raises:
        SystemExit: A process failed, and has printed why; or a signal interrupted this one.
    """
    flags = _launch_flags(processes)
    if flags is None:
        show_log()
        train(config)
        return
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # torch would print a table and a traceback below the one line of the process that failed
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    words = [*flags, "-m", module, *option_words(config), *_device_words(config)]
    try:
        with launching():
            launch_command(launch_command_parser().parse_args(words))
    except subprocess.CalledProcessError as error:  # from a single process
        raise SystemExit(_exit_code(error.returncode)) from error
    except ChildFailedError as error:
        raise SystemExit(_exit_code(error.get_first_failure()[1].exitcode)) from error
    except SignalException as error:  # torch has handled the signal and ended the processes
        raise SystemExit(128 + error.sigval) from error


def _exit_code(code: int) -> int:
    """The exit code of a failed process; 1 for one that a signal has killed, whose code is negative."""
    return max(code, 1)


def _launch_flags(processes: int | None) -> list[str] | None:
    """Options of `accelerate launch`, all of them set so that it warns of none; None to train in this process."""
    if processes is None:
        from accelerate.commands.config.config_args import default_config_file

        if Path(default_config_file).is_file():
            return []
        processes = max(1, _accelerators())
    if processes == 1:
        return None
    threads = max(1, len(os.sched_getaffinity(0)) // processes) if hasattr(os, "sched_getaffinity") else 1
    return [
        "--multi_gpu",  # also starts several processes on the CPU
        *("--num_processes", str(processes), "--num_machines", "1", "--num_cpu_threads_per_process", str(threads)),
        *("--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"),
    ]


def _device_words(config: Any) -> list[str]:
    """Select the CPU if there is no accelerator: several processes do not do so by themselves."""
    return ["--device", "cpu"] if config.device == "auto" and not _accelerators() else []


def _accelerators() -> int:
    import torch

    return torch.accelerator.device_count() if torch.accelerator.is_available() else 0
