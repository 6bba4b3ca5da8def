"""Compare the `evaluate.Metric` classes with brute force: alone, in `evaluate.combine`, and loaded from a folder."""

import subprocess
import sys

import evaluate
import numpy as np
import pytest

from cube_model.metrics.evaluate_metrics import CONFIGS, ResponseSelection, write_metric_folder
from cube_model.metrics.metrics import Draws, cosines, gold_ranks, normalize, one_of_batch


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 120, size=230)
    meanings = generator.normal(size=(120, 8))
    answers = meanings[labels].astype(np.float32)
    questions = (answers + 0.8 * generator.normal(size=answers.shape)).astype(np.float32)
    return questions, answers, labels


def brute_force(questions, answers, labels):
    """Compute the metrics with plain loops over their definitions."""

    def cosine(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5

    score = [[cosine(q, a) for a in answers.astype(float)] for q in questions.astype(float)]
    right, own = [], []
    for draw in Draws.of(len(labels), draws=3, seed=0).batches:
        for rows in draw:
            for i in rows:
                best = max(rows, key=lambda j: score[i][j])
                right.append(labels[best] == labels[i])
                own.append(best == i)
    ranks = []
    for i, label in enumerate(labels):
        by_label = {other: score[i][j] for j, other in enumerate(labels)}
        ranks.append(sum(value >= by_label[label] for value in by_label.values()))
    return {
        "accuracy_1_of_100": np.mean(right),
        "mrr": np.mean([1 / r for r in ranks]),
        "recall_at_10": np.mean([r <= 10 for r in ranks]),
        "mean_cosine": np.mean([score[i][i] for i in range(len(labels))]),
    }, np.mean(own)


def test_combined_metrics_equal_brute_force(data):
    questions, answers, labels = data
    combined = evaluate.combine([ResponseSelection(name) for name in CONFIGS])
    results = combined.compute(predictions=questions, references=answers, labels=labels)
    expected, by_index = brute_force(*data)
    assert set(results) == {*expected, "accuracy_1_of_100_by_index"}
    for name, value in expected.items():
        assert results[name] == pytest.approx(value, abs=1e-5), name
    # equal answers have equal scores, so accuracy by index depends on which of them wins the tie
    assert results["accuracy_1_of_100_by_index"] == pytest.approx(by_index, abs=0.02)
    assert results["accuracy_1_of_100_by_index"] < results["accuracy_1_of_100"]


def test_metric_classes_agree_with_the_functions(data):
    questions, answers, labels = normalize(data[0]), normalize(data[1]), data[2]
    _, first, gold = np.unique(labels, return_index=True, return_inverse=True)
    ranks = gold_ranks(questions, answers[first], gold)
    inputs = {"predictions": questions, "references": answers, "labels": labels}
    assert ResponseSelection("mrr").compute(**inputs)["mrr"] == pytest.approx((1 / ranks).mean())
    assert ResponseSelection("recall_at_k").compute(**inputs, k=3)["recall_at_3"] == (ranks <= 3).mean()
    by_text = one_of_batch(questions, answers, labels, Draws.of(len(labels), draws=1, seed=5))[0]
    results = ResponseSelection().compute(**inputs, seed=5, draws=1)
    assert results["accuracy_1_of_100"] == pytest.approx(np.nanmean(by_text))
    assert ResponseSelection("mean_cosine").compute(**inputs)["mean_cosine"] == pytest.approx(
        cosines(questions, answers).mean(), abs=1e-6
    )


def test_error_names_the_unknown_metric():
    with pytest.raises(ValueError, match="unknown metric 'bleu': expected one of accuracy_1_of_100"):
        ResponseSelection("bleu")


def test_batches_within_a_domain_contain_only_that_domain():
    groups = np.repeat([0, 1, 2], [250, 90, 130])
    plan = Draws.within(groups, draws=2, seed=1)
    assert plan.batches.shape == (2, 3, 100)
    assert all(len(set(groups[rows])) == 1 for draw in plan.batches for rows in draw)
    assert not np.isin(plan.batches, np.flatnonzero(groups == 1)).any()  # too few for a batch
    assert all(len(np.unique(draw)) == 300 for draw in plan.batches)
    assert Draws.within(np.arange(50), draws=2).batches.shape == (2, 0, 100)


def test_batches_consist_of_whole_dialogues():
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(100), 7))
    plan = Draws.together(groups, draws=2, seed=1)
    assert plan.batches.shape == (2, 7, 100)
    for draw in plan.batches:
        assert len(np.unique(draw)) == 700
        for rows in draw:
            names, counts = np.unique(groups[rows], return_counts=True)
            assert (counts == 7).sum() >= len(names) - 2  # only the first and the last are split
    assert not np.array_equal(plan.batches[0], plan.batches[1])
    assert np.array_equal(plan.batches, Draws.together(groups, draws=2, seed=1).batches)


def test_metric_folder_loads_without_the_package(data, tmp_path):
    """Load it in a separate process that cannot import `cube_model`, as on another machine."""
    folder = write_metric_folder(tmp_path / "response_selection")
    np.savez(tmp_path / "data.npz", q=data[0], a=data[1], l=data[2])
    code = f"""
import sys
sys.modules["cube_model"] = None
import evaluate, numpy as np
data = np.load({str(tmp_path / "data.npz")!r})
metrics = [evaluate.load({str(folder)!r}, name) for name in ("mrr", "accuracy_1_of_100")]
both = evaluate.combine(metrics).compute(predictions=data["q"], references=data["a"], labels=data["l"])
sys.stdout.write(repr({{name: float(value) for name, value in both.items()}}))
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    results = eval(run.stdout)
    expected, _ = brute_force(*data)
    assert results == pytest.approx({name: expected[name] for name in ("mrr", "accuracy_1_of_100")}, abs=1e-5)
