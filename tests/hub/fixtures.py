"""Fixture `hub`: the loopback Hub, with client processes that use no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from .server import HubServer
from .store import Repo
from .strangers import installed, stranger

__all__ = ["hub", "hub_server", "installed", "stranger"]

ROOT = Path(__file__).parents[2]


class Hub:
    """The loopback Hub for one test, with a namespace of its own and fresh client processes.

    Each client runs in a process of its own with an empty `HF_HOME`, since clients read `HF_ENDPOINT` on import.

    Attributes:
        url: Address of the Hub.
        namespace: Namespace that no other test uses.
        server: The server, for its `store`, `requests` and `intercept`.
        folder: Folder for the clients.
    """

    def __init__(self, server: HubServer, folder: Path) -> None:
        self.server, self.url, self.folder = server, server.url, folder
        self.namespace = f"org-{uuid.uuid4().hex[:8]}"

    @property
    def env(self) -> dict[str, str]:
        """Environment of a client process, with a new, empty `HF_HOME` each time."""
        names = ("PATH", "TMPDIR", "LANG", "SYSTEMROOT", "LOCAL_WORLD_SIZE")
        inherited = {key: os.environ[key] for key in names if key in os.environ}
        # with the commands of this environment, even if it is not activated
        inherited["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
        home = self.folder / f"home-{uuid.uuid4().hex[:8]}"
        home.mkdir(parents=True)
        return inherited | {
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": "hf_test",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
            "COLUMNS": "300",
        }

    def run(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str | None] | None = None,
        check: bool = True,
        python: Path | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code (a string) or a command (a list) in a fresh process with an empty cache.

        Args:
            command: Code for `python -c`, or program and arguments. A program in the folder of `python` is preferred.
            env: Variables in addition to `Hub.env`; None removes one.
            check: Whether the test fails if the process fails.
            python: Python of another environment (`stranger`, `installed`), without access to this checkout.
            timeout: Time limit in seconds.
        """
        interpreter = python or Path(sys.executable)
        if isinstance(command, str):
            argv = [str(interpreter), "-c", command]
        else:
            program = interpreter.parent / command[0]
            argv = [str(program) if program.exists() else command[0], *command[1:]]
        variables: dict[str, str | None] = {**self.env, **(env or {})}
        variables["PATH"] = os.pathsep.join([str(interpreter.parent), str(variables["PATH"])])
        if python is None:
            variables.setdefault("PYTHONPATH", str(ROOT))
        clean = {key: value for key, value in variables.items() if value is not None}
        result = subprocess.run(
            argv, env=clean, cwd=clean["HOME"], capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and result.returncode:
            pytest.fail(
                f"exit code {result.returncode}\n{result.stdout[-2000:]}\n{result.stderr[-6000:]}", pytrace=False
            )
        return result

    def json(self, code: str, **options: Any) -> Any:
        """Run code and return its last line of output, parsed as JSON. Options as for `run`."""
        return json.loads(self.run(code, **options).stdout.strip().splitlines()[-1])

    def repo(self, kind: str, name: str) -> Repo:
        """Return the repository `namespace/name` on the server; `kind` is "models", "datasets" or "spaces"."""
        return self.server.store.repos[kind, f"{self.namespace}/{name}"]

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        """Return all files of a revision with their contents."""
        repo = self.repo(kind, name)
        tree = repo.resolve(revision).tree
        return {path: repo.blobs.path(entry.sha256).read_bytes() for path, entry in tree.items()}

    def use_here(self, monkeypatch: pytest.MonkeyPatch, token: str = "hf_test") -> None:
        """Make the clients of this process use this Hub; faster than a process of their own."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", token)

    def intercept(self, answer: Callable[[Request], Response | None]) -> None:
        """Pass each request of this test to `answer` first; see `HubServer.intercept`."""
        self.server.intercept = answer


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    server = HubServer(tmp_path_factory.mktemp("hub")).start()
    yield server
    server.stop()


@pytest.fixture
def hub(hub_server: HubServer, tmp_path: Path) -> Iterator[Hub]:
    yield Hub(hub_server, tmp_path / "clients")
    hub_server.intercept = None
