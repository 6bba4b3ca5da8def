"""The trainer on ready-made vectors: modes, losses, and several processes; no teacher is needed."""

import dataclasses
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from accelerate import Accelerator, DistributedType

from cube_model import CubeModel, CubeTrainer, ModelError
from cube_model.data.training_data import TrainingData
from cube_model.training.data import batch_loader
from cube_model.training.output import RECORD
from support import vector_training
from support.vector_training import DIMENSION, TEACHER, Vectors, config, random_pairs


def trained(dataset=None, **options):
    trainer = CubeTrainer(config(**options))
    trainer.train(dataset or Vectors())
    return trainer


def test_without_an_output_the_core_stays_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = trained()
    history = trainer.progress.history
    assert history[-1]["accuracy_1_of_100"] > history[0]["accuracy_1_of_100"] + 0.15
    assert {"accuracy_1_of_100", "mean_cosine", "mean_cosine_to_teacher", "loss"} <= set(history[0])
    assert trainer.model.config.context_turns == 1, "as many as the dataset holds"
    assert trainer.model.config.teacher == TEACHER
    assert not list(tmp_path.iterdir())


def test_components_before_training_are_where_training_starts():
    trainer = CubeTrainer(config(lattice_size=[2, 3, 4], epochs=1))
    trainer.initialize_components()
    questions = torch.randn(2, DIMENSION)
    assert torch.equal(trainer.forward(questions), questions), "the identity"
    assert trainer.forward(questions[0]).shape == (DIMENSION,)
    trainer.train(Vectors())
    assert not torch.allclose(trainer.forward(questions), questions, atol=1e-3)
    with pytest.raises(ModelError, match="set embedding_dim or lattice_size"):
        CubeTrainer(config()).initialize_components()


def test_a_cosine_loss_raises_the_cosine_and_a_contrastive_one_retrieval():
    contrastive, mixed, cosine = (trained(cosine_weight=weight).progress for weight in (0.0, 0.5, 1.0))
    last = [run.history[run.best_epoch]["mean_cosine_to_teacher"] for run in (contrastive, mixed, cosine)]
    assert last[0] < last[1] < last[2]
    first, reached = contrastive.history[0], contrastive.history[contrastive.best_epoch]
    assert reached["accuracy_1_of_100"] > first["accuracy_1_of_100"] + 0.15


def test_an_autoencoder_starts_as_pca_and_gets_better_on_held_out_vectors():
    from sklearn.decomposition import PCA

    data = Vectors(600, copies=True).training_data()
    pca = PCA(2).fit(data.train_vectors[data.train.questions[:, 0]])
    held_out = data.validation_vectors[data.validation.questions[:, 0]]
    restored = pca.inverse_transform(pca.transform(held_out))
    expected = (restored * held_out).sum(1) / np.linalg.norm(restored, axis=1)
    trainer = trained(
        Vectors(600, copies=True), mode="autoencoder", code_size=2, noise=0.0, epochs=12, learning_rate=5e-3
    )
    history = trainer.progress.history
    assert history[0]["mean_cosine_to_teacher"] == pytest.approx(expected.mean(), abs=1e-4)
    assert history[trainer.progress.best_epoch]["mean_cosine_to_teacher"] > expected.mean() + 0.03
    assert trainer.model.config.context_turns == 0


def test_accumulated_gradients_are_those_of_one_larger_batch():
    """Without the contrastive part, in which the rows of a batch depend on each other."""
    options = {"cosine_weight": 1.0, "noise": 0.0, "epochs": 1}
    one = trained(batch_size=64, **options).model
    two = trained(batch_size=32, gradient_accumulation=2, **options).model
    for name, value in one.state_dict().items():
        torch.testing.assert_close(value, two.state_dict()[name], atol=1e-5, rtol=1e-4)


def test_bfloat16_learns_too():
    history = trained(mixed_precision="bf16").progress.history
    assert history[-1]["accuracy_1_of_100"] > history[0]["accuracy_1_of_100"] + 0.15
    assert trained(mixed_precision="no").progress.history[-1] != history[-1]


@pytest.mark.parametrize(
    ("options", "losses"),
    [
        ({}, [8.2432, 4.1168, 2.7632]),
        ({"gradient_accumulation": 3, "batch_size": 32}, [8.1800, 4.4227, 2.8917]),
        ({"cosine_weight": 1.0}, [1.0456, 0.8180, 0.6446]),
        ({"mode": "autoencoder", "code_size": 2, "learning_rate": 5e-3}, [0.3043, 0.3023, 0.3005]),
    ],
)
def test_the_losses_are_those_of_earlier_versions(options, losses):
    """Batches, noise, optimizer and schedule are the same, so that recorded figures can be repeated."""
    dataset = Vectors(copies=options.get("mode") == "autoencoder")
    history = trained(dataset, **options).progress.history
    assert [entry["loss"] for entry in history[1:]] == pytest.approx(losses, rel=2e-3)


def test_a_second_training_starts_anew():
    trainer = trained()
    weights = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train(Vectors())
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, weights[name])


@pytest.mark.parametrize("scheduler", ["linear", "constant_with_warmup"])
def test_schedules(scheduler):
    history = trained(scheduler=scheduler).progress.history
    assert history[-1]["accuracy_1_of_100"] > history[0]["accuracy_1_of_100"] + 0.15
    assert history != trained().progress.history


def test_a_vector_that_is_not_finite_is_refused_and_a_loss_names_its_batch():
    data = Vectors().training_data()
    broken = data.train_vectors.copy()
    broken[3, 0] = math.nan
    with pytest.raises(ModelError, match=r"train: teacher invented .* not finite"):
        dataclasses.replace(data, train_vectors=broken)
    with pytest.raises(ModelError, match=r"epoch 1, step \d+ \(training pairs \d+, .*the first one asks 'text \d+'"):
        trained(learning_rate=1e30)


def test_data_that_do_not_fit_are_named():
    data = Vectors().training_data()
    with pytest.raises(ModelError, match=r"expected float32 \[961, 24\]"):
        dataclasses.replace(data, train_vectors=data.train_vectors[:-1])
    for options, words in [
        ({"embedding_dim": 768}, "embedding-dim is 768, but the vectors of invented have 24"),
        ({"context_turns": 2}, "context-turns is 2, but the dataset holds 1"),
        ({"lattice_size": [8, 8, 12]}, "has 768 cells"),
        ({"mode": "generator"}, "a way to use a trained core"),
        ({"scheduler": "step"}, "scheduler: expected one of cosine, .*, found 'step'"),
        ({"mixed_precision": "fp8"}, "mixed_precision: expected one of no, bf16, found 'fp8'"),
        ({"cosine_weight": 1.0, "map_answers": True}, "cosine_weight is 1"),
        ({"resume": True}, "need an output folder"),
        ({"device": "cuda"}, "device cuda: there is only cpu here"),
        ({"tracker": "tensorboard"}, "needs an output folder"),
    ]:
        if options.get("device") == "cuda" and torch.cuda.is_available():
            continue
        with pytest.raises(ModelError, match=words) as caught:
            trained(**options)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="nothing to train on"):
        CubeTrainer(config()).train()


def test_a_launcher_that_divides_the_weights_is_refused(monkeypatch):
    """Accelerate ignores FSDP on processors, so its state is set here."""
    monkeypatch.setattr(Accelerator, "distributed_type", property(lambda self: DistributedType.FSDP))
    with pytest.raises(ModelError, match=r"FSDP and ZeRO stage 3 divide the weights .* launch without them"):
        trained()


def test_hard_negatives_reach_the_loss():
    pairs, vectors = random_pairs(320, 1)
    negatives = np.roll(pairs.answers, 1)[:, None].copy()
    negatives[::2] = -1
    with_negatives = dataclasses.replace(pairs, negatives=negatives)
    batch = next(iter(batch_loader(with_negatives, vectors, batch_size=8, turns=2)))
    for row, read in zip(batch["rows"].tolist(), batch["negatives"], strict=True):
        expected = np.zeros(DIMENSION) if row % 2 == 0 else vectors[negatives[row, 0]]
        np.testing.assert_array_equal(read[0], expected)
    validation, validation_vectors = random_pairs(200, 2)

    class Mined:
        def training_data(self):
            return TrainingData(with_negatives, vectors, validation, validation_vectors, TEACHER)

    plain, mined = (trained(dataset, epochs=1, noise=0.0).progress.history[1]["loss"] for dataset in (None, Mined()))
    assert mined > plain, "a loss with more wrong answers is higher"


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory, pairs_in_groups, tiny_teacher):
    """Outputs of trainings in two processes: all start from one process, since its imports take longer than they."""
    folder = tmp_path_factory.mktemp("two-processes")
    streaming = {"data": str(pairs_in_groups), "teacher": str(tiny_teacher), "teacher_dtype": "float32"}
    streaming |= {"streaming": True, "shuffle_buffer": 100, "cache_dir": str(folder / "cache"), "checkpoint_every": 3}

    def outputs(name, **options):
        return {"config": {"output": str(folder / name), "batch_size": 32, "epochs": 2, **options}}

    trainings = [
        outputs("two", noise=0.0),
        outputs("whole", checkpoint_every=2),
        {**outputs("core", checkpoint_every=2), "stop_at": 8},
        outputs("core", checkpoint_every=2, resume=True),
        outputs("streamed-whole", **streaming),
        {**outputs("streamed-core", **streaming), "stop_at": 11},
        outputs("streamed-core", **streaming, resume=True),
    ]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, vector_training.__file__, json.dumps(trainings)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    states = [(state["failed"], state["output"]) for state in json.loads(done.stdout.splitlines()[-1])]
    expected = [(False, True), (False, True), (True, False), (False, True)]
    assert states == expected + expected[1:], done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_two_processes_learn_as_one_with_twice_the_batch(two_processes, tmp_path):
    """They see each other's answers with their gradients, so losses and weights differ only by rounding."""
    one = trained(output=str(tmp_path / "one"), batch_size=64, noise=0.0, epochs=2)
    history = json.loads((two_processes / "two" / RECORD).read_text())["history"]
    for single, double in zip(one.progress.history[1:], history[1:], strict=True):
        assert double["loss"] == pytest.approx(single["loss"], rel=1e-4)
    two = CubeModel.from_pretrained(two_processes / "two").state_dict()
    for name, value in one.model.state_dict().items():
        torch.testing.assert_close(two[name], value, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["", "streamed-"])
def test_killed_and_resumed_equals_uninterrupted_to_the_last_bit(two_processes, data):
    """One of two processes is killed in the second epoch, between two checkpoints."""
    whole, core = (two_processes / f"{data}{name}" for name in ("whole", "core"))
    histories = [json.loads((folder / RECORD).read_text())["history"] for folder in (whole, core)]
    assert histories[0] == histories[1]
    weights = [(folder / "model.safetensors").read_bytes() for folder in (whole, core)]
    assert weights[0] == weights[1]
