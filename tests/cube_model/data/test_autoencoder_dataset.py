import numpy as np
import pytest
import torch

from cube_model import AutoencoderDataset, DatasetConfig, ModelError, Teacher
from cube_model.teacher.find import DEFAULT_TEACHER
from support.tiny_teacher import save_tiny_distilbert

TEXTS = [f"Utterance number {i} of a longer list." for i in range(20)]


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers")
    save_tiny_distilbert(folder / DEFAULT_TEACHER, 48)
    return folder


@pytest.fixture(autouse=True)
def tiny_default_teacher(teachers, tmp_path, monkeypatch):
    monkeypatch.setenv("TEACHERS_DIR", str(teachers))
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cache"))


def test_question_and_answer_are_the_same_vector():
    config = DatasetConfig(teacher_dtype="float32", progress=False)
    dataset = AutoencoderDataset.from_texts(TEXTS, config, validation_split=0.25)
    assert (len(dataset), len(dataset.validation)) == (15, 5)
    vector, target = dataset[0]
    assert torch.equal(vector, target)
    expected = Teacher.load(DEFAULT_TEACHER, "float32").encode(
        [dataset.pairs.texts[row] for row in dataset.pairs.answers]
    )
    torch.testing.assert_close(dataset[:][0], torch.from_numpy(expected))
    assert dataset.statistics()["cosine"] == {"training": 1.0, "validation": 1.0}
    assert config.validation_split == 0.2


def test_each_text_is_used_once_and_in_one_split():
    texts = [*TEXTS, *TEXTS[:3], "", "  ", *(text.upper() for text in TEXTS)]
    dataset = AutoencoderDataset.from_texts(texts, validation_split=0.3, progress=False)
    assert dataset.statistics()["dropped"] == {"a repeated text": 3, "empty": 2}
    assert dataset.statistics()["read"] == len(texts)
    train, validation = (
        {split.pairs.texts[row].lower() for row in split.pairs.answers} for split in (dataset, dataset.validation)
    )
    assert not train & validation
    assert len(dataset) + len(dataset.validation) == 40


def test_training_data_and_loader():
    dataset = AutoencoderDataset.from_texts(TEXTS, progress=False)
    data = dataset.training_data()
    assert data.context_turns == 0
    assert np.array_equal(data.train.questions[:, 0], data.train.answers)
    for vectors, targets in dataset.get_dataloader(batch_size=6):
        assert torch.equal(vectors, targets)


@pytest.mark.parametrize("form", ["array", "tensor", ".npy", ".npz"])
def test_ready_vectors(form, tmp_path):
    vectors = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
    source = {"array": vectors, "tensor": torch.from_numpy(vectors)}.get(form, tmp_path / f"vectors{form}")
    if form == ".npy":
        np.save(source, vectors)
    elif form == ".npz":
        np.savez(source, anything=vectors)
    dataset = AutoencoderDataset.from_embeddings(source, validation_split=0)
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert sorted(map(tuple, dataset[:][0].tolist())) == sorted(map(tuple, torch.from_numpy(expected).tolist()))


def test_repeated_ready_vectors_are_used_once():
    vectors = np.eye(6, dtype=np.float32)[[0, 1, 2, 0, 3, 4, 4]]
    dataset = AutoencoderDataset.from_embeddings(vectors, validation_split=0.4)
    assert len(dataset) + len(dataset.validation) == 5
    assert dataset.statistics()["dropped"] == {"a repeated vector": 2}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "texts is a single string: expected a list"),
        (["good", 3], r"texts\[1\] is of type int: expected a string"),
        (["", " "], r"no pair is left of 2 read \(2 empty\)"),
    ],
)
def test_error_names_the_bad_text(texts, message):
    with pytest.raises(ModelError, match=message):
        AutoencoderDataset.from_texts(texts)


def test_unknown_fields_are_errors():
    with pytest.raises(ModelError, match="DatasetConfig has no field context_turns"):
        AutoencoderDataset.from_texts(TEXTS, context_turns=2)
