"""Commands that a signal ends: they clean up, and no process that they have started outlives them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forked processes")

COMMAND = """
import signal, sys, time
from multiprocess import Pool
from dataset_builders.common.command_line import run_command_line

def command():
    try:
        with Pool(2) as pool:
            pool.map_async(time.sleep, [60, 60])
            print("started", flush=True)
            time.sleep(60)
    finally:
        print("cleaned", flush=True)
        raise TimeoutError  # as `datasets` does

if "ignored" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
run_command_line(command)
"""

FORKING = """
import os, signal, time
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
from dataset_builders.common.command_line import run_command_line

def command():
    child = os.fork()
    if child == 0:
        time.sleep(20)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

run_command_line(command)
"""

LAUNCHED = """
import time
from cube_model._command import run_launched

def training():
    try:
        print("started", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)

run_launched(training)
"""

SHELL = """
import subprocess, sys, time
training = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(60)
"""

LAUNCHER = f"""
from dataset_builders.common.endings import launching
launches = launching()
launches.__enter__()
{SHELL}"""


def start(*words):
    process = subprocess.Popen(
        [sys.executable, "-c", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "started\n"
    return process, psutil.Process(process.pid).children(recursive=True)


def assert_gone(processes, seconds=20):
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    left = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    for process in left:
        process.kill()
    assert not left


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_process_outlives_a_command(number):
    command, children = start(COMMAND)
    assert len(children) == 2
    command.send_signal(number)
    output, errors = command.communicate(timeout=30)
    assert_gone(children)
    if number == signal.SIGKILL:
        return
    assert command.returncode == 128 + number
    assert (output, errors) == ("cleaned\n", "")


def test_a_signal_that_comes_while_a_process_forks_ends_it():
    """Else the pool that has sent it waits for a process that goes on."""
    output = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=30)
    assert (output.stdout, output.stderr) == (f"{-signal.SIGTERM}\n", "")


def test_signals_that_follow_each_other_are_one_request():
    command, _ = start(COMMAND)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
        command.send_signal(number)
    assert command.communicate(timeout=30) == ("cleaned\n", "")


def test_an_ignored_signal_stays_ignored():
    command, children = start(COMMAND, "ignored")
    command.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        command.wait(1)
    command.send_signal(signal.SIGTERM)
    assert command.wait(30) == 128 + signal.SIGTERM
    assert_gone(children)


def test_a_training_cleans_up_when_its_launcher_is_killed():
    launcher, children = start(LAUNCHER, LAUNCHED)
    launcher.kill()
    assert launcher.communicate(timeout=30) == ("cleaned\n", "interrupted; continue with --resume\n")
    assert_gone(children)


def test_a_training_that_nothing_has_launched_outlives_its_shell():
    shell, (training,) = start(SHELL, LAUNCHED)
    shell.kill()
    shell.wait(30)
    with pytest.raises(psutil.TimeoutExpired):
        training.wait(2)
    training.terminate()
    assert shell.communicate(timeout=30)[0] == "cleaned\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_build_in_two_processes_leaves_none_of_them(sample_raw, tmp_path, number):
    build = ["build", "--raw-dir", sample_raw, "--out", tmp_path / "out", "--num-proc", "2"]
    environment = os.environ | {"HF_HOME": str(tmp_path / "home"), "DIALOGUE_CUBE_CACHE": str(tmp_path / "cache")}
    command = psutil.Popen(
        [Path(sys.executable).with_name("dialogue-cube"), *build], env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(children := command.children(recursive=True)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    command.send_signal(number)
    _, errors = command.communicate(timeout=30)
    assert_gone(children)
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()
    if number == signal.SIGTERM:
        assert command.returncode == 128 + number
        assert not (tmp_path / ".out.building").exists()
