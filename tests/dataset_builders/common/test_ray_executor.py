"""The same bytes from one process, several, Ray on this machine and a cluster that loses workers, nodes and itself."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import ExecutionSettings, open_executor
from support.clusters import ROOT
from support.staged_work import PARSED

pytest.importorskip("ray", reason="no Ray: pip install 'dialogue-cube[distributed]'")
pytestmark = pytest.mark.slow

FAILURES = ("killed", "wrong file", "error", "full disk")


class Driver:
    """A process that runs jobs; its output is one answer for each."""

    def __init__(self, folder, env, *arguments):
        self.trace = folder
        folder.mkdir(exist_ok=True)
        home = {"HOME": str(folder), "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.staged_work", *arguments, "--trace", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | env | home,
        )

    def answers(self):
        try:
            output, errors = self.process.communicate(timeout=600)
        finally:
            self.process.kill()
        assert (self.process.returncode, errors) == (0, ""), errors
        return [json.loads(line) for line in output.splitlines()]

    def calls(self):
        """How often each task has finished."""
        return {int(path.name.partition("-")[2]): len(path.read_text()) for path in self.trace.glob("parse-*")}

    def wait_for(self, count):
        """Wait until some tasks have finished."""
        deadline = time.monotonic() + 120
        while len(self.calls()) < count:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)


def contents(folder):
    """Hashes of all files in a folder, by relative path."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def one_process(tmp_path_factory, sample_raw):
    """Trace of the jobs in one process, with the dataset folder, and the fingerprint of the files of the toy."""
    trace = tmp_path_factory.mktemp("local")
    arguments = ("toy", "build", "--executor", "local", "--scratch", str(trace / "scratch"))
    answers = Driver(trace, {"SAMPLE_RAW": str(sample_raw)}, *arguments).answers()
    assert answers[1] == answers[0]
    return trace, answers[0]["files"]


@pytest.fixture(scope="module")
def files(one_process):
    """Fingerprint of the files of the toy."""
    return one_process[1]


@pytest.mark.parametrize(("executor", "workers"), [("local", "4"), ("ray", "2")])  # each of Ray starts for seconds
def test_several_processes_of_this_machine_write_the_same_files(tmp_path, one_process, executor, workers, sample_raw):
    arguments = ("--executor", executor, "--workers", workers, "--scratch", str(tmp_path / "scratch"))
    driver = Driver(tmp_path / "trace", {"SAMPLE_RAW": str(sample_raw)}, "toy", "build", *arguments)
    trace, files = one_process
    assert driver.answers() == [{"files": files}] * 2
    assert contents(driver.trace / "dataset") == contents(trace / "dataset") != {}
    assert not (driver.trace / ".ray").exists()  # no token in the home folder


@pytest.fixture(scope="module")
def answers(tmp_path_factory, ray_cluster, s3_server):
    """Answers of a cluster that loses a worker, and a node while another one joins; then tasks fail for good."""
    trace = tmp_path_factory.mktemp("trace")
    (trace / "kill-1").touch()
    common = ("--ray-address", ray_cluster.address, "--scratch", s3_server.bucket() + "/scratch")
    driver = Driver(trace, ray_cluster.env, "toy", *FAILURES, *common)
    driver.wait_for(3)
    ray_cluster.join(wait=False)
    ray_cluster.kill(ray_cluster.nodes[1])
    return dict(zip(["toy", *FAILURES], driver.answers(), strict=True))


def test_a_cluster_that_loses_a_worker_and_a_node_writes_the_same_files(answers, files):
    assert answers["toy"] == {"files": files}


def test_a_task_whose_worker_dies_five_times_is_named(answers):
    error = answers["killed"]["error"]
    assert error.startswith("raw/2.json: its process ended 5 times without a result, perhaps for lack of memory")
    assert re.search(r"\d of 4 tasks of killed are kept in s3://\S+; go on with: staged_work.py toy ", error)


def test_errors_of_tasks_come_through(answers):
    assert answers["wrong file"]["type"] == "DataError"
    assert answers["wrong file"]["error"] == "raw/2.json, line 7: no text; add one"
    assert (answers["error"]["type"], answers["error"]["error"]) == ("KeyError", "'speaker'")
    assert 'raise KeyError("speaker")' in answers["error"]["cause"]


def test_a_full_disk_of_a_node_is_named(answers):
    assert re.match(r"node [\d.]+: /\S+/trace\d: no space left on a disk; make room", answers["full disk"]["error"])


def test_a_node_with_another_version_is_refused_by_name(tmp_path, ray_cluster):
    other = tmp_path / "other" / "numpy-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    path = os.pathsep.join([str(other.parent), ray_cluster.env["PYTHONPATH"]])
    node = ray_cluster.join(PYTHONPATH=path)
    common = ("toy", "--ray-address", ray_cluster.address, "--scratch", str(tmp_path / "scratch"))
    errors = Driver(tmp_path / "trace", ray_cluster.env, *common).process.communicate(timeout=600)[1]
    ray_cluster.kill(node)
    assert re.search(r"error: the node [\d.]+ has numpy 1.0 \(here [\d.]+\); install the same versions", errors)


def test_finished_tasks_are_not_done_again_by_a_new_cluster(tmp_path, files, ray_cluster):
    common = ("toy", "--ray-address", ray_cluster.address, "--scratch", str(tmp_path / "scratch"))
    driver = Driver(tmp_path / "trace", ray_cluster.env, *common)
    driver.wait_for(4)
    driver.process.kill()
    ray_cluster.kill_all()
    driver.process.communicate()
    ray_cluster.start(nodes=1)
    assert Driver(tmp_path / "trace", ray_cluster.env, *common).answers() == [{"files": files}]
    repeated = [number for number, calls in driver.calls().items() if calls > 1]
    assert len(driver.calls()) == PARSED
    assert len(repeated) <= 2  # they had finished, without their marks


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", r"cannot be reached \(Connection refused\); start a cluster"),
        ("127.0.0.1", "not an address HOST:PORT"),
        ("ray://127.0.0.1:10001", "not an address HOST:PORT"),
        (None, "another server than Ray's|no answer"),
    ],
)
def test_an_unreachable_address_is_refused_in_seconds(address, reason):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = address or f"127.0.0.1:{mute.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(DataError, match=f"--ray-address {address}: {reason}"), open_executor("ray", None, address):
            pass
        assert time.monotonic() - start < 60  # 4 s and the import of Ray, on a busy machine


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="needs --executor ray"):
        ExecutionSettings(ray_address="head:6379")
    with pytest.raises(DataError, match="needs --scratch"):
        ExecutionSettings(executor="ray", ray_address="head:6379")
    with pytest.raises(DataError, match="no executor slurm; choose one of local, ray"), open_executor("slurm"):
        pass


def test_nothing_else_imports_ray():
    importing = [
        path.relative_to(ROOT).as_posix()
        for package in ("dataset_builders", "cube_model", "push_scripts")
        for path in Path(ROOT, package).rglob("*.py")
        if re.search(r"^\s*(import|from) ray\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(importing) == [f"dataset_builders/common/ray_{part}.py" for part in ("executor", "tasks")]
