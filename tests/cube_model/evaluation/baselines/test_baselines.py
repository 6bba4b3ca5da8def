"""Baselines on invented embeddings, for which the maps that each baseline can learn are clear."""

import dataclasses

import numpy as np
import pytest

from cube_model.evaluation.baselines import EmbeddedPairs, baselines
from cube_model.evaluation.baselines.lexical import BM25, Tfidf
from cube_model.evaluation.baselines.map import MapPolyAI
from cube_model.evaluation.baselines.monarch import Monarch, MonarchBaseline
from cube_model.evaluation.baselines.residual import ResidualBaseline
from cube_model.metrics.metrics import normalize
from cube_model.training import schedule

D = 24


def world(n, seed, *, rotated=True, from_earlier=False):
    """Answers are rotated questions, or rotated context turns of uninformative questions, with noise."""
    rotation = np.linalg.qr(np.random.default_rng(99).normal(size=(D, D)))[0] if rotated else np.eye(D)
    generator = np.random.default_rng(seed)
    questions = normalize(generator.normal(size=(n, 2, D)))
    informative = questions[:, 1 if from_earlier else 0]
    answers = normalize(informative @ rotation + 0.06 * generator.normal(size=(n, D)))
    return EmbeddedPairs.of_arrays(questions.astype(np.float32), answers.astype(np.float32))


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr(schedule, "LEAST_STEPS", 300)


@pytest.fixture(scope="module")
def rotated():
    return world(1500, 0), world(400, 1), world(400, 2)


BUDGET = 4 * D * D


@pytest.mark.parametrize(
    "name", ["ridge", "procrustes", "map_adamw", "low_rank", "mlp_question", "mlp_both", "monarch"]
)
def test_every_map_beats_the_identity_on_a_rotation(rotated, name):
    train, validation, test = rotated
    baseline = baselines(turns=2, budget=BUDGET)[name]
    fitted = baseline.fit(train, validation, seed=0, settings=baseline.grid[-1] if name != "ridge" else None)
    sim = baselines(turns=2, budget=BUDGET)["sim"].fit(train, validation)
    assert test.accuracy(sim.method) < 0.1
    assert test.accuracy(fitted.method) > 0.4
    assert fitted.accuracy == pytest.approx(test.accuracy(fitted.method), abs=0.15)
    assert fitted.method.train_size == 1500


def test_map_as_published_beats_the_identity_and_is_not_renormalized(rotated):
    train, validation, test = rotated
    baseline = MapPolyAI(epochs=15)
    fitted = baseline.fit(train, validation, settings={"learning_rate": 0.3, "l2": 0.0})
    plain, renormalized = (f.method for f in baseline.variants(fitted))
    assert test.accuracy(plain) > 0.5
    assert plain.parameters == D * D + 1
    assert (plain.name, renormalized.name) == ("map", "map_renormalized")
    _, answers = plain.map(test.pairs, test.vectors)
    norms = np.linalg.norm(answers, axis=1)
    assert norms.std() > 1e-3
    assert abs(norms.mean() - 1) > 0.1
    np.testing.assert_allclose(np.linalg.norm(renormalized.map(test.pairs, test.vectors)[1], axis=1), 1, rtol=1e-5)


def test_map_score_by_hand():
    """The score is x . (y W + a y), linear in y: it is not normalised."""
    train = world(600, 3)
    fitted = MapPolyAI(epochs=2).fit(train, train, settings={"learning_rate": 0.3, "l2": 0.1})
    zero = np.zeros((1, D), dtype=np.float32)
    answers = train.answers(slice(0, 4))
    mapped = fitted.method.answers(answers)
    np.testing.assert_allclose(fitted.method.answers(2 * answers), 2 * mapped, rtol=1e-5)  # linear, unlike a cosine
    np.testing.assert_array_equal(fitted.method.answers(zero), zero)


def test_map_tries_the_published_grid():
    rates = {settings["learning_rate"] for settings in MapPolyAI.grid}
    assert (len(MapPolyAI.grid), rates) == (20, {10.0, 3.0, 1.0, 0.3, 0.01})
    assert {settings["l2"] for settings in MapPolyAI.grid} == {0, 0.1, 0.01, 0.001}


def test_context_turns_are_read():
    train, validation, test = (world(1500, s, rotated=False, from_earlier=True) for s in range(3))
    methods = baselines(turns=2, budget=BUDGET)
    for name in ("ridge", "mlp_both", "monarch", "low_rank", "map_adamw"):
        baseline = methods[name]
        fitted = baseline.fit(train, validation, settings=baseline.grid[-1] if name != "ridge" else None)
        assert test.accuracy(fitted.method) > 0.3, name
    assert methods["sim"].tune(train, validation).best.settings == {"turns": 2}


@pytest.mark.parametrize(("dimension", "turns", "budget"), [(384, 1, 62_288), (384, 3, 222_144), (768, 3, 591_616)])
def test_parameters_equal_their_formulas_and_the_budget(dimension, turns, budget):
    d, c = dimension, turns
    mlp = ResidualBaseline("mlp_both", budget, activation=True, both=True)
    h = mlp.hidden(d, c)
    count = sum(p.numel() for p in mlp.maps(d, c).parameters())
    assert count == (c + 1) * d * h + h + d + 2 * d * h + h + d
    one = ResidualBaseline("mlp_question", budget, activation=True, both=False)
    h = one.hidden(d, c)
    assert sum(p.numel() for p in one.maps(d, c).parameters()) == (c + 1) * d * h + h + d
    low = ResidualBaseline("low_rank", budget, activation=False, both=True)
    r = low.hidden(d, c)
    assert sum(p.numel() for p in low.maps(d, c).parameters()) == (c + 3) * d * r
    for baseline in (mlp, one, low):
        count = sum(p.numel() for p in baseline.maps(d, c).parameters())
        assert budget * 0.98 < count <= budget
    monarch = MonarchBaseline(budget)
    b = monarch.blocks(d, c)
    count = sum(p.numel() for p in monarch.maps(d, c).parameters())
    assert count == (c + 1) * 2 * d * d // b
    assert 0.7 < count / budget < 1.4
    assert sum(p.numel() for p in Monarch(768, 4).parameters()) == 294_912


def test_monarch_mixes_all_dimensions():
    import torch

    map_ = Monarch(16, 4)
    with torch.no_grad():
        map_.second.normal_()
        dense = map_(torch.eye(16))
        x = torch.randn(5, 16)
        torch.testing.assert_close(map_(x), x @ dense)
    assert (dense != 0).all()
    assert torch.linalg.matrix_rank(dense) == 16


@pytest.mark.parametrize("name", ["low_rank", "mlp_question", "mlp_both", "monarch", "map_adamw"])
def test_untrained_maps_are_the_identity(name):
    maps = baselines(turns=3, budget=5000)[name].maps(D, 3)
    vectors = np.random.default_rng(0).normal(size=(7, 3, D)).astype(np.float32)
    method = maps.as_method(name, 3, 0)
    np.testing.assert_array_equal(method.questions(vectors), vectors[:, 0])
    np.testing.assert_array_equal(method.answers(vectors[:, 0]), vectors[:, 0])


def test_a_fit_depends_only_on_data_settings_and_seed(rotated, monkeypatch):
    monkeypatch.setattr(schedule, "LEAST_STEPS", 30)  # accuracy does not matter here
    train, validation, test = rotated
    baseline = baselines(turns=2, budget=2000)["mlp_both"]
    settings = {"learning_rate": 5e-3, "noise": 0.3}
    few = EmbeddedPairs(train.pairs.select(np.arange(300)), train.vectors)
    one, again, other = (
        baseline.fit(few, validation, seed=seed, settings=settings).method.map(test.pairs, test.vectors)[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_tuning_keeps_the_best_on_validation(rotated, monkeypatch):
    monkeypatch.setattr(schedule, "LEAST_STEPS", 30)
    train, validation, _ = rotated
    few = EmbeddedPairs(train.pairs.select(np.arange(300)), train.vectors)
    tuning = baselines(turns=2, budget=2000)["low_rank"].tune(few, validation)
    assert len(tuning.tried) == 6
    assert tuning.best.accuracy == max(accuracy for _, accuracy in tuning.tried)
    assert (tuning.best.settings, tuning.best.accuracy) in tuning.tried
    assert tuning.seconds >= tuning.best.seconds


def texts(questions, answers):
    pairs = EmbeddedPairs.of_arrays(np.zeros((len(answers), 1, 2)), np.zeros((len(answers), 2)))
    return EmbeddedPairs(dataclasses.replace(pairs.pairs, texts=questions + answers), pairs.vectors)


def test_bm25_scores_by_its_formula():
    """Lucene's formula: idf * tf / (tf + k1 (1 - b + b |d| / mean |d|)), idf = ln(1 + (N - df + .5) / (df + .5))."""
    data = texts(["red red lamp", "the tall unseen tree", "zzz qqq"], ["a red red lamp", "the old tree", "the lamp on"])
    method = BM25(1).fit(data, data, settings={"turns": 1, "k1": 0.9, "b": 0.4}).method
    questions, answers = method.map(data.pairs, data.vectors)
    scores = (questions @ answers.T).toarray()
    documents = [
        ["red", "red", "lamp"],
        ["the", "old", "tree"],
        ["the", "lamp", "on"],
    ]  # the tokeniser skips single letters
    mean = np.mean([len(d) for d in documents])

    def score(words, document):
        total = 0
        for word in words:
            df, tf = sum(word in d for d in documents), document.count(word)
            total += np.log(1 + (3 - df + 0.5) / (df + 0.5)) * tf / (tf + 0.9 * (1 - 0.4 + 0.4 * len(document) / mean))
        return total

    expected = [[score(q.split(), d) for d in documents] for q in ("red red lamp", "the tall unseen tree", "zzz qqq")]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_lexical_methods_read_texts_and_context_turns():
    n = 120
    questions, answers = [f"question {i}" for i in range(n)], [f"reply about word{i}" for i in range(n)]
    data = texts(questions, answers)
    leaking = np.stack([data.pairs.questions[:, 0], data.pairs.answers], axis=1)  # the context turn is the answer
    data = EmbeddedPairs(dataclasses.replace(data.pairs, questions=leaking), data.vectors)
    for baseline in (BM25(2), Tfidf(2)):
        tuning = baseline.tune(data, data)
        assert tuning.best.accuracy == 1
        assert tuning.best.settings["turns"] == 2
        assert not tuning.best.method.reads_vectors
