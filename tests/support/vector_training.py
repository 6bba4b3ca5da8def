"""Random vectors for trainings of a second, and a script that trains on them: `python vector_training.py '[{...}]'`."""

import json
import os
import signal
import socket
import sys
import traceback
from pathlib import Path

import numpy as np
from transformers import TrainerCallback

from cube_model import CubeTrainer, TrainingConfig
from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.data.training_data import TrainingData

DIMENSION = 24
TEACHER = {"name": "invented", "fingerprint": "0" * 64, "dimension": DIMENSION}


class StoppedError(Exception):
    """Simulates a killed process."""


class Steps(TrainerCallback):
    """Records the steps, and raises an error after one of them."""

    def __init__(self, stop_at=0):
        self.steps, self.stop_at = [], stop_at

    def on_step_end(self, args, state, control, **how):
        self.steps.append(state.global_step)
        if state.global_step == self.stop_at:
            raise StoppedError


def random_pairs(count, seed, *, copies=False):
    """Make pairs whose answer is the rotated question plus noise; with `copies`, the question itself.

    The vectors are near a curved surface of few dimensions, like those of texts.
    """
    shared, random = np.random.default_rng(7), np.random.default_rng(seed)
    inner, outer = shared.normal(size=(6, 12)), shared.normal(size=(12, DIMENSION))
    questions = np.tanh(random.normal(size=(count, 6)) @ inner) @ outer
    rotation = np.linalg.qr(shared.normal(size=(DIMENSION, DIMENSION)))[0]
    answers = questions if copies else questions @ rotation + 0.5 * random.normal(size=(count, DIMENSION))
    context = random.normal(size=(count, DIMENSION))
    table = np.concatenate([questions, answers, context])
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    rows = np.arange(count, dtype=np.int32)
    return QuestionAnswerPairs(
        texts=[f"text {i}" for i in range(len(table))],
        questions=np.stack([rows, rows + 2 * count], axis=1),
        answers=rows if copies else rows + count,
        labels=rows.astype(np.int64),
        dialogues=rows.astype(np.int64) // 3,
        sources=["invented"] * count,
        licenses=["CC0-1.0"] * count,
        languages=["und"] * count,
        fingerprint=f"{count}-{seed}-{copies}",
    ), np.concatenate([table, np.zeros((1, DIMENSION))]).astype(np.float32)


class Vectors:
    """A dataset for `CubeTrainer.train`."""

    def __init__(self, count=320, **options):
        self.count, self.options = count, options

    def training_data(self):
        train, validation = (random_pairs(count, seed, **self.options) for count, seed in ((self.count, 1), (200, 2)))
        return TrainingData(*train, *validation, TEACHER)


def config(**options):
    """Make the config of a short training."""
    small = {"epochs": 3, "batch_size": 64, "global_units": 8, "plane_units": 2, "learning_rate": 0.02}
    return TrainingConfig(**{**small, "device": "cpu", "threads": 1, "progress": False, **options})


class Kill(TrainerCallback):
    """Kill the first process after a step, without cleanup."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step and state.is_world_process_zero:
            os.kill(os.getpid(), signal.SIGKILL)


def train(arguments):
    """Train in this process; `stop_at` is the step after which the first process is killed."""
    callbacks = [Kill(arguments["stop_at"])] if "stop_at" in arguments else []
    dataset = None if "data" in arguments["config"] else Vectors()
    CubeTrainer(config(**arguments["config"]), callbacks=callbacks).train(dataset)


def train_in_two_processes(arguments):
    """Train in two processes, which share the imports of this one; if one fails, end the other, as launchers do.

    Returns:
        Whether one failed, and whether the output is there.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children, failed = [], False
    for rank in "01":
        if not (child := os.fork()):
            os.environ.update(group, RANK=rank, LOCAL_RANK=rank)
            code = 1
            try:
                train(arguments)
                code = 0
            except BaseException:  # an exception must not leave the code of the child
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        children.append(child)
    while children:
        child, status = os.wait()
        children.remove(child)
        if status and not failed:
            failed = True
            for other in children:
                os.kill(other, signal.SIGKILL)
    return {"failed": failed, "output": Path(arguments["config"]["output"]).exists()}


if __name__ == "__main__":
    import accelerate  # noqa: F401

    import cube_model.training.core_trainer  # noqa: F401

    print(json.dumps([train_in_two_processes(arguments) for arguments in json.loads(sys.argv[1])]))
