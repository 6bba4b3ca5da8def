"""Sampler and classifiers, compared with plain loops and, if installed, with mteb itself."""

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from cube_model.evaluation.intents.protocols import few_shot, few_shot_rows, knn, linear, prototype
from cube_model.evaluation.intents.scoring import score
from cube_model.evaluation.intents.task import IntentTask, Utterances

CLASSES, DIMENSION = 5, 12


def reference_sampler(labels, shots, draws, seed):
    """MTEB's sampler in plain Python: a new generator with the same seed for each draw, which reshuffles one list."""
    rows = list(range(len(labels)))
    for _ in range(draws):
        np.random.RandomState(seed).shuffle(rows)
        count, sample = defaultdict(int), []
        for i in rows:
            if count[labels[i]] < shots:
                count[labels[i]] += 1
                sample.append(i)
        yield sample


class Space:
    """Invented texts with invented embeddings of norm 1: class centres plus noise."""

    def __init__(self, train=(40, 7, 25, 60, 12), test=30, noise=1.1, seed=0):
        generator = np.random.default_rng(seed)
        centres = generator.normal(size=(CLASSES, DIMENSION))
        self.vectors = {}

        def rows(name, counts):
            labels = generator.permutation(np.repeat(np.arange(CLASSES), counts))
            texts = [f"{name} {i}" for i in range(len(labels))]
            vectors = centres[labels] + noise * generator.normal(size=(len(labels), DIMENSION))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            self.vectors.update(zip(texts, vectors.astype(np.float32), strict=True))
            return Utterances(texts, labels, generator.random(len(labels)) < 0.2)

        outside = rows("outside", [3] * CLASSES)
        outside = Utterances(outside.texts, np.full(len(outside), -1), outside.contaminated)
        names = [f"class {i}" for i in range(CLASSES)]
        parts = rows("train", train), rows("test", [test] * CLASSES), outside
        self.task = IntentTask("invented", "en", "intent", names, *parts, "f" * 64)

    def encode(self, texts):
        return np.stack([self.vectors[text] for text in texts])


@pytest.fixture(scope="module")
def space():
    return Space()


@pytest.mark.parametrize(("shots", "seed"), [(8, 42), (5, 42), (10, 7)])
def test_sampler_equals_a_reference_in_plain_python(space, shots, seed):
    labels = space.task.train.labels
    expected = list(reference_sampler(labels.tolist(), shots, 10, seed))
    draws = [rows.tolist() for rows in few_shot_rows(labels, shots, seed=seed)]
    assert draws == expected
    assert len({tuple(rows) for rows in draws}) == 10
    assert np.bincount(labels[draws[3]]).tolist() == [shots, 7 if shots > 7 else shots, shots, shots, shots]


def reference_predictions(space):
    """Predictions of every draw, as the protocol describes them."""
    train, test = space.task.train, space.encode(space.task.test.texts)
    vectors = space.encode(train.texts)
    for rows in reference_sampler(train.labels.tolist(), 8, 10, 42):
        yield LogisticRegression(max_iter=100, random_state=42).fit(vectors[rows], train.labels[rows]).predict(test)


def test_few_shot_equals_a_reference_in_plain_python(space):
    expected = list(reference_predictions(space))
    guesses = few_shot(space.task, space.encode, 8)
    np.testing.assert_array_equal(guesses.predictions, expected)
    assert (guesses.train_size, guesses.seed, guesses.settings["draws"]) == (39, 42, 10)
    kept, removed = (
        {
            entry["metric"]: entry
            for entry in score("mteb", space.task, space.encode, None)
            if entry["contaminated"] == k
        }
        for k in ("kept", "removed")
    )
    true = space.task.test.labels
    assert kept["accuracy"]["value"] == pytest.approx(np.mean([accuracy_score(true, each) for each in expected]))
    f1 = [f1_score(true, each, average="macro") for each in expected]
    assert kept["macro_f1"]["value"] == pytest.approx(np.mean(f1))
    clean = ~space.task.test.contaminated
    assert removed["accuracy"]["value"] == pytest.approx(
        np.mean([accuracy_score(true[clean], each[clean]) for each in expected])
    )
    assert (kept["accuracy"]["test_rows"], removed["accuracy"]["test_rows"]) == (150, clean.sum())


def test_few_shot_equals_the_code_of_mteb(space):
    """MTEB's own sampling, classifier and averages on the same invented embeddings."""
    pytest.importorskip("mteb", reason="mteb is not installed; it is no dependency and only confirms the protocol")
    from datasets import Dataset
    from mteb._evaluators.sklearn_evaluator import SklearnEvaluator
    from mteb.abstasks.classification import AbsTaskClassification as Theirs
    from mteb.timing import TimingStack

    train, test = space.task.train, space.task.test
    their = SimpleNamespace(
        seed=42,
        samples_per_label=Theirs.samples_per_label,
        label_column_name="label",
        evaluator=SklearnEvaluator,
        evaluator_model=LogisticRegression(max_iter=100).set_params(random_state=42),
        metadata=SimpleNamespace(name="invented"),
        _calculate_scores=lambda *arguments: Theirs._calculate_scores(None, *arguments),
    )
    rows = Dataset.from_dict({"text": train.texts, "label": train.labels.tolist()})
    test_rows = Dataset.from_dict({"text": test.texts, "label": test.labels.tolist()})
    shuffled, scores, drawn = None, [], []
    for number in range(Theirs.n_experiments):
        part, shuffled, sample = Theirs._undersample_data(their, rows, number, shuffled)
        x, y = space.encode([train.texts[i] for i in sample]), space.encode(test.texts)
        result, _ = Theirs._run_experiment(their, part, test_rows, x, y, timer=TimingStack())
        drawn.append(list(sample))
        scores.append(result)
    expected = Theirs._calculate_avg_scores(their, scores)
    assert [r.tolist() for r in few_shot_rows(train.labels, 8)] == drawn
    ours = {
        e["metric"]: e["value"] for e in score("mteb", space.task, space.encode, None) if e["contaminated"] == "kept"
    }
    assert ours == pytest.approx({"accuracy": expected["accuracy"], "macro_f1": expected["f1"]}, abs=1e-12)


def test_only_drawn_utterances_are_encoded(space):
    encoded = []
    few_shot(space.task, lambda texts: encoded.extend(texts) or space.encode(texts), 5)
    labels = space.task.train.labels
    drawn = {i for rows in reference_sampler(labels.tolist(), 5, 10, 42) for i in rows}
    assert {text for text in encoded if text.startswith("train")} == {f"train {i}" for i in drawn}
    assert len(drawn) < len(labels)


def test_prototype_and_neighbours_equal_plain_loops(space):
    train, test = space.task.train, space.task.test
    x, y = space.encode(train.texts).astype(float), space.encode(test.texts).astype(float)
    means = [x[train.labels == c].mean(0) for c in range(CLASSES)]
    nearest = [max(range(CLASSES), key=lambda c: v @ means[c] / np.linalg.norm(means[c])) for v in y]
    assert prototype(space.task, space.encode).predictions[0].tolist() == nearest
    majority = []
    for vector in y:
        votes = np.bincount(train.labels[np.argsort(-(x @ vector))[:10]], minlength=CLASSES)
        majority.append(int(votes.argmax()))
    assert knn(space.task, space.encode).predictions[0].tolist() == majority


def test_linear_probe_learns_from_all_rows(space):
    guesses = linear(space.task, space.encode)
    model = LogisticRegression(max_iter=1000).fit(space.encode(space.task.train.texts), space.task.train.labels)
    assert guesses.predictions[0].tolist() == model.predict(space.encode(space.task.test.texts)).tolist()
    assert guesses.train_size == 144


def test_protocols_solve_easy_vectors_but_not_random_ones():
    easy = Space(noise=0.05)
    random = Space(noise=50.0, test=200)
    for protocol in ("mteb", "1-shot", "5-shot", "10-shot", "knn", "prototype", "linear"):
        values = [
            next(e["value"] for e in score(protocol, s.task, s.encode, None) if e["metric"] == "accuracy")
            for s in (easy, random)
        ]
        assert values[0] == 1.0
        assert 0.1 < values[1] < 0.32, protocol


def test_each_few_shot_seed_has_its_own_entries(space):
    entries = [e for e in score("5-shot", space.task, space.encode, 2) if e["contaminated"] == "kept"]
    values = {(e["seed"], e["metric"]): e["value"] for e in entries}
    assert {seed for seed, _ in values} == {42, 43}
    assert values[42, "accuracy"] != values[43, "accuracy"]
    low, high = entries[0]["ci95"]
    assert low < entries[0]["value"] < high
    assert entries[0]["ci95_of"] == "draws"
