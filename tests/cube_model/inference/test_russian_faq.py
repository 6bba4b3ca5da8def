"""A Russian FAQ end to end: file -> dataset -> core on the multilingual teacher -> paraphrased questions."""

import csv

import numpy as np
import pytest
import typer

from cube_model import CubeRetriever, CubeTrainer, EmbeddingCache, Teacher, TrainingConfig
from cube_model.teacher.find import teachers_folder
from dataset_builders.cli import register
from support.russian_faq import FAQ

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def teacher():
    if not any((teachers_folder() / name / "config.json").is_file() for name in ("me5", "multilingual-e5")):
        pytest.skip(f"teacher me5 not in {teachers_folder()}; make it with make_teachers.py DEST me5")
    return Teacher.load("multilingual-e5", "float32", "cpu")


@pytest.fixture(scope="module")
def faq_folder(tmp_path_factory):
    from typer.testing import CliRunner

    root = tmp_path_factory.mktemp("faq")
    with (root / "faq.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["вопрос", "ответ"])
        rows.writerows((question, answer) for answer, (questions, _) in FAQ.items() for question in questions)
    app = typer.Typer()
    register(app)
    command = ["build", "--own", root / "faq.csv", "--language", "ru", "--name", "faq", "--out", root / "data"]
    done = CliRunner().invoke(app, [str(word) for word in command])
    assert done.exit_code == 0, done.output
    return root / "data"


def test_paraphrased_questions_are_answered(teacher, faq_folder, cache_folder, tmp_path, record_property):
    settings = {"teacher": "multilingual-e5", "teacher_dtype": "float32", "device": "cpu", "progress": False, "seed": 1}
    config = TrainingConfig(data=faq_folder, output=tmp_path / "core", cache_dir=str(cache_folder), **settings)
    core = CubeTrainer(config).train()["output"]
    retriever = CubeRetriever.from_pretrained(core, faq_folder, cache=EmbeddingCache(cache_folder))
    assert sorted(retriever.answers["text"].to_pylist()) == sorted(FAQ)

    pairs = [(question, answer) for answer, (_, paraphrases) in FAQ.items() for question in paraphrases]
    questions, expected = zip(*pairs, strict=True)
    actual = [answers[0].text for answers in retriever.ask_many(questions, k=1)]
    by_core = np.mean([text == answer for text, answer in zip(actual, expected, strict=True)])
    nearest = (teacher.encode(questions) @ teacher.encode(list(FAQ)).T).argmax(1)
    by_identity = np.mean([list(FAQ)[row] == answer for row, answer in zip(nearest, expected, strict=True)])
    record_property("first_by_identity", float(by_identity))
    record_property("first_by_core", float(by_core))
    assert by_core > 0.5, f"core {by_core:.2f}, identity {by_identity:.2f}"
    assert by_core > by_identity, f"core {by_core:.2f}, identity {by_identity:.2f}"
