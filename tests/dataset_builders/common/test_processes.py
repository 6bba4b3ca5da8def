"""Parallel work in processes: ordered results, errors of workers, and no leftover processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.processes import in_order

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems use one process")


def square(number):
    return os.getpid(), number * number


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("processes", [1, 2, 4, 20])
def test_results_are_in_order(count, processes):
    assert [result for _, result in in_order(square, count, processes)] == [n * n for n in range(count)]


def test_a_single_process_is_this_one():
    assert {pid for pid, _ in in_order(square, 5)} == {os.getpid()}


@LINUX
def test_workers_run_all_calls_but_the_first():
    pids = [pid for pid, _ in in_order(square, 7, 2)]
    assert pids[0] == os.getpid() not in pids[1:]
    assert [len(set(pids[first::2])) for first in (1, 2)] == [1, 1]
    assert pids[1] != pids[2]


@LINUX
def test_workers_share_the_data_that_the_first_call_loads():
    loaded = []

    def work(number):
        if not loaded:
            loaded.append(os.getpid())
        return loaded[0]

    assert set(in_order(work, 6, 3)) == {os.getpid()}


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_is_raised_in_place_of_its_result(processes):
    def work(number):
        if number == 3:
            raise DataError("line 3: no text; add one")
        return number

    results = in_order(work, 6, processes)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="line 3: no text; add one"):
        next(results)
    assert list(results) == []
    assert not children()


@LINUX
def test_a_killed_process_is_an_error_with_advice():
    def work(number):
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    with pytest.raises(DataError, match="killed, probably for lack of memory; use fewer processes"):
        list(in_order(work, 6, 2))
    assert not children()


@LINUX
def test_a_consumer_that_stops_early_leaves_no_process_behind():
    results = in_order(square, 100, 2)
    next(results)
    next(results)
    assert len(children()) == 2
    results.close()
    assert not children()


SCRIPT = r"""
import os, sys, time
from dataset_builders.common.processes import in_order
def work(number):
    if number:
        os.write(1, f"{os.getpid()}\n".encode())  # unbuffered, as two processes write
        time.sleep(60)
    return number
for _ in in_order(work, 1000, 2):
    pass
"""


@LINUX
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_its_parent(ending):
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    started = {int(run.stdout.readline()) for _ in range(2)}
    if ending == signal.SIGINT:
        os.killpg(run.pid, ending)  # as a terminal does
    else:
        run.send_signal(ending)
    _, errors = run.communicate(timeout=30)  # waits until every process has closed the pipe
    assert errors.count("Traceback") <= 1  # from the parent only
    deadline = time.monotonic() + 10
    while any(map(alive, started)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def children():
    started = Path(f"/proc/self/task/{os.getpid()}/children")
    return started.read_text().split() if started.exists() else []
