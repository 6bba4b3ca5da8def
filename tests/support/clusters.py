"""Clusters on this machine: a loopback S3, and Ray nodes that can be killed."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.serving import free_port

ROOT = Path(__file__).parents[2]


class S3:
    """A server that speaks S3.

    Attributes:
        env: Environment of a process that uses it.
    """

    def __init__(self, port: int) -> None:
        self.env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self) -> str:
        """Create a bucket, and return its URL."""
        import fsspec

        name = f"bucket-{uuid.uuid4().hex[:8]}"
        server = {"endpoint_url": self.env["AWS_ENDPOINT_URL"]}
        fsspec.filesystem("s3", key="key", secret="secret", client_kwargs=server).mkdir(name)
        return f"s3://{name}"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """A server of S3 for all tests of this process."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield S3(server.get_host_and_port()[1])
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch) -> S3:
    """The server of S3, with its address and credentials in the environment."""
    for name, value in s3_server.env.items():
        monkeypatch.setenv(name, value)
    return s3_server


class RayCluster:
    """A Ray cluster of the command line on loopback: a head without CPUs, and nodes of one CPU each.

    Args:
        folder: Folder for the token and the logs.
        env: More environment variables of the nodes.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.address = folder, f"127.0.0.1:{free_port()}"
        self.nodes: list[subprocess.Popen] = []
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text(uuid.uuid4().hex * 2)
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)]),
            **env,
        }

    def start(self, nodes: int = 2) -> None:
        """Start the head and nodes, one after the other, since each needs a processor for seconds."""
        port = self.address.rpartition(":")[2]
        self._start("--head", "--port", port, "--num-cpus", "0", "--include-dashboard", "false")
        for _ in range(nodes):
            self.join()

    def join(self, *, wait: bool = True, **env: str) -> subprocess.Popen:
        """Start a node of one CPU.

        Args:
            wait: Whether to wait until it has started.
            env: More environment variables of the node.
        """
        return self._start("--address", self.address, "--num-cpus", "1", wait=wait, **env)

    def kill(self, node: subprocess.Popen) -> None:
        """End a node and all of its processes at once, as a power failure does."""
        with suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait(20)
        self.nodes.remove(node)

    def kill_all(self) -> None:
        """End all nodes, and the head."""
        for node in self.nodes[::-1]:
            self.kill(node)

    def _start(self, *arguments: str, wait: bool = True, **env: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address", "127.0.0.1"]
        command += ["--object-store-memory", "80000000", *arguments]
        for _ in range(3):  # Ray gives up after 30 s, which a busy machine exceeds
            log = self.folder / f"node-{uuid.uuid4().hex[:8]}.log"
            with log.open("w") as out:
                node = subprocess.Popen(command, stdout=out, stderr=out, env=self.env | env, start_new_session=True)
            self.nodes.append(node)
            while wait and node.poll() is None and "Ray runtime started" not in log.read_text():
                time.sleep(0.2)
            if node.poll() is None:
                return node
            self.kill(node)
        return pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def ray_cluster(tmp_path_factory, s3_server) -> Iterator[RayCluster]:
    """A running cluster whose nodes use the loopback S3; skipped without Ray."""
    pytest.importorskip("ray", reason="no Ray: pip install 'dialogue-cube[distributed]'")
    cluster = RayCluster(tmp_path_factory.mktemp("cluster"), s3_server.env)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill_all()
