"""Tasks on a Ray cluster. Ray only schedules them: files go through a `Storage`, results are small values.

Nothing else in the project imports Ray, except what it runs on a node: `ray_tasks`.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from dataset_builders.common.errors import DataError
from dataset_builders.common.executor import LostTaskError
from dataset_builders.common.ray_tasks import node_address, result_of, task_of
from dataset_builders.common.storage import Storage

Result = TypeVar("Result")

_ATTEMPTS = 5
"""How often a task starts whose process or node is lost, and Ray itself on this machine."""

_CONNECTING = 4.0
"""Seconds until an address counts as unreachable."""

_LOOKING = 5.0
"""Seconds between two looks at the resources of the cluster."""

_JOINING = 600.0
"""Seconds that a task waits for a node that has the CPU and the GPUs that it needs."""

_OBJECT_STORE = 100_000_000
"""Bytes of shared memory for results; they are small."""

_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""Start of a connection of HTTP/2, which Ray speaks: greeting and empty settings (RFC 9113, 3.4)."""

_HTTP2_SETTINGS = 4


class RayExecutor:
    """The tasks run on all nodes of the cluster that this process is connected to; see `ray_executor`.

    A task whose process or node is lost starts again, five times in all. Nodes may join and leave.

    Args:
        limit: Maximum number of tasks that run at the same time; None for one for each CPU of the cluster.
        is_here: Whether the cluster is on this machine only.
    """

    def __init__(self, limit: int | None = None, *, is_here: bool = True) -> None:
        self._limit, self.is_here = limit, is_here
        self._resources: dict[str, float] = {}
        self._looked = -_LOOKING

    @property
    def workers(self) -> int:
        """Number of tasks that run at the same time."""
        return self._slots(0)

    def in_order(
        self, work: Callable[[int], Result], count: int, *, gpus: float = 0, label: Callable[[int], str] | None = None
    ) -> Iterator[Result]:
        """See `executor.Executor`."""
        import ray

        label = label or "task {}".format
        task = ray.remote(max_retries=0, num_cpus=1, num_gpus=gpus)(task_of(work))
        waiting, running, finished = deque(range(count)), dict[Any, int](), dict[int, Any]()
        losses, patience = Counter[int](), _Patience()
        try:
            for number in range(count):
                while number not in finished:
                    while waiting and len(running) < self._window(gpus):
                        following = waiting.popleft()
                        running[task.options(name=label(following)).remote(following)] = following
                    ready, _ = ray.wait([*running], timeout=_LOOKING)
                    patience.check(bool(ready) or self._slots(gpus) > 0, gpus)
                    for reference in ready:
                        done = running.pop(reference)
                        try:
                            finished[done] = result_of(reference)
                        except ray.exceptions.RayTaskError:
                            raise
                        except ray.exceptions.RayError as error:
                            losses[done] += 1
                            if losses[done] == _ATTEMPTS:
                                raise LostTaskError(_lost(label(done), error)) from error
                            waiting.appendleft(done)
                yield finished.pop(number)
        finally:
            if ray.is_initialized():
                for reference in running:
                    ray.cancel(reference, force=True)

    def _window(self, gpus: float) -> int:
        """Return the number of submitted tasks: as many wait as run, so that no worker waits for this process."""
        return self._limit or max(2 * self._slots(gpus), 1)

    def _slots(self, gpus: float) -> int:
        if time.monotonic() - self._looked >= _LOOKING:
            import ray

            self._resources, self._looked = ray.cluster_resources(), time.monotonic()
        slots = self._resources.get("CPU", 0)
        if gpus:
            slots = min(slots, self._resources.get("GPU", 0) / gpus)
        return int(min(slots, self._limit or slots))


class _Patience:
    """Ends the wait for nodes that never join."""

    def __init__(self) -> None:
        self.since = time.monotonic()

    def check(self, is_possible: bool, gpus: float) -> None:
        """Raise an error if no task has been possible for a long time."""
        if is_possible:
            self.since = time.monotonic()
        elif time.monotonic() - self.since > _JOINING:
            needed = f"a free CPU and {gpus:g} GPUs" if gpus else "a CPU"
            raise LostTaskError(
                f"no node of the Ray cluster has had {needed} for {_JOINING / 60:.0f} minutes; add one: ray start "
                "--address HEAD:PORT"
            )


@contextmanager
def ray_executor(
    workers: int | None = None, address: str | None = None, shared: Storage | None = None
) -> Iterator[RayExecutor]:
    """Start Ray on this machine, or connect to a cluster, and disconnect at the end.

    Args:
        workers: Maximum number of tasks that run at the same time; None for one for each CPU.
        address: `HOST:PORT` of the head of a cluster, `auto` for the cluster that this machine belongs to, or None to
            start one on this machine only.
        shared: Storage that all nodes must reach.

    Raises:
        DataError: Ray is not installed, the address cannot be reached, a node has other versions, or does not reach
            the storage.
    """
    with _environment(is_local=address is None), _handlers_kept():  # set before Ray is imported, which reads it then
        try:
            import ray
        except ImportError as error:
            raise DataError("--executor ray needs Ray: pip install 'dialogue-cube[distributed]'") from error
        is_ours = not ray.is_initialized()  # by the program that uses this library
        if is_ours:
            _mute()
            if address is None:
                _start(workers or os.cpu_count() or 1)
            else:
                _connect(address)
    try:
        if address is not None:
            _check_nodes(address, shared)
        yield RayExecutor(None if address is None else workers, is_here=address is None)
    finally:
        if is_ours:
            ray.shutdown()


def _start(cpus: int) -> None:
    """Start Ray on this machine. A busy machine needs more than the 30 s after which Ray gives up."""
    import ray

    for attempt in range(_ATTEMPTS):
        try:
            ray.init("local", num_cpus=cpus, object_store_memory=_OBJECT_STORE, include_dashboard=False, **_QUIET)
            return
        except Exception as error:
            ray.shutdown()
            if attempt == _ATTEMPTS - 1:
                reason = " ".join(str(error).split())[:300]
                raise DataError(f"Ray does not start on this machine ({reason}); use --executor local") from error


def _connect(address: str) -> None:
    import ray

    start = "start a cluster with `ray start --head`, or give the address of its head, HOST:PORT"
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535 or "/" in host:
            raise DataError(f"--ray-address {address}: not an address HOST:PORT; {start}")
        _check_server(address, host.strip("[]"), int(port), start)
    try:
        node: dict[str, Any] = {"_node_ip_address": "127.0.0.1"} if address.startswith("127.0.0.1:") else {}
        ray.init(address, **_QUIET, **node)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"--ray-address {address}: no connection ({reason[:300]}); run the command on a node of the cluster, with "
            "its token in RAY_AUTH_TOKEN_PATH if it has one"
        ) from error


def _check_server(address: str, host: str, port: int, advice: str) -> None:
    """Check that a server answers which may be Ray's. By itself, Ray tries for minutes."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECTING) as connection:
            connection.settimeout(_CONNECTING)
            connection.sendall(_HTTP2_PREFACE)
            answer = connection.recv(9)
    except OSError as error:
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise DataError(f"--ray-address {address}: cannot be reached ({reason}); {advice}") from error
    if answer[3:4] != bytes([_HTTP2_SETTINGS]):
        raise DataError(f"--ray-address {address}: another server than Ray's answers there; {advice}")


def _check_nodes(address: str, shared: Storage | None) -> None:
    """Check the versions on all nodes, and that they reach the storage. Nodes that join later are checked by a task."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    witness = f"reached-{secrets.token_hex(4)}"
    if shared is not None:
        with shared.create(witness) as path:
            path.write_bytes(b"")
    try:
        probe = ray.remote(max_retries=0, num_cpus=0)(task_of(_Reaches(shared, witness)))
        nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        for reference in [
            probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(0)
            for node in nodes
        ]:
            try:
                node_without = result_of(reference)
            except ray.exceptions.RayTaskError:
                raise
            except ray.exceptions.RayError:
                continue  # the node has left
            if node_without and shared:
                raise DataError(
                    f"--ray-address {address}: the node {node_without} does not see the files in {shared.root}; name a "
                    "folder that all nodes share, or a URL, with --scratch"
                )
    finally:
        if shared is not None:
            shared.remove(witness)


class _Reaches:
    """Task that returns the name of its node if that does not see a file in a storage."""

    def __init__(self, storage: Storage | None, name: str) -> None:
        self.storage, self.name = storage, name

    def __call__(self, number: int) -> str | None:
        return None if self.storage is None or self.storage.exists(self.name) else node_address()


def _lost(label: str, error: Exception) -> str:
    reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return (
        f"{label}: its process ended {_ATTEMPTS} times without a result, perhaps for lack of memory "
        f"({type(error).__name__}: {reason})"
    )


@contextmanager
def _environment(*, is_local: bool) -> Iterator[None]:
    """Set what Ray reads as it starts: silence, and for a cluster of this process a token of its own.

    Otherwise Ray would leave a token in the home folder, which a later `ray start` would demand.
    """
    values = {"RAY_USAGE_STATS_ENABLED": "0"}
    values["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"  # otherwise it warns that tasks without GPUs see GPUs
    mine = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"}
    if is_local and "ray" not in sys.modules and not os.environ.keys() & mine:
        values |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    missing = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces by its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _mute() -> None:
    """Mute the messages about lost processes that Ray prints between our own output."""
    import ray._private.worker as driver

    with suppress(AttributeError):
        driver.print_to_stdstream = lambda *values, **options: None
