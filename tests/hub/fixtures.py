"""Fixture `hub`: the loopback Hub, and client processes that know no other."""

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
    """One test's view of the loopback Hub: a namespace of its own, and fresh client processes.

    The clients read `HF_ENDPOINT` when they are imported, so they run as processes of their own, each with an
    empty `HF_HOME`.

    Attributes:
        url: Address of the Hub.
        namespace: A namespace that no other test uses.
        server: The server, for its `store`, `requests` and `intercept`.
    """

    def __init__(self, server: HubServer, folder: Path) -> None:
        self.server, self.url, self.folder = server, server.url, folder
        self.namespace = f"org-{uuid.uuid4().hex[:8]}"

    @property
    def env(self) -> dict[str, str]:
        """Environment of a client process; each access names a new, empty `HF_HOME`."""
        keep = {key: os.environ[key] for key in ("PATH", "TMPDIR", "LANG", "SYSTEMROOT") if key in os.environ}
        # the commands of this environment, also where it is not activated
        keep["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), keep.get("PATH", os.defpath)])
        home = self.folder / f"home-{uuid.uuid4().hex[:8]}"
        home.mkdir(parents=True)
        return keep | {
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
        """Runs Python code (a string) or a command (a list) in a fresh process with an empty cache.

        Args:
            command: Code for `python -c`, or program and arguments; the program beside `python` comes first.
            env: Variables on top of `Hub.env`; None takes one away.
            check: Fail the test when the process fails.
            python: That of another environment (`stranger`, `installed`), which then sees nothing of this checkout.
            timeout: Seconds.
        """
        own = python or Path(sys.executable)
        if isinstance(command, str):
            argv = [str(own), "-c", command]
        else:
            beside = own.parent / command[0]
            argv = [str(beside) if beside.exists() else command[0], *command[1:]]
        variables: dict[str, str | None] = {**self.env, **(env or {})}
        variables["PATH"] = os.pathsep.join([str(own.parent), str(variables["PATH"])])
        if python is None:
            variables.setdefault("PYTHONPATH", str(ROOT))
        clean = {key: value for key, value in variables.items() if value is not None}
        done = subprocess.run(
            argv, env=clean, cwd=clean["HOME"], capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            pytest.fail(f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}", pytrace=False)
        return done

    def json(self, code: str, **options: Any) -> Any:
        """What the code printed last, read as JSON. Options as for `run`."""
        return json.loads(self.run(code, **options).stdout.strip().splitlines()[-1])

    def repo(self, kind: str, name: str) -> Repo:
        """The repository `namespace/name` on the server; `kind` is "models", "datasets" or "spaces"."""
        return self.server.store.repos[kind, f"{self.namespace}/{name}"]

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        """Every file of a revision with its content."""
        repo = self.repo(kind, name)
        tree = repo.resolve(revision).tree
        return {path: repo.blobs.path(entry.sha256).read_bytes() for path, entry in tree.items()}

    def use_here(self, monkeypatch: pytest.MonkeyPatch, token: str = "hf_test") -> None:
        """Lets the clients of this very process know no other Hub: faster than a process of their own."""
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", token)

    def intercept(self, answer: Callable[[Request], Response | None]) -> None:
        """Lets `answer` see each request of this test first; see `HubServer.intercept`."""
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
