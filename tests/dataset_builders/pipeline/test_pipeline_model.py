"""The steps of the model: a core is trained, killed, resumed, evaluated, and pushed only on request."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dataset_builders.common.command_options import option_words
from dataset_builders.common.errors import DataError
from dataset_builders.pipeline.commands import run_command
from dataset_builders.pipeline.config import (
    EvaluateSettings,
    PipelineConfig,
    PushSettings,
    command_section,
)
from dataset_builders.pipeline.pipeline import Listener, plan_pipeline, run_pipeline
from support.tiny_teacher import save_tiny_distilbert

TrainSettings = command_section("train")
ResponseSelectionSettings = command_section("evaluate.response_selection")
LeaderboardSettings = command_section("evaluate.leaderboard")
PushTarget = command_section("push")

SECRET = "hf_thisTokenMustNotBeSeen"

KILLED = """
import sys
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.pipeline.pipeline import run_pipeline

run_pipeline(PipelineConfig.load(sys.argv[1]))
"""


class Commands(Listener):
    """Records the commands."""

    def __init__(self):
        self.shown = []

    def command(self, shown):
        self.shown.append(shown)


@pytest.fixture(scope="module")
def config(sample_raw, tmp_path_factory):
    place = tmp_path_factory.mktemp("pipeline")
    for name in ("camrest676", "banking77"):
        shutil.copytree(sample_raw / name, place / "raw" / name)
    teacher = save_tiny_distilbert(place / "teacher", 64)
    return PipelineConfig(
        raw_dir=place / "raw",
        out=place / "out",
        database=False,
        train=TrainSettings(
            teacher=str(teacher), validation="split", epochs=30, patience=30, threads=1, map_answers=False
        ),
        evaluate=EvaluateSettings(response_selection=ResponseSelectionSettings(draws=1, max_pairs=50)),
        push=PushSettings(dataset=PushTarget("org/corpus", dry_run=True)),
    )


@pytest.fixture(autouse=True)
def _surroundings(config, monkeypatch):
    import datasets

    place = config.out.parent
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", place / "cache")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(place / "cache"))
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(place / "cube"))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def trainers(core):
    """Ids of the processes that train a core in this folder."""
    ids = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if b"cube_model.train" in words and str(core).encode() in words:
            ids.append(process.parent.name)
    return ids


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a command outlives a killed pipeline")
def test_killed_while_a_core_is_trained(config):
    """kill -9 ends the training too; the next run resumes it from its checkpoint, and the run after has nothing to do."""
    file = config.out.parent / "pipeline.yaml"
    file.write_text(config.to_yaml())
    with subprocess.Popen([sys.executable, "-c", KILLED, str(file)], start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not list((config.out / ".core.training").glob("checkpoint*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    while trainers(config.out / "core"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (config.out / "core").exists()

    commands = Commands()
    outcomes = {outcome.step: outcome for outcome in run_pipeline(config, commands)}
    assert [name for name, outcome in outcomes.items() if outcome.state == "done"] == [
        "train", "evaluate: response_selection", "push: dataset"
    ]  # fmt: skip
    train, evaluate, push = commands.shown
    assert train.startswith("python -m cube_model.train --data ")
    assert "--keep-answers" in train
    assert train.endswith("--overwrite --resume")
    assert evaluate.startswith("dialogue-cube evaluate response-selection --data ")
    assert push.endswith("--repo org/corpus --dry-run")
    figures = json.loads((config.out / "evaluation" / "response_selection.json").read_text())
    assert {result["method"] for result in figures["results"]} >= {"trained core"}
    assert {outcome.state for outcome in run_pipeline(config)} == {"up to date"}


def test_changes_of_rows_that_the_core_does_not_read_do_not_train_it_again(config):
    file = config.raw_dir / "banking77" / "train.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([lines[0], f"Please {lines[1]}", *lines[2:]]))
    outcomes = {outcome.step: outcome.state for outcome in run_pipeline(config)}
    assert outcomes["dataset"] == "done"
    assert outcomes["train"] == outcomes["evaluate: response_selection"] == "up to date"
    longer = replace(config, train=replace(config.train, epochs=31))
    plan = {outcome.step: (outcome.state, outcome.why) for outcome in plan_pipeline(longer)}
    assert plan["dataset"] == ("up to date", "")
    assert plan["train"] == ("runs", "train.epochs: 30 -> 31")
    assert plan["evaluate: response_selection"] == ("may run", "if train gives a new result")


def test_the_token_is_nowhere(config):
    files = [path for path in config.out.rglob("*") if path.is_file()]
    assert any(path.name == "pipeline.log" for path in files)
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_only_what_is_named_is_pushed(config):
    without = replace(config, push=None)
    assert not [outcome.step for outcome in plan_pipeline(without) if outcome.step.startswith("push")]


def test_nothing_is_pushed_when_a_source_failed(config):
    broken = config.raw_dir / "banking77" / "test.csv"
    content = broken.read_text()
    broken.write_text("text;category\nwrong\n")
    try:
        going = replace(config, keep_going=True, train=None, evaluate=None)
        outcomes = {outcome.step: outcome for outcome in run_pipeline(going)}
    finally:
        broken.write_text(content)
    assert outcomes["dataset"].state == "done"
    assert (outcomes["push: dataset"].state, outcomes["push: dataset"].why) == (
        "skipped", "quality and pairs: banking77 failed"
    )  # fmt: skip


def test_a_failing_command_is_reported_in_one_line(capfd):
    shown = []
    with pytest.raises(
        DataError, match=r"`dialogue-cube push dataset --data absent --repo a/b` failed with exit code 1"
    ):
        run_command(["dialogue-cube", "push", "dataset", "--data", "absent", "--repo", "a/b"], shown.append)
    assert "error: " in capfd.readouterr().err
    assert shown == ["dialogue-cube push dataset --data absent --repo a/b"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": ("test",)}, "train: needs the splits train and validation"),
        ({"splits": ("train", "validation")}, "evaluate.response_selection.split: test is not among"),
        ({"train": None, "push": PushSettings(model=PushTarget("org/core"))}, "push.model: no core is trained"),
    ],
)
def test_steps_that_do_not_fit_together_are_reported_before_any_work(config, changes, message):
    with pytest.raises(DataError, match=message):
        run_pipeline(replace(config, **changes))


def test_settings_become_options_of_a_command():
    settings = LeaderboardSettings(sources=("sgd", "woz"), train_sizes=(1000, "all"), seeds=2)
    assert option_words(settings) == ["--sources", "sgd,woz", "--train-sizes", "1000,all", "--seeds", "2"]
    assert option_words(PushTarget("a/b", private=True)) == ["--repo", "a/b", "--private"]
    assert option_words(TrainSettings(map_answers=True), ["processes"]) == ["--map-answers"]
    assert option_words(TrainSettings(map_answers=False), ["processes"]) == ["--keep-answers"]


def test_a_foreign_folder_is_not_replaced(config, tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="exists and is no trained core"):
        run_pipeline(replace(config, out=tmp_path))
    assert os.listdir(tmp_path) == ["core"]  # noqa: PTH208
