"""Is a real build the same, byte for byte, on a cluster that loses workers, nodes and itself?

    python tests/benchmarks/bench_cluster.py --raw-dir RAW [--sources woz,camrest676,multiwoz]

Builds the sources in one process and in four, on Ray here, and on a cluster of two nodes on loopback that keeps its
intermediate files in a loopback S3: undisturbed, with a worker killed, with a node killed while another joins, and with
driver and cluster killed and started again. Faults come at `--at` of the time of the undisturbed build. Prints the
seconds of each build and how many of its files equal those of one process.
"""

import argparse
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from moto.server import ThreadedMotoServer  # noqa: E402

from support.clusters import S3, RayCluster  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--sources", type=lambda text: text.split(","), default=["woz", "camrest676", "multiwoz"])
    parser.add_argument("--at", type=float, default=0.5)
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    work = Path(tempfile.mkdtemp())
    try:
        Comparison(arguments, S3(server.get_host_and_port()[1]), work).run()
    finally:
        server.stop()
        shutil.rmtree(work)


class Comparison:
    """Builds in several ways, each compared with the first."""

    def __init__(self, arguments: argparse.Namespace, s3: S3, work: Path) -> None:
        self.raw, self.sources, self.at, self.s3, self.work = (
            arguments.raw_dir.resolve(),
            arguments.sources,
            arguments.at,
            s3,
            work,
        )
        os.environ.update(s3.env)
        self.expected: dict[str, str] = {}
        self.duration = 0.0

    def run(self) -> None:
        """Print a row for each way."""
        self.compare("one process", "--num-proc", "1")
        self.compare("four processes", "--num-proc", "4")
        self.compare("Ray on this machine", "--executor", "ray")
        for name, fault in (
            ("two nodes", None),
            ("a worker killed", kill_worker),
            ("a node killed while another joins", replace_node),
            ("driver and cluster killed and started again", None),
        ):
            cluster = RayCluster(self.work / name.replace(" ", "-"), self.s3.env)
            try:
                cluster.start()
                scratch = f"{self.s3.bucket()}/scratch"
                words = ("--executor", "ray", "--ray-address", cluster.address, "--scratch", scratch)
                if name.startswith("driver"):
                    self.interrupt(cluster, words)
                self.compare(name, *words, cluster=cluster, fault=fault)
            finally:
                cluster.kill_all()

    def compare(
        self,
        name: str,
        *words: str,
        cluster: RayCluster | None = None,
        fault: Callable[[RayCluster], None] | None = None,
    ) -> None:
        """Build, and print how many files are the expected ones."""
        out = self.work / "out"
        started = time.monotonic()
        build = self.start(out, words, cluster)
        if fault and cluster:
            time.sleep(self.at * self.duration)
            fault(cluster)
        output, _ = build.communicate()
        seconds = time.monotonic() - started
        if build.returncode:
            sys.stdout.write(f"{name}: exit {build.returncode}\n{output[-2000:]}\n")
            return
        files = {
            path.relative_to(out).as_posix(): sha256(path.read_bytes()).hexdigest()
            for path in sorted(out.rglob("*"))
            if path.is_file()
        }
        shutil.rmtree(out)
        self.expected = self.expected or files
        if name == "two nodes":
            self.duration = seconds
        equal = sum(files.get(path) == digest for path, digest in self.expected.items())
        sys.stdout.write(f"{name}: {equal} of {len(self.expected)} files equal, {len(files)} files, {seconds:.0f} s\n")
        sys.stdout.flush()

    def interrupt(self, cluster: RayCluster, words: tuple[str, ...]) -> None:
        """Kill a build and its cluster, and start the cluster again."""
        build = self.start(self.work / "out", words, cluster)
        time.sleep(self.at * self.duration)
        build.kill()
        cluster.kill_all()
        build.communicate()
        cluster.start()

    def start(self, out: Path, words: tuple[str, ...], cluster: RayCluster | None) -> subprocess.Popen[str]:
        """Start a build."""
        command = [sys.executable, "-m", "dialogue_cube", "build", *self.sources, "--raw-dir", str(self.raw)]
        return subprocess.Popen(
            [*command, "--out", str(out), *words],
            env=cluster.env if cluster else os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def kill_worker(cluster: RayCluster) -> None:
    """Kill one process that runs a task."""
    workers = subprocess.run(["pgrep", "-f", "ray::"], capture_output=True, text=True, check=False).stdout.split()
    if workers:
        os.kill(int(workers[-1]), signal.SIGKILL)


def replace_node(cluster: RayCluster) -> None:
    """Kill a node while another one joins."""
    cluster.join(wait=False)
    cluster.kill(cluster.nodes[1])


if __name__ == "__main__":
    main()
