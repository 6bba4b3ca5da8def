"""What Ray runs on a node for `ray_executor`: a task, once the node has the same versions as the command."""

from __future__ import annotations

import errno
import functools
import pickle
import traceback
from collections.abc import Callable
from typing import Any

from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.common.files import describe_os_error

_SAME_VERSIONS = "install the same versions on all nodes: pip install -c constraints.txt 'dialogue-cube[distributed]'"
_PACKAGES = ("dialogue-cube", "ray", "pyarrow", "numpy", "datasets")


def task_of(work: Callable[[int], Any]) -> Callable[[int], tuple[Any, Any, str]]:
    """Return the function that Ray runs: it compares the versions first, then calls `work`.

    Pickled by value, it also runs on a node without this package, or with another version. `work` is pickled once, and
    read once by each process of a node.
    """
    from ray import cloudpickle

    payload, versions = cloudpickle.dumps(work), _versions()
    loaded: list[Any] = []
    list_versions = _versions_function()

    def task(number: int) -> tuple[Any, Any, str]:
        import pickle

        if not loaded:
            here = list_versions()
            if here != versions:
                return "versions", here, __import__("ray").util.get_node_ip_address()
            from dataset_builders.common.ray_tasks import run_task

            loaded.extend((run_task, pickle.loads(payload)))
        return loaded[0](loaded[1], number)

    return task


@functools.cache
def _versions() -> dict[str, str]:
    """Return the versions of this process; the code may change afterwards."""
    return _versions_function()()


def _versions_function() -> Callable[[], dict[str, str]]:
    """Return a function that is pickled by value and needs nothing but the standard library."""
    packages = _PACKAGES

    def list_versions() -> dict[str, str]:
        import hashlib
        import importlib.metadata
        import importlib.util
        import sys
        from pathlib import Path

        versions = {"Python": "{}.{}".format(*sys.version_info)}
        for name in packages:
            try:
                versions[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                versions[name] = "missing"
        code = hashlib.sha256()
        for name in ("dataset_builders", "cube_model"):
            spec = importlib.util.find_spec(name)
            for folder in (spec and spec.submodule_search_locations) or ():
                for path in sorted(Path(folder).rglob("*.py")):
                    code.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
        versions["code of dialogue-cube"] = code.hexdigest()[:12]
        return versions

    return list_versions


def run_task(work: Callable[[int], Any], number: int) -> tuple[Any, Any, str]:
    """Run on a node: return the kind of the outcome, the result or the error, and the traceback of an error."""
    try:
        return "result", work(number), ""
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error = DataError(f"node {node_address()}: {describe_os_error(error)}")
        text = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # an error that does not survive pickling
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return "error", error, f"on node {node_address()}:\n{text}"


def result_of(reference: Any) -> Any:
    """Return the result of a finished task, or raise its error."""
    import ray

    kind, value, details = ray.get(reference)
    if kind == "versions":
        ours = _versions()
        differing = ", ".join(f"{n} {v} (here {ours[n]})" for n, v in value.items() if v != ours[n])
        raise DataError(f"the node {details} has {differing}; {_SAME_VERSIONS}")
    if kind == "error":
        if isinstance(value, DialogueCubeError):
            raise value
        raise value from RuntimeError(details)
    return value


def node_address() -> str:
    """Return the address of the node that runs this process."""
    import ray

    return str(ray.util.get_node_ip_address())
