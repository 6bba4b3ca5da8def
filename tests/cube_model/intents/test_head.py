"""Heads on invented vectors: what they learn, how sure they are, what is added later, and what is refused."""

import json

import numpy as np
import pytest

from cube_model import ModelError
from cube_model.intents.calibration import calibration_error
from cube_model.intents.head import IntentHead
from cube_model.intents.linear import fit_linear

NAMES = ["billing/invoice", "billing/refund", "device/lamp", "device/router", "greeting"]
DIMENSION = 24


def invented(size, *, spread=0.35, seed=0, count=len(NAMES)):
    """Vectors around a direction for each label, float32 `[count * size, d]`, and the number of each row's label."""
    rng = np.random.default_rng(seed)
    numbers = np.repeat(np.arange(count), size)
    vectors = np.eye(count, DIMENSION)[numbers] + spread * rng.standard_normal((count * size, DIMENSION))
    return vectors.astype(np.float32), numbers


def named(numbers):
    return [NAMES[number] for number in numbers]


@pytest.fixture(scope="module")
def head():
    vectors, numbers = invented(12)
    return IntentHead.fit(vectors, named(numbers), encoder={"name": "tiny", "fingerprint": "f" * 64})


def test_a_few_examples_are_enough_and_probabilities_are_honest(head):
    vectors, numbers = invented(200, seed=1)
    intents = head.predict(vectors)
    near = ((each.label, each.alternatives[0][0]) for each in intents)
    hits = np.array([NAMES[number] in both for number, both in zip(numbers, near, strict=True)])
    assert hits.mean() > 0.95
    values, labels = head.probabilities(vectors)
    assert labels == NAMES
    np.testing.assert_allclose(values.sum(1), 1)
    right = values.argmax(1) == numbers
    assert 0.8 < right.mean() < 0.99
    assert calibration_error(values.max(1), right) < 0.06
    assert abs(head.validation.figures["accuracy"] - right.mean()) < 0.08
    first = intents[0]
    assert first.labels == [first.label]
    assert [name for name, _ in first.alternatives] == sorted(
        set(NAMES) - {first.label}, key=lambda name: -values[0][NAMES.index(name)]
    )


def test_lengths_of_vectors_do_not_matter(head):
    vectors, _ = invented(3, seed=2)
    lengths = np.linspace(0.1, 7, len(vectors), dtype=np.float32)[:, None]
    np.testing.assert_allclose(head.scores(vectors * lengths), head.scores(vectors), rtol=1e-4, atol=1e-4)


def test_logistic_regression_is_that_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model", reason="install the extra `evaluation`")
    vectors, numbers = invented(10)
    for targets in (np.eye(len(NAMES), dtype=bool)[numbers], (numbers == 0)[:, None]):
        single = targets.shape[1] > 1
        fitted = fit_linear(vectors, targets, 3.0, single=single)
        theirs = linear_model.LogisticRegression(C=3.0, max_iter=2000, tol=1e-7)
        theirs.fit(vectors, numbers if single else targets[:, 0])
        np.testing.assert_allclose(fitted.weights, theirs.coef_, atol=2e-3)
        # the softmax does not change if a number is added to all biases
        shift = (theirs.intercept_ - fitted.bias).mean() if single else 0
        np.testing.assert_allclose(fitted.bias + shift, theirs.intercept_, atol=2e-3)


def test_probabilities_are_summed_upward(head):
    vectors, _ = invented(4, seed=3)
    values, _ = head.probabilities(vectors)
    above, names = head.probabilities(vectors, level=1)
    assert names == ["billing", "device", "greeting"]
    np.testing.assert_allclose(above[:, 0], values[:, 0] + values[:, 1])
    assert {each.label for each in head.predict(vectors, 1)} <= {*names, None}


def test_a_vector_like_no_example_is_out_of_scope(head):
    far = np.zeros((2, DIMENSION), dtype=np.float32)
    far[0, 20], far[1, 21:] = 1, -1
    intents = head.predict(far)
    assert [(each.label, each.labels, each.is_out_of_scope) for each in intents] == [(None, [], True)] * 2
    assert intents[0].alternatives[0][1] == intents[0].probability
    inside, _ = invented(300, seed=4)
    refused = np.mean([each.is_out_of_scope for each in head.predict(inside)])
    assert 0.01 < refused < 0.12  # 5 % of held-out training rows


def test_examples_out_of_scope_set_the_threshold():
    vectors, numbers = invented(12, spread=0.2)
    rng = np.random.default_rng(5)
    outside = np.eye(DIMENSION)[10 + rng.integers(0, 8, 60)] + 0.2 * rng.standard_normal((60, DIMENSION))
    head = IntentHead.fit(vectors, named(numbers), outside=outside[:30])
    inside, _ = invented(100, spread=0.2, seed=6)
    assert np.mean([each.is_out_of_scope for each in head.predict(outside[30:])]) > 0.9
    assert np.mean([each.is_out_of_scope for each in head.predict(inside)]) < 0.1
    without = IntentHead.fit(vectors, named(numbers), accepted=0.6)
    assert np.mean([each.is_out_of_scope for each in without.predict(inside)]) == pytest.approx(0.4, abs=0.15)


def test_a_label_is_added_without_changing_the_others():
    vectors, numbers = invented(12)
    old = numbers < 4
    head = IntentHead.fit(vectors[old], named(numbers[old]))
    test, true = invented(100, seed=7)
    before, first = head.scorer.logits(test[:50]), head.probabilities(test)[0].argmax(1)
    head.add_label("greeting", vectors[~old])
    assert head.labels[-1] == "greeting"
    assert head.added == ["greeting"]
    np.testing.assert_array_equal(head.scorer.logits(test[:50])[:, :4], before)
    now = head.probabilities(test)[0].argmax(1)
    assert (now[now != first] == 4).all()
    again = IntentHead.fit(vectors, named(numbers)).probabilities(test)[0].argmax(1)
    assert np.mean(now[true == 4] == 4) > 0.8
    assert np.mean(now == true) > np.mean(again == true) - 0.03
    head.add_label("one example", np.ones((1, DIMENSION)))
    assert head.predict(np.ones((1, DIMENSION)))[0].label == "one example"


def test_several_labels_a_row():
    rng = np.random.default_rng(0)
    targets = rng.random((150, 4)) < 0.35
    vectors = targets @ np.eye(4, DIMENSION) + 0.15 * rng.standard_normal((150, DIMENSION)) + 0.3
    labels = [[NAMES[number] for number in np.flatnonzero(row)] for row in targets]
    head = IntentHead.fit(vectors[:100], labels[:100])
    assert head.is_multi
    assert head.validation.figures["micro_f1"] > 0.9
    intents = head.predict(vectors[100:])
    assert np.mean([sorted(each.labels) == own for each, own in zip(intents, labels[100:], strict=True)]) > 0.75
    for each in intents:
        assert each.is_out_of_scope == (not each.labels)
        assert each.label == (each.labels[0] if each.labels else None)
    head.add_label("greeting", np.eye(DIMENSION)[10:11] + 0.05 * rng.standard_normal((6, DIMENSION)))
    assert head.predict(np.eye(DIMENSION)[10:11])[0].labels == ["greeting"]


def test_names_are_examples_of_labels():
    vectors, numbers = invented(2, spread=0.5)
    pure = dict(zip(NAMES, np.eye(len(NAMES), DIMENSION), strict=True))
    test, true = invented(100, spread=0.5, seed=8)
    figures = []
    for names in (None, pure):
        head = IntentHead.fit(vectors, named(numbers), name_vectors=names)
        figures.append(np.mean(head.probabilities(test)[0].argmax(1) == true))
        assert head.validation.settings["names"] is (names is not None)
    assert figures[1] > figures[0] + 0.05


def test_equal_rows_give_equal_bytes_and_a_head_is_read_as_it_was_written(head, tmp_path):
    vectors, numbers = invented(12)
    again = IntentHead.fit(vectors, named(numbers), encoder=head.encoder)
    head.save(tmp_path / "a")
    again.save(tmp_path / "b")
    files = ("intents.json", "intents.safetensors")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(files)
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    loaded = IntentHead.load(tmp_path / "a")
    test, _ = invented(5, seed=9)
    assert loaded.predict(test) == head.predict(test)
    assert loaded.validation == head.validation
    loaded.add_label("later", test[:2])
    loaded.save(tmp_path / "a", overwrite=True)
    assert IntentHead.load(tmp_path / "a").added == ["later"]
    with pytest.raises(ModelError, match="exists; pass --overwrite"):
        head.save(tmp_path / "a")


ROWS, ROW_NUMBERS = invented(3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["tea"] * 15}, "labels: the only one is tea; expected two labels or more"),
        ({"labels": [[]] * 15}, "labels: there is none"),
        ({"labels": ["tea"] * 14 + ["milk"]}, "label milk: a single example; expected 2 different ones or more"),
        ({"labels": ["tea"] * 14 + [" "]}, "the label of row 14 is empty"),
        ({"labels": ["tea"] * 14 + [["milk"]]}, "some are texts and some are lists"),
        ({"labels": ["tea"] * 3}, "15 vectors but 3 labels"),
        ({"vectors": ROWS[:, 0]}, r"expected numbers of the shape \[n, d\]"),
        ({"vectors": np.full_like(ROWS, np.nan)}, "row 0 holds a value that is not finite"),
        ({"accepted": 1.5}, "accepted is 1.5: expected a share between 0 and 1"),
        ({"name_vectors": {"greeting": ROWS[0]}}, "no vector for the label billing/invoice"),
        ({"outside": np.ones((2, 3))}, "outside of dimension 3, but"),
    ],
)
def test_rows_that_no_head_can_learn_from(change, message):
    arguments = {"vectors": ROWS, "labels": named(ROW_NUMBERS)} | change
    with pytest.raises(ModelError, match=message) as caught:
        IntentHead.fit(**arguments)
    assert "\n" not in str(caught.value)


def test_equal_examples_count_once():
    vectors = np.concatenate([ROWS, ROWS[:1], ROWS[:1]])
    labels = [*named(ROW_NUMBERS), "twice", "twice"]
    with pytest.raises(ModelError, match="label twice: a single example"):
        IntentHead.fit(vectors, labels)


@pytest.mark.parametrize(
    ("name", "vectors", "message"),
    [
        ("greeting", ROWS[:2], "has a label greeting already"),
        (" ", ROWS[:2], "the name of the new label is empty"),
        ("new", ROWS[:0], "no example of new"),
        ("new", np.ones((2, 3)), "dimension 3, but the intents were trained on 24"),
    ],
)
def test_labels_that_cannot_be_added(head, name, vectors, message):
    with pytest.raises(ModelError, match=message):
        head.add_label(name, vectors)
    assert len(head.labels) == len(NAMES)


def test_levels_begin_at_one(head):
    with pytest.raises(ModelError, match="level 0: expected 1"):
        head.predict(ROWS, 0)
    assert head.predict(ROWS[:0]) == []


def damage_weights(folder):
    data = bytearray((folder / "intents.safetensors").read_bytes())
    data[-3] ^= 1
    (folder / "intents.safetensors").write_bytes(data)


def flip_bit_of_label(folder):
    file = folder / "intents.json"
    whole = file.read_text(encoding="utf-8")
    file.write_text(whole.replace(f'"{NAMES[0]}"', f'"{chr(ord(NAMES[0][0]) ^ 1)}{NAMES[0][1:]}"'), encoding="utf-8")
    assert file.read_text(encoding="utf-8") != whole


def change_record(**changes):
    def change(folder):
        record = json.loads((folder / "intents.json").read_text(encoding="utf-8"))
        del record["digest"]  # as of an earlier version
        (folder / "intents.json").write_text(json.dumps(record | changes), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_weights, "intents.safetensors: damaged or changed since the intents were written; train the intents"),
        (lambda folder: (folder / "intents.safetensors").unlink(), "intents.safetensors: removed"),
        (lambda folder: (folder / "intents.json").unlink(), "no intents; train them with `dialogue-cube train-intents"),
        (lambda folder: (folder / "intents.json").write_text("{"), "intents.json: damaged"),
        (flip_bit_of_label, "intents.json: damaged or changed since the intents were written"),
        (change_record(format=2), "intents of format 2, but this version reads 1"),
        (change_record(labels=NAMES[:3]), "the intents are damaged .3 labels, but weights"),
        (change_record(temperature="hot"), '`temperature` is "hot" instead of'),
    ],
)
def test_damaged_heads_are_refused(head, tmp_path, damage, message):
    head.save(tmp_path / "head")
    damage(tmp_path / "head")
    with pytest.raises(ModelError, match=message) as caught:
        IntentHead.load(tmp_path / "head")
    assert "\n" not in str(caught.value)
