"""Commands of this checkout in forked processes: their libraries are loaded once, and a kill hits the work."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[3]
LIBRARIES = ("accelerate", "datasets", "duckdb", "fastapi", "safetensors.torch", "sentence_transformers", "uvicorn")
NOT_LOADED = ("dataset_builders.dashboard", "dataset_builders.notebooks", "cube_model.core", "cube_model.evaluation")


class Run:
    """A command line of this checkout in a process of its own, which is forked: its libraries are there already.

    So kills hit the work rather than the start of Python. A pipeline starts its commands as anywhere.

    Args:
        folder: Working folder.
        words: Command line.
    """

    def __init__(self, folder: Path, words: list[str]) -> None:
        self.printed = folder / "printed.txt"
        self.returncode: int | None = None
        self._asking = threading.Lock()
        self.pid = os.fork()
        if not self.pid:
            os._exit(self._main(folder, words))

    def poll(self) -> int | None:
        """Exit code, negative after a signal; None while it runs."""
        with self._asking:  # only one thread is told the end
            if self.returncode is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
                self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode

    def wait(self, seconds: float = 600) -> int | None:
        """Wait for the end; None if it does not come."""
        end = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        return self.returncode

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _main(self, folder: Path, words: list[str]) -> int:
        with self.printed.open("wb") as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
        os.chdir(folder)
        sys.argv = ["dialogue-cube", *words]
        try:
            import dialogue_cube

            dialogue_cube.main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            return 99
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return 0


def preload() -> None:
    """Import what the commands import, before any process is forked."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for package in ("cube_model", "dataset_builders"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if "__main__" not in module.name and not module.name.startswith(NOT_LOADED):
                importlib.import_module(module.name)


def kill(folder: Path, words: list[str], moment: float) -> None:
    """Start a command, and kill it if it still runs at that moment."""
    run = Run(folder, words)
    run.wait(moment)
    run.kill()
    run.wait()


def finish(folder: Path, words: list[str]) -> tuple[int, str]:
    """Run a command to its end: exit code and what it printed."""
    run = Run(folder, words)
    code = run.wait()
    return 1 if code is None else code, run.printed.read_text(errors="replace")


def must(folder: Path, words: list[str]) -> None:
    """Run a command that must succeed."""
    code, printed = finish(folder, words)
    if code:
        raise SystemExit(f"{' '.join(words)}: {printed[-2000:]}")
