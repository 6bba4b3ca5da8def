"""`dialogue-cube train` and `train-encoder`: one process or several, and one line about an error."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

import dialogue_cube
from cube_model.training.checkpoints import checkpoints
from cube_model.training.output import RECORD

COMMAND = Path(sys.executable).with_name("dialogue-cube")


def environment(cache_folder):
    return {**os.environ, "DIALOGUE_CUBE_CACHE": str(cache_folder), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


@pytest.mark.slow
def test_two_processes_and_their_error(pairs_folder, cache_folder, tmp_path):
    """Half the steps, one output, and it learns; what is wrong is one line, although both processes fail."""
    train = [COMMAND, "train", "--processes", "2", "--data", pairs_folder, "--output", tmp_path / "core", "--quiet"]
    train += ["--teacher-dtype", "float32", "--batch-size", "32", "--epochs", "3"]
    options = {"capture_output": True, "text": True, "env": environment(cache_folder), "timeout": 300}
    done = subprocess.run(train, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("best epoch") == 1
    assert not done.stderr
    record = json.loads((tmp_path / "core" / RECORD).read_text())
    assert record["history"][-1]["accuracy_1_of_100"] > record["history"][0]["accuracy_1_of_100"]
    wrong = [tmp_path / "corpsu" if word is pairs_folder else word for word in train]
    failed = subprocess.run(wrong, **options)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("error: ")
    assert "no such folder" in line


def test_a_saved_accelerate_config_is_used_and_an_error_is_one_line(tmp_path):
    home = tmp_path / "accelerate"
    home.mkdir()
    facts = {"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "num_processes": 1, "use_cpu": True}
    facts |= {"debug": False, "mixed_precision": "no", "num_machines": 1, "machine_rank": 0}
    (home / "default_config.yaml").write_text(json.dumps(facts))
    env = {**environment(tmp_path / "cache"), "HF_HOME": str(tmp_path)}
    train = [COMMAND, "train", "--data", tmp_path / "nowhere", "--output", tmp_path / "core"]
    failed = subprocess.run(train, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("error: ")
    assert "no such folder" in line


def test_one_process_trains_here(pairs_folder, cache_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    train = ["train", "--data", pairs_folder, "--output", tmp_path / "core", "--epochs", "1", "--quiet"]
    train += ["--teacher-dtype", "float32", "--processes", "1"]
    done = CliRunner().invoke(dialogue_cube.app, [str(word) for word in train])
    assert done.exit_code == 0, done.output
    assert "best epoch" in done.output
    assert json.loads((tmp_path / "core" / RECORD).read_text())["arguments"]["context_turns"] == 0


@pytest.mark.parametrize("command", ["train", "train-encoder"])
def test_a_command_shows_the_options_of_its_training(command):
    names = {name for option in _options(command) for name in option.opts}
    assert {"--data", "--output", "--epochs", "--batch-size", "--seed", "--resume", "--processes"} <= names


def _options(command):
    import typer

    return typer.main.get_command(dialogue_cube.app).commands[command].params


@pytest.mark.slow
def test_one_training_writes_an_output_and_ends_with_its_launcher(pairs_folder, cache_folder, tmp_path):
    """A second one is refused by name; after `kill -9` of the launcher of the first, no process of it is left."""
    options = ["--data", pairs_folder, "--output", tmp_path / "core", "--quiet", "--teacher-dtype", "float32"]
    options += ["--batch-size", "32", "--device", "cpu", "--epochs", "100000"]
    env = environment(cache_folder)
    first = psutil.Popen([COMMAND, "train", "--processes", "2", *options], env=env)
    try:
        wait_until(lambda: checkpoints(tmp_path / ".core.training"))
        launch = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu"]
        launch += ["--num_processes", "2", "--main_process_port", "0", "-m", "cube_model.train"]
        second = subprocess.run([*launch, *options], env=env, capture_output=True, text=True, timeout=120, check=False)
        assert second.returncode
        (line,) = [line for line in second.stderr.splitlines() if line.startswith("error: ")]
        assert f"{tmp_path / 'core'}: process " in line
        assert "is writing it; wait until it has finished or choose another --output" in line
        children = first.children(recursive=True)
        assert first.is_running()
        assert len(children) >= 2
    finally:
        first.kill()
    _, alive = psutil.wait_procs([first, *children], timeout=60)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert checkpoints(tmp_path / ".core.training")  # to resume
    assert not (tmp_path / "core").exists()


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
