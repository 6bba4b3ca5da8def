"""Where a long command runs: its options, its executor, and the storage for the files of its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dataset_builders.common.errors import DataError
from dataset_builders.common.executor import Executor, LocalExecutor
from dataset_builders.common.files import temporary_folder
from dataset_builders.common.options import Options, option
from dataset_builders.common.storage import Storage

ExecutorName = Literal["local", "ray"]
"""`local`: processes of this machine. `ray`: a Ray cluster, or Ray on this machine."""

_PANEL = "Machines"


@dataclass(frozen=True)
class MachineSettings(Options):
    """Where the tasks of a command run."""

    executor: ExecutorName = option(
        "local",
        "Run tasks in processes of this machine, or on a Ray cluster (`dialogue-cube[distributed]`).",
        in_result=False,
        panel=_PANEL,
    )
    ray_address: str | None = option(
        None,
        "HOST:PORT of the head of a Ray cluster; `auto` on a machine of the cluster.",
        none="Ray on this machine only",
        in_result=False,
        panel=_PANEL,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ray_address is not None and self.executor != "ray":
            raise DataError(f"--ray-address {self.ray_address} needs --executor ray")


@dataclass(frozen=True)
class ExecutionSettings(MachineSettings):
    """Where the tasks of a command run, and where they keep their files."""

    scratch: str | None = option(
        None,
        "Folder or URL (`s3://`, `gs://`, `hf://`) that all machines reach, for the files of finished tasks; after a "
        "failure, the same command goes on with them.",
        none="a temporary folder of this machine",
        in_result=False,
        panel=_PANEL,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ray_address is not None and self.scratch is None:
            raise DataError("--ray-address needs --scratch: a folder that all nodes share, or a URL such as s3://")


@contextmanager
def open_executor(
    name: ExecutorName = "local",
    workers: int | None = None,
    ray_address: str | None = None,
    shared: Storage | None = None,
) -> Iterator[Executor]:
    """Open an executor, and end its processes at the end.

    Args:
        name: Kind of executor.
        workers: Number of tasks that run at the same time; by default one in this process (`local`) or one for each CPU
            (`ray`).
        ray_address: Address of a Ray cluster: see `ray_executor.ray_executor`.
        shared: Storage that all nodes of the cluster must reach.

    Raises:
        DataError: The name is unknown, or Ray is missing, cannot be reached, or has nodes with other versions.

    Example:
        >>> with open_executor("local", workers=2) as executor:
        ...     list(executor.in_order(abs, 3))
        [0, 1, 2]
    """
    if name == "local":
        yield LocalExecutor(workers or 1)
    elif name == "ray":
        from dataset_builders.common.ray_executor import ray_executor

        with ray_executor(workers, ray_address, shared) as executor:
            yield executor
    else:
        raise DataError(f"no executor {name}; choose one of {', '.join(get_args(ExecutorName))}")


@contextmanager
def open_scratch(place: str | Path | None = None, fingerprint: str = "") -> Iterator[Storage]:
    """Open the storage for the files of stages.

    Args:
        place: Folder or URL, where the files are kept for a later run if this one fails; None for a temporary folder.
        fingerprint: Fingerprint of the input, the options and the code, so that only the same run goes on with them.

    Yields:
        Storage; its files are deleted at the end of the block, but those in `place` only if the block succeeds.

    Raises:
        DataError: The place cannot be written.
    """
    if place is None:
        with temporary_folder() as folder:
            yield Storage(str(folder))
        return
    root = str(place) if "://" in str(place) else str(Path(place).expanduser().resolve())
    whole = Storage(root, kept=True)
    storage = whole.below(fingerprint) if fingerprint else whole
    storage.check()
    yield storage
    if fingerprint:
        whole.remove(fingerprint)
