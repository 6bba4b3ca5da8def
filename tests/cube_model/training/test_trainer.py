import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cube_model import CubeModel, CubeTrainer, ModelError
from cube_model.core.modeling_cube import TEXT_FILES
from cube_model.training.data import load_training_pairs
from cube_model.training.output import RECORD
from support.cube_fixtures import invented_dialogues, run_config, write_pairs
from support.vector_training import Steps, StoppedError


def record(folder):
    return json.loads((folder / RECORD).read_text())


def same_weights(one, other):
    first, second = (CubeModel.from_pretrained(folder).state_dict() for folder in (one, other))
    return all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)


def test_training_beats_the_identity_and_writes_a_complete_folder(pairs_folder, cache_folder, trained_core):
    names = {path.name for path in trained_core.iterdir()}
    code = {"configuration_cube.py", "modeling_cube.py", *TEXT_FILES}
    assert names == {"config.json", "model.safetensors", "README.md", RECORD, *code}
    assert {path.name for path in trained_core.parent.iterdir()} == {"core"}, "nothing is left beside the output"
    facts = record(trained_core)
    history = facts["history"]
    assert [entry["epoch"] for entry in history] == list(range(len(history)))
    assert history[-1]["loss"] < history[1]["loss"]
    best = max(entry["accuracy_1_of_100"] for entry in history)
    assert best == history[facts["best_epoch"]]["accuracy_1_of_100"] > history[0]["accuracy_1_of_100"] + 0.1
    assert facts["data"]["pairs"] == 360
    config = CubeModel.from_pretrained(trained_core).config
    assert config.teacher["fingerprint"] == facts["teacher"]["fingerprint"]
    assert config.training["data_fingerprint"] == facts["data"]["fingerprint"]
    assert facts["arguments"]["seed"] == 1
    assert "torch" in facts["versions"]


def test_two_runs_give_the_same_bytes(pairs_folder, cache_folder, trained_core, tmp_path):
    again = CubeTrainer(run_config(pairs_folder, tmp_path / "again", cache_folder)).train()["output"]
    assert (again / "model.safetensors").read_bytes() == (trained_core / "model.safetensors").read_bytes()
    other = CubeTrainer(run_config(pairs_folder, tmp_path / "other", cache_folder, seed=2)).train()["output"]
    assert (other / "model.safetensors").read_bytes() != (trained_core / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("stop_at", "checkpoint_every"), [(3, 2), (7, 0), (14, 3)])
def test_interrupted_and_resumed_equals_uninterrupted(
    pairs_folder, cache_folder, trained_core, tmp_path, stop_at, checkpoint_every
):
    """An epoch has five steps; the run stops in the first, in the second, and long after a checkpoint."""
    options = {"checkpoint_every": checkpoint_every}
    config = run_config(pairs_folder, tmp_path / "core", cache_folder, **options)
    with pytest.raises(StoppedError):
        CubeTrainer(config, callbacks=[Steps(stop_at)]).train()
    assert not (tmp_path / "core").exists()
    with pytest.raises(ModelError, match="an interrupted run; pass --resume"):
        CubeTrainer(run_config(pairs_folder, tmp_path / "core", cache_folder)).train()
    with pytest.raises(ModelError, match=r"batch-size was 64, now 32"):
        CubeTrainer(run_config(pairs_folder, tmp_path / "core", cache_folder, resume=True, batch_size=32)).train()

    resumed = Steps()
    config = run_config(pairs_folder, tmp_path / "core", cache_folder, resume=True, **options)
    CubeTrainer(config, callbacks=[resumed]).train()
    assert resumed.steps[0] > 1, "it continued, it did not start again"
    assert same_weights(tmp_path / "core", trained_core)
    assert record(tmp_path / "core")["history"] == record(trained_core)["history"]
    assert {path.name for path in tmp_path.iterdir()} == {"core"}


def test_a_loss_that_is_not_finite_stops_the_run(pairs_folder, cache_folder, tmp_path):
    with pytest.raises(
        ModelError, match=r"loss is (nan|inf) in epoch 1, step \d+ \(training pairs .*lower --learning-rate"
    ):
        CubeTrainer(run_config(pairs_folder, tmp_path / "core", cache_folder, learning_rate=1e30)).train()
    assert list(tmp_path.iterdir()) == []  # there is no checkpoint to resume from


def test_an_output_of_others_is_never_replaced(pairs_folder, cache_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ModelError, match="not made by training"):
        CubeTrainer(run_config(pairs_folder, tmp_path / "mine", cache_folder, overwrite=True)).train()
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="not made by training"):
        CubeTrainer(run_config(pairs_folder, tmp_path / "file", cache_folder, overwrite=True)).train()
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_an_output_of_ours_is_replaced_when_asked(pairs_folder, cache_folder, trained_core, tmp_path):
    output = tmp_path / "core"
    shutil.copytree(trained_core, output)
    with pytest.raises(ModelError, match="exists; pass --overwrite"):
        CubeTrainer(run_config(pairs_folder, output, cache_folder)).train()
    CubeTrainer(run_config(pairs_folder, output, cache_folder, overwrite=True, epochs=1)).train()
    assert len(record(output)["history"]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"core"}


def test_without_validation_dialogues_are_held_out(tmp_path, caplog):
    folder = write_pairs(tmp_path / "data", {"train": invented_dialogues(50), "test": invented_dialogues(5, 9)})
    train, validation = load_training_pairs(run_config(folder, tmp_path / "core", tmp_path))
    assert "holding out a tenth" in caplog.text
    assert not set(train.dialogues) & set(validation.dialogues)
    assert len(set(validation.dialogues)) == 5
    assert len(train) + len(validation) == 150


def test_best_epoch_is_kept_and_patience_ends_the_run(pairs_folder, cache_folder, tmp_path):
    """With a tiny learning rate no epoch beats the untrained core, whose weights are written."""
    config = run_config(pairs_folder, tmp_path / "core", cache_folder, learning_rate=1e-9, patience=2, epochs=6)
    facts = record(CubeTrainer(config).train()["output"])
    assert facts["best_epoch"] == 0
    assert len(facts["history"]) == 3
    model = CubeModel.from_pretrained(tmp_path / "core")
    assert not any(units.write.any() for units in model.core.units)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 1}, "batch_size: expected a whole number of at least 2, found 1"),
        ({"epochs": 0}, "epochs: expected a whole number of at least 1, found 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected a number above 0, found 0"),
        ({"sources": ["sgd"]}, "no source sgd"),
        ({"tracker": "no_such_tracker"}, "tracker: expected one of none, tensorboard, .*, found 'no_such_tracker'"),
        ({"steps": 0}, "steps: expected a whole number of at least 1, found 0"),
        ({"teacher": "./nowhere"}, "no such folder"),
    ],
)
def test_wrong_arguments_are_named_in_one_line(pairs_folder, cache_folder, tmp_path, options, words):
    with pytest.raises(ModelError, match=words) as caught:
        CubeTrainer(run_config(pairs_folder, tmp_path / "core", cache_folder, **options)).train()
    assert "\n" not in str(caught.value)


def test_tensorboard_logs_are_in_the_output(pairs_folder, cache_folder, tmp_path):
    pytest.importorskip("tensorboard")
    config = run_config(pairs_folder, tmp_path / "core", cache_folder, tracker="tensorboard", epochs=1)
    CubeTrainer(config).train()
    assert list((tmp_path / "core" / "runs").rglob("events.out.tfevents*"))


def environment(cache_folder, **more):
    return {**os.environ, "DIALOGUE_CUBE_CACHE": str(cache_folder), "OMP_NUM_THREADS": "1", **more}


def test_command_line(pairs_folder, cache_folder, tmp_path):
    command = [
        sys.executable,
        "-m",
        "cube_model.train",
        "--data",
        str(pairs_folder),
        "--output",
        str(tmp_path / "core"),
    ]
    options = [
        "--teacher-dtype",
        "float32",
        "--epochs",
        "2",
        "--batch-size",
        "64",
        "--max-pairs",
        "200",
        "--device",
        "cpu",
        "--quiet",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, env=environment(cache_folder))
    assert done.returncode == 0, done.stderr
    assert re.search(r"validation 1-of-100 0\.\d+ \(untrained\) -> 0\.\d+", done.stdout)
    assert record(tmp_path / "core")["data"]["pairs"] == 200
    again = subprocess.run([*command, *options], capture_output=True, text=True, env=environment(cache_folder))
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
    assert len(again.stderr.strip().splitlines()) == 1
    assert "pass --overwrite" in again.stderr
