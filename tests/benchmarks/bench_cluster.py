"""Are a real build and its vectors the same, byte for byte, on a cluster that loses workers, nodes and itself?

    python tests/benchmarks/bench_cluster.py --raw-dir RAW --work FOLDER [--sources woz,camrest676,multiwoz]
        [--teacher minilm] [--only "two nodes"]

Builds the sources and embeds their texts in one process and in four, on Ray here, and on a cluster of two nodes on
loopback. The cluster reads the raw files from a loopback S3 and keeps its intermediate files there: undisturbed, with a
worker killed, with a node killed while another joins, and with driver and cluster killed and started again. Faults come
in the middle of the undisturbed build, and in another run in the middle of the embedding. Prints a line for each way: how
many files equal those of one process, and the seconds of building and embedding. FOLDER keeps the results, so that the
same command goes on where it was stopped.
"""

import argparse
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import psutil  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

from support.clusters import S3, RayCluster  # noqa: E402

LOCAL = {
    "one process": ("--num-proc", "1"),
    "four processes": ("--num-proc", "4"),
    "Ray on this machine": ("--executor", "ray"),
}
AGAIN = "driver and cluster killed and started again"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sources", type=lambda text: text.split(","), default=["woz", "camrest676", "multiwoz"])
    parser.add_argument("--teacher", help="also embed the texts")
    parser.add_argument("--at", type=float, default=0.5, help="share of the undisturbed time at which a fault comes")
    parser.add_argument("--only", nargs="*", help="ways, all by default; the first one is always there")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        Comparison(arguments, S3(server.get_host_and_port()[1])).run()
    finally:
        server.stop()


class Comparison:
    """Builds in several ways, each compared with the first."""

    def __init__(self, arguments: argparse.Namespace, s3: S3) -> None:
        self.settings, self.s3, self.work = arguments, s3, arguments.work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        os.environ.update(s3.env)
        self.results = self.work / "results.json"
        self.known = json.loads(self.results.read_text()) if self.results.exists() else {}

    def run(self) -> None:
        """Try each way that has no result yet."""
        for name, words in LOCAL.items():
            self.attempt(name, lambda words=words: self.timed(words))
        faults: dict[str, Callable[[RayCluster], None] | None] = {
            "two nodes": None,
            "a worker killed": kill_worker,
            "a node killed while another joins": replace_node,
            AGAIN: None,
        }
        for name, fault in faults.items():
            self.attempt(name, lambda name=name, fault=fault: self.on_cluster(name, fault))

    def attempt(self, name: str, way: Callable[[], dict]) -> None:
        """Keep and print the result of a way."""
        only = self.settings.only
        if name not in self.known and (only is None or name in [*only, "one process"]):
            shutil.rmtree(self.work / "out", ignore_errors=True)
            self.known[name] = way() | {"files": self.digests()}
            self.results.write_text(json.dumps(self.known, indent=1))
        if name in self.known:
            expected, here = self.known["one process"]["files"], self.known[name]
            equal = sum(here["files"].get(path) == digest for path, digest in expected.items())
            seconds = ", ".join(f"{key} {value:.0f} s" for key, value in here.items() if key != "files")
            sys.stdout.write(f"{name}: {equal} of {len(expected)} files equal, {len(here['files'])} files; {seconds}\n")
            sys.stdout.flush()

    def timed(
        self, words: tuple[str, ...], cluster: RayCluster | None = None, raw: str | None = None, **faults
    ) -> dict:
        """Build and embed; returns the seconds of each.

        Args:
            words: Where the tasks run.
            cluster: The cluster.
            raw: Folder or URL of the raw files.
            faults: Called in the middle of the step of this name.
        """
        seconds = {}
        for step in ("build", "embed") if self.settings.teacher else ("build",):
            started = time.monotonic()
            process = self.start(step, words, cluster, raw)
            if fault := faults.get(step):
                time.sleep(self.settings.at * self.known["two nodes"][step])
                process = fault(process) or process
            output, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"{step} {' '.join(words)}: exit {process.returncode}\n{output[-3000:]}")
            seconds[step] = time.monotonic() - started
        return seconds

    def on_cluster(self, name: str, fault: Callable[[RayCluster], None] | None) -> dict:
        """Build and embed on a cluster of two nodes, with a fault in each."""
        cluster = RayCluster(self.work / name.replace(" ", "-"), self.s3.env)
        bucket = self.s3.bucket()
        words = ("--executor", "ray", "--ray-address", cluster.address, "--scratch", f"{bucket}/scratch")
        raw = f"{bucket}/raw"
        self.upload(raw)

        def disturb(process: subprocess.Popen) -> None:
            if fault:
                fault(cluster)

        def stop(step: str, process: subprocess.Popen) -> subprocess.Popen:
            process.kill()
            cluster.kill_all()
            process.communicate()
            cluster.start()
            return self.start(step, words, cluster, raw)

        faults = {step: disturb for step in ("build", "embed") if fault}
        if name == AGAIN:
            faults = {step: lambda process, step=step: stop(step, process) for step in ("build", "embed")}
        try:
            cluster.start()
            return self.timed(words, cluster, raw, **faults)
        finally:
            cluster.kill_all()

    def upload(self, raw: str) -> None:
        """Copy the raw files of the sources to S3."""
        from dataset_builders.common.storage import Storage

        for source in self.settings.sources:
            Storage(raw).put_folder(self.settings.raw_dir.resolve() / source, source)

    def digests(self) -> dict[str, str]:
        """Digests of the files of dataset and vectors."""
        out = self.work / "out"
        files = (path for path in sorted(out.rglob("*")) if path.is_file())
        return {path.relative_to(out).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}

    def start(
        self, step: str, words: tuple[str, ...], cluster: RayCluster | None, raw: str | None
    ) -> subprocess.Popen[str]:
        """Start a build or an embedding."""
        data, vectors = str(self.work / "out" / "data"), str(self.work / "out" / "vectors")
        options = {
            "build": [*self.settings.sources, "--raw-dir", raw or str(self.settings.raw_dir.resolve()), "--out", data],
            "embed": ["--data", data, "--teacher", str(self.settings.teacher), "--out", vectors],
        }[step]
        if step == "embed":
            words = tuple("--processes" if word == "--num-proc" else word for word in words)
        return subprocess.Popen(
            [sys.executable, "-m", "dialogue_cube", step, *options, *words],
            cwd=ROOT,
            env=cluster.env if cluster else os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def kill_worker(cluster: RayCluster) -> None:
    """Kill one process of the cluster that runs a task."""
    for _ in range(100):
        below = (child for node in cluster.nodes for child in psutil.Process(node.pid).children(recursive=True))
        lines = {child.pid: " ".join(child.cmdline()) for child in below if child.is_running()}
        # a node ends with its agents; other workers wait
        busy = [pid for pid, line in lines.items() if line.startswith("ray::") and not re.search("Agent|IDLE", line)]
        if busy:
            os.kill(busy[-1], signal.SIGKILL)
            sys.stdout.write(f"killed: {lines[busy[-1]].strip()}\n")
            return
        time.sleep(0.2)
    sys.stdout.write("no worker was there to be killed\n")


def replace_node(cluster: RayCluster) -> None:
    """Kill a node while another one joins."""
    cluster.join(wait=False)
    cluster.kill(cluster.nodes[1])


if __name__ == "__main__":
    main()
