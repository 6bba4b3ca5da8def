"""Stages: kept results, and what is done again after a failure."""

import functools
from pathlib import Path

import numpy as np
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage


def record(folder, number, failing=()):
    """Leave a trace of each call beside the storage."""
    with Path(folder, f"{number}.calls").open("a") as file:
        file.write("x")
    if number in failing:
        raise DataError(f"file {number}, line 3: no text; add one")
    return {"rows": np.int64(number * number), "sizes": (number,)}


@pytest.fixture
def calls(tmp_path):
    (tmp_path / "calls").mkdir()
    return tmp_path / "calls"


def counts(calls):
    return {int(file.stem): len(file.read_text()) for file in calls.iterdir()}


@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_plain_values_and_kept(tmp_path, calls, workers):
    expected = [{"rows": n * n, "sizes": [n]} for n in range(12)]
    for _ in range(2):
        stages = Stages(Storage(str(tmp_path / "kept")), LocalExecutor(workers))
        assert stages.run("square", functools.partial(record, calls), 12) == expected
    assert counts(calls) == dict.fromkeys(range(12), 1)
    assert len(list((tmp_path / "kept" / "square").iterdir())) == 12


def test_only_the_rest_is_done_after_a_failure(tmp_path, calls):
    stages = Stages(Storage(str(tmp_path / "kept")), LocalExecutor())
    with pytest.raises(DataError, match="file 4, line 3"):
        stages.run("square", functools.partial(record, calls, failing=(4,)), 6)
    steps = []
    stages.progress = lambda *step: steps.append(step)
    assert len(stages.run("square", functools.partial(record, calls), 6, step="squares")) == 6
    assert counts(calls) == {0: 1, 1: 1, 2: 1, 3: 1, 4: 2, 5: 1}
    assert steps == [("squares", 4, 6), ("squares", 5, 6), ("squares", 6, 6)]


def test_another_number_of_tasks_is_another_stage(tmp_path, calls):
    stages = Stages(Storage(str(tmp_path / "kept")), LocalExecutor())
    stages.run("square", functools.partial(record, calls), 3)
    stages.run("square", functools.partial(record, calls), 4)
    assert counts(calls) == {0: 2, 1: 2, 2: 2, 3: 1}


def test_a_stage_without_tasks_has_no_results(tmp_path):
    assert Stages(Storage(str(tmp_path)), LocalExecutor()).run("none", abs, 0) == []
