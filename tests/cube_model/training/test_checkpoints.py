"""Checkpoints that are damaged or planted: each file in turn, on invented vectors."""

import json
import pickle
import re
import shutil
from pathlib import Path

import pytest

from cube_model import CubeTrainer, ModelError
from cube_model.training.checkpoints import ARGUMENTS, checkpoints, last_checkpoint
from cube_model.training.output import RECORD
from support.vector_training import Steps, StoppedError, Vectors, config

FILES = {
    "best.safetensors",
    "digests.json",
    "model.safetensors",
    "optimizer.pt",
    "progress.json",
    "rng_state.pth",
    "scheduler.pt",
    "trainer_state.json",
}


def run(folder, *callbacks, **options):
    """Two epochs of five steps, with checkpoints after steps 2, 4, 5, 6, 8 and 10."""
    options = {"epochs": 2, "checkpoint_every": 2, "output": str(folder / "core"), **options}
    return CubeTrainer(config(**options), callbacks=callbacks).train(Vectors())


def written(folder):
    history = json.loads((folder / "core" / RECORD).read_text())["history"]
    return history, (folder / "core" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an uninterrupted training writes."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder)
    return written(folder)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A training that died in step 7; its checkpoints are those of steps 5 and 6."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.raises(StoppedError):
        run(folder, Steps(7))
    return folder / ".core.training"


@pytest.fixture
def work(interrupted, tmp_path):
    """A copy of the interrupted training's working folder."""
    return Path(shutil.copytree(interrupted, tmp_path / ".core.training"))


def test_the_last_two_are_kept_and_hold_no_other_file(work):
    assert [path.name for path in checkpoints(work)] == ["checkpoint-5", "checkpoint-6"]
    for checkpoint in checkpoints(work):
        assert {path.name for path in checkpoint.iterdir()} == FILES
    assert {path.name for path in work.iterdir()} == {"checkpoint-5", "checkpoint-6", ARGUMENTS}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_truncated_file_sends_the_run_back_to_the_checkpoint_before(work, whole, tmp_path, caplog, name):
    file = work / "checkpoint-6" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    seen = Steps()
    run(tmp_path, seen, resume=True)
    assert re.search(rf"checkpoint-6/{re.escape(name)}: .*damaged: ignoring this checkpoint", caplog.text)
    assert seen.steps == [6, 7, 8, 9, 10], "from checkpoint 5"
    assert written(tmp_path) == whole


@pytest.mark.parametrize("name", sorted(FILES))
def test_without_an_undamaged_checkpoint_one_line_says_what_to_do(work, tmp_path, name):
    for checkpoint in checkpoints(work):
        (checkpoint / name).unlink()
    with pytest.raises(
        ModelError, match=rf"checkpoint-5/{re.escape(name)}: .*pass --overwrite to start again$"
    ) as error:
        run(tmp_path, resume=True)
    assert "\n" not in str(error.value)
    assert len(checkpoints(work)) == 2, "they are still there"
    run(tmp_path, overwrite=True, epochs=1)
    assert (tmp_path / "core" / RECORD).is_file()


@pytest.mark.parametrize("text", ["", "[1]", '{"seed": '])
def test_damaged_arguments_are_named(work, tmp_path, text):
    (work / ARGUMENTS).write_text(text)
    with pytest.raises(ModelError, match=rf"{ARGUMENTS}: cannot be read; pass --overwrite"):
        run(tmp_path, resume=True)


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize(
    "name", ["custom_checkpoint_0.pkl", "random_states_0.pkl", "training_args.bin", "pytorch_model.bin"]
)
def test_a_planted_pickle_is_not_read(work, whole, tmp_path, name):
    (work / "checkpoint-6" / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded"), 2))
    run(tmp_path, resume=True)
    assert not (tmp_path / "exploded").exists()
    assert written(tmp_path) == whole


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_pickle_in_place_of_a_state_does_not_run(work, tmp_path, name):
    """Even if whoever planted it mended the digests."""
    from dataset_builders.common.integrity import xxh3

    checkpoint = work / "checkpoint-6"
    (checkpoint / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded"), 2))
    digests = json.loads((checkpoint / "digests.json").read_text())
    (checkpoint / "digests.json").write_text(json.dumps({**digests, name: xxh3(checkpoint / name)}))
    with pytest.raises(ModelError, match=r"checkpoint-6: holds objects .*pass --overwrite to start again$") as error:
        run(tmp_path, resume=True)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "exploded").exists()


def test_a_run_killed_while_it_writes_a_checkpoint_resumes_from_the_one_before(work, whole, tmp_path):
    (work / "checkpoint-6").rename(work / ".unfinished")
    assert last_checkpoint(work) == work / "checkpoint-5"
    run(tmp_path, resume=True)
    assert written(tmp_path) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["core"]


def test_a_finished_training_that_died_before_its_output_is_written_trains_no_further(tmp_path, monkeypatch, whole):
    from cube_model.training import trainer

    def fail(*arguments):
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "write_output", fail)
        with pytest.raises(StoppedError):
            run(tmp_path)
    seen = Steps()
    metrics = run(tmp_path, seen, resume=True)
    assert seen.steps == []
    assert metrics["epochs"] == 2
    assert written(tmp_path) == whole
