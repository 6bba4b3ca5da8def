import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from cube_model import DialogueConfig, DialogueDataset, ModelError
from cube_model.data.pairs import NO_TURN

N, D = 20, 8
RNG = np.random.default_rng(0)
QUESTIONS, ANSWERS = (RNG.standard_normal((N, D)).astype(np.float32) for _ in range(2))
ALL = DialogueConfig(validation_split=0)


def unit(vectors):
    return torch.nn.functional.normalize(torch.as_tensor(vectors).float(), dim=-1)


def parquet(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def lists(vectors, kind=None):
    return pa.array(list(vectors), kind or pa.list_(pa.float32()))


def write_both(folder, form):
    """Write a file of both questions and answers."""
    path = folder / f"pairs{form}"
    if form == ".npy":
        np.save(path, np.stack([QUESTIONS, ANSWERS], axis=1))
    elif form == ".npz":
        np.savez(path, questions=QUESTIONS, answers=ANSWERS)
    elif form == ".safetensors":
        save_file(
            {"question_embeddings": torch.from_numpy(QUESTIONS), "answer_embeddings": torch.from_numpy(ANSWERS)}, path
        )
    else:
        parquet(path, question_embedding=lists(QUESTIONS), answer_embedding=lists(ANSWERS, pa.list_(pa.float32(), D)))
    return path


@pytest.mark.parametrize("form", [".npy", ".npz", ".safetensors", ".parquet"])
def test_one_file_of_questions_and_answers(tmp_path, form):
    dataset = DialogueDataset.from_embeddings(write_both(tmp_path, form), config=ALL)
    torch.testing.assert_close(dataset[:][0], unit(QUESTIONS))
    torch.testing.assert_close(dataset[:][1], unit(ANSWERS))


@pytest.mark.parametrize("form", ["array", "tensor", ".npy"])
def test_separate_questions_and_answers(tmp_path, form):
    sources = {"questions": QUESTIONS, "answers": ANSWERS}
    if form == ".npy":
        for name, vectors in sources.items():
            np.save(tmp_path / f"{name}.npy", vectors)
            sources[name] = tmp_path / f"{name}.npy"
    elif form == "tensor":
        sources = {name: torch.from_numpy(vectors) for name, vectors in sources.items()}
    dataset = DialogueDataset.from_embeddings(*sources.values(), ALL)
    torch.testing.assert_close(dataset[:][0], unit(QUESTIONS))
    torch.testing.assert_close(dataset[:][1], unit(ANSWERS))


def test_float16_and_bfloat16(tmp_path):
    halves = {"question": torch.from_numpy(QUESTIONS).bfloat16(), "answer": torch.from_numpy(ANSWERS).half()}
    save_file(halves, tmp_path / "half.safetensors")
    dataset = DialogueDataset.from_embeddings(tmp_path / "half.safetensors", config=ALL)
    assert dataset.vectors.dtype == torch.float32
    torch.testing.assert_close(dataset[:][0], unit(QUESTIONS), atol=0.01, rtol=0)
    torch.testing.assert_close(
        DialogueDataset.from_embeddings(halves["question"], halves["answer"], ALL)[:][1], dataset[:][1]
    )


def test_texts_and_dialogue_ids_of_a_parquet_file(tmp_path):
    path = parquet(
        tmp_path / "pairs.parquet",
        question=[f"Question {i}?" for i in range(N)],
        answer=[f"Answer {i}." for i in range(N)],
        dialogue_id=[f"d{i // 4}" for i in range(N)],
        question_embedding=lists(QUESTIONS),
        answer_embedding=lists(ANSWERS),
    )
    dataset = DialogueDataset.from_embeddings(path, config=DialogueConfig(validation_split=0.4))
    assert (len(dataset), len(dataset.validation)) == (12, 8)
    assert not set(dataset.pairs.dialogues) & set(dataset.validation.pairs.dialogues)
    texts = dataset.pairs.texts
    for row, (question, answer) in enumerate(zip(dataset.pairs.questions[:, 0], dataset.pairs.answers, strict=True)):
        number = int(texts[question].split()[1].strip("?"))
        assert texts[answer] == f"Answer {number}."
        torch.testing.assert_close(dataset[row][0], unit(QUESTIONS[number]))
    assert dataset.statistics()["length"]["question"]["max"] == len("Question 19?")


def test_vectors_are_stored_once_and_equal_pairs_stay_together():
    questions, answers = np.tile(QUESTIONS[:5], (8, 1)), np.tile(ANSWERS[:1], (40, 1))
    dataset = DialogueDataset.from_embeddings(questions, answers, DialogueConfig(validation_split=0.4))
    assert len(dataset.vectors) == 6 + 1
    assert len(set(dataset.pairs.labels)) == 1
    assert (len(dataset), len(dataset.validation)) == (24, 16)
    assert not set(dataset.pairs.questions[:, 0]) & set(dataset.validation.pairs.questions[:, 0])


def test_context_with_missing_turns():
    turns = np.stack([QUESTIONS, ANSWERS[::-1], np.zeros_like(QUESTIONS)], axis=1)
    dataset = DialogueDataset.from_embeddings(turns, ANSWERS, ALL)
    assert dataset.context_turns == 2
    assert (dataset.pairs.questions[:, 2] == NO_TURN).all()
    torch.testing.assert_close(dataset[0][0], torch.cat([unit(turns[0, :2]), torch.zeros(1, D)]))


def test_vectors_of_zeros_are_dropped_and_counted():
    questions = QUESTIONS.copy()
    questions[3] = 0
    dataset = DialogueDataset.from_embeddings(questions, ANSWERS, ALL)
    assert len(dataset) == N - 1
    assert dataset.statistics()["dropped"] == {"question or answer is a vector of zeros": 1}


def test_statistics_training_data_and_cosine_limits():
    dataset = DialogueDataset.from_embeddings(QUESTIONS, ANSWERS, DialogueConfig(min_similarity=0.0))
    stats = dataset.statistics()
    assert json.loads(json.dumps(stats)) == stats
    expected = (unit(QUESTIONS) * unit(ANSWERS)).sum(1)
    assert stats["pairs"] == int((expected >= 0).sum()) < N
    assert stats["length"] == {"question": None, "answer": None}
    assert len(dataset.training_data().train) == len(dataset)
    assert dataset.cache_stats.misses == 0


def test_teacher_is_recorded_and_an_unknown_one_matches_no_other():
    teacher = {"name": "minilm", "fingerprint": "f" * 64, "dimension": D}
    assert DialogueDataset.from_embeddings(QUESTIONS, ANSWERS, ALL, teacher=teacher).teacher == teacher
    first, same, other = (
        DialogueDataset.from_embeddings(q, ANSWERS, ALL).teacher for q in (QUESTIONS, QUESTIONS, -QUESTIONS)
    )
    assert first == same
    assert first["fingerprint"] != other["fingerprint"]
    assert first["fingerprint"].startswith("unknown-")
    with pytest.raises(ModelError, match="have 8 dimensions, but those of teacher minilm have 384"):
        DialogueDataset.from_embeddings(QUESTIONS, ANSWERS, teacher={**teacher, "dimension": 384})
    with pytest.raises(ModelError, match="embedding_dim is 768, but embeddings of ready-made vectors have 8"):
        DialogueDataset.from_embeddings(QUESTIONS, ANSWERS, DialogueConfig(embedding_dim=768))


def test_vectors_are_unchanged_without_normalisation():
    dataset = DialogueDataset.from_embeddings(
        QUESTIONS, ANSWERS, DialogueConfig(normalize_embeddings=False, validation_split=0)
    )
    torch.testing.assert_close(dataset[:][0], torch.from_numpy(QUESTIONS))


def test_custom_column_names(tmp_path):
    np.savez(tmp_path / "a.npz", ask=QUESTIONS, say=ANSWERS)
    with pytest.raises(
        ModelError,
        match=r"a.npz: no embeddings named 'question_embedding'; pass the name of one of its columns: ask \[20, 8\], say",
    ):
        DialogueDataset.from_embeddings(tmp_path / "a.npz")
    dataset = DialogueDataset.from_embeddings(
        tmp_path / "a.npz", config=ALL, question_column="ask", answer_column="say"
    )
    torch.testing.assert_close(dataset[:][1], unit(ANSWERS))


def broken(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.safetensors", "a.parquet"])
@pytest.mark.parametrize("content", [b"", b"not a file of vectors" * 10])
def test_error_of_a_damaged_file_is_one_line(tmp_path, name, content):
    with pytest.raises(ModelError, match=rf"{name}: cannot be read as embeddings") as error:
        DialogueDataset.from_embeddings(broken(tmp_path, name, content))
    assert "\n" not in str(error.value)


def test_truncated_file_is_rejected(tmp_path):
    for form in (".npy", ".npz", ".safetensors", ".parquet"):
        path = write_both(tmp_path, form)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(ModelError, match="cannot be read as embeddings"):
            DialogueDataset.from_embeddings(path)


def test_pickle_is_rejected(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(ModelError, match="cannot be read as embeddings"):
        DialogueDataset.from_embeddings(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("questions", "answers", "message"),
    [
        (QUESTIONS, ANSWERS[:5], r"questions \[20, 1, 8\] and answers \[5, 8\]: expected"),
        (QUESTIONS, ANSWERS[:, :4], "with the same n and d"),
        (QUESTIONS[0], ANSWERS, r"questions: float32 \[8\]: expected floats"),
        (QUESTIONS, None, r"questions: \[20, 8\]: expected \[n, 2, d\], or pass the answers too"),
        ([[1.0, 2.0], [3.0]], ANSWERS, "vectors of equal dimension"),
        ("vectors.csv", None, "vectors.csv: expected a file of embeddings, .npy, .npz"),
        ("none.npy", None, "none.npy: no such file"),
        (np.zeros((0, D), np.float32), np.zeros((0, D), np.float32), "no pair is left of 0 read"),
    ],
)
def test_error_names_the_mismatch(questions, answers, message):
    with pytest.raises(ModelError, match=message):
        DialogueDataset.from_embeddings(questions, answers)


def test_error_names_the_row_that_is_not_finite():
    answers = ANSWERS.copy()
    answers[7, 2] = np.nan
    with pytest.raises(ModelError, match=r"row 7 .from 0. has a value that is not finite"):
        DialogueDataset.from_embeddings(QUESTIONS, answers)


def test_parquet_with_gaps_or_without_vectors(tmp_path):
    ragged = parquet(tmp_path / "a.parquet", question_embedding=pa.array([[1.0, 2.0], [1.0]], pa.list_(pa.float32())))
    with pytest.raises(ModelError, match="column question_embedding: expected embeddings of equal dimension"):
        DialogueDataset.from_embeddings(ragged)
    texts = parquet(tmp_path / "b.parquet", question=["Who?"], answer=["Me."])
    with pytest.raises(ModelError, match="holds no embeddings, only question, answer"):
        DialogueDataset.from_embeddings(texts)
    with pytest.raises(ModelError, match="question_texts: 3 values for 20 pairs"):
        DialogueDataset.from_embeddings(QUESTIONS, ANSWERS, question_texts=["a", "b", "c"])
