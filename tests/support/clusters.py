"""Clusters on this machine: a loopback S3, and Ray nodes that can be killed."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
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
        fsspec.filesystem("s3", use_listings_cache=False).mkdir(name)
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
        """Start the head and nodes, and wait until all are there."""
        port = self.address.rpartition(":")[2]
        self._run("--head", "--port", port, "--num-cpus", "0", "--include-dashboard", "false")
        self.wait(self.nodes[0])
        for node in [self.join() for _ in range(nodes)]:
            self.wait(node)

    def join(self, **env: str) -> subprocess.Popen:
        """Start a node of one CPU.

        Args:
            env: More environment variables of the node.
        """
        return self._run("--address", self.address, "--num-cpus", "1", **env)

    def kill(self, node: subprocess.Popen) -> None:
        """End a node and all of its processes at once, as a power failure does."""
        os.killpg(node.pid, signal.SIGKILL)
        node.wait(20)
        self.nodes.remove(node)

    def kill_all(self) -> None:
        """End all nodes, and the head."""
        for node in self.nodes[::-1]:
            self.kill(node)

    def _run(self, *arguments: str, **env: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address", "127.0.0.1"]
        log = self.folder / f"node-{uuid.uuid4().hex[:8]}.log"
        memory = ("--object-store-memory", "80000000")
        with log.open("w") as out:
            node = subprocess.Popen(
                [*command, *memory, *arguments], stdout=out, stderr=out, env=self.env | env, start_new_session=True
            )
        node.log = log
        self.nodes.append(node)
        return node

    def wait(self, node: subprocess.Popen) -> None:
        """Wait until a node has started."""
        for _ in range(600):
            if "Ray runtime started" in node.log.read_text():
                return
            assert node.poll() is None, node.log.read_text()
            time.sleep(0.2)
        pytest.fail(node.log.read_text())


@pytest.fixture
def ray_cluster(tmp_path_factory) -> Iterator[RayCluster]:
    """A cluster that the test starts itself; skipped without Ray."""
    pytest.importorskip("ray", reason="no Ray: pip install 'dialogue-cube[distributed]'")
    cluster = RayCluster(tmp_path_factory.mktemp("cluster"), {})
    try:
        yield cluster
    finally:
        cluster.kill_all()
