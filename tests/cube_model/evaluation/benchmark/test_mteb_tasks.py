"""Tasks of mteb: the figures of the benchmark, to the last digit."""

import json
import sys

import pytest

from cube_model import EmbeddingCache, ModelError
from cube_model.evaluation.benchmark.config import BenchmarkConfig
from cube_model.evaluation.benchmark.run import run_benchmark
from support.intent_fixtures import invented_rows, write_intents


@pytest.fixture(scope="module")
def intent_data(tmp_path_factory):
    rows = {split: invented_rows(split, source="lodge", language="de") for split in ("train", "test")}
    return write_intents(tmp_path_factory.mktemp("intents") / "data", rows)


@pytest.fixture(scope="module")
def action_file(tmp_path_factory):
    verbs = ("bring", "book", "cancel", "confirm")
    things = ("table", "room", "train", "taxi", "lamp", "tea", "soup", "bath")
    log = [
        {"text": f"{verb} the {thing} {n}", "turn": f"USER: {verb}"} for verb in verbs for n, thing in enumerate(things)
    ]
    file = tmp_path_factory.mktemp("actions") / "own.json"
    file.write_text(json.dumps({"one": {"goal": {"tea": True}, "log": log}}))
    return file


@pytest.fixture(scope="module")
def model():
    """A SentenceTransformer whose vectors do not depend on the batch: means of random vectors of letters."""
    pytest.importorskip("mteb", reason="install the extra `mteb`, which needs Python 3.11 or newer")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = {chr(code): code - 32 for code in range(32, 127)}
    tokenizer = Tokenizer(models.WordLevel({**letters, "[UNK]": len(letters)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    torch.manual_seed(0)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=24)], device="cpu")


def run(model, tasks):
    """The scores of each task, by the name of its part."""
    import mteb

    results = mteb.evaluate(model, tasks, cache=None, show_progress_bar=False).task_results
    return {task.part.name: result.scores["test"][0] for task, result in zip(tasks, results, strict=True)}


def is_of_part(entry, name):
    place = f"{entry['task']}: {entry['source']} ({entry['language']})"
    return f"{name}:".startswith(f"{place}, scenario:" if entry.get("predicts") == "scenario" else f"{place}:")


def compare(model, cache_folder, data, task, monkeypatch, **options):
    from cube_model.evaluation.benchmark.mteb_tasks import mteb_tasks, score_name

    monkeypatch.setattr("cube_model.evaluation.benchmark.intents.PROTOCOLS", ("mteb", "prototype"))
    options["tasks"] = [task]
    tasks = mteb_tasks(data, **options)
    assert {each.metadata.name.split("-")[2] for each in tasks} == {task}
    scores = run(model, tasks)
    config = BenchmarkConfig(None if data is None else str(data), model, **options)
    output = run_benchmark(config, cache=EmbeddingCache(cache_folder))
    entries = [entry for entry in output["results"] if entry["source"] != "mean"]
    compared = 0
    for name, part in scores.items():
        own = {score_name(entry): entry for entry in entries if is_of_part(entry, name)}
        for score in {key.removesuffix("_ci95") for key in part if key.endswith("_ci95")} & own.keys():
            assert (part[score], part[f"{score}_ci95"]) == (own[score]["value"], own[score]["ci95"]), (name, score)
            compared += 1
    assert compared == sum(key.endswith("_ci95") for part in scores.values() for key in part)
    return tasks, scores


def test_the_figures_of_intents_are_those_of_the_benchmark(model, cache_folder, intent_data, monkeypatch):
    tasks, scores = compare(model, cache_folder, intent_data, "intents", monkeypatch)
    assert scores["intents: lodge (de): mteb"]["main_score"] == scores["intents: lodge (de): mteb"]["mteb_accuracy"]
    assert {language for task in tasks for language in task.metadata.eval_langs} == {"deu-Latn"}
    assert len({task.metadata.dataset["revision"] for task in tasks}) == 2  # of intents and of scenarios


def test_the_figures_of_actions_are_those_of_the_benchmark(model, cache_folder, action_file, monkeypatch):
    _, scores = compare(model, cache_folder, None, "actions", monkeypatch, action_set=str(action_file))
    (part,) = scores.values()
    assert part["main_score"] == part["1-shot_macro_f1"]
    assert part["protocol"].startswith("actions v1")


def test_the_figures_of_responses_are_those_of_the_benchmark(model, cache_folder, pairs_folder, monkeypatch):
    _, scores = compare(model, cache_folder, pairs_folder, "responses", monkeypatch)
    (part,) = scores.values()
    assert part["main_score"] == part["question_accuracy_1_of_100"]
    assert "with-context_mrr" in part


def test_the_cost_is_no_task(model, intent_data):
    from cube_model.evaluation.benchmark.mteb_tasks import mteb_tasks

    with pytest.raises(ModelError, match="cost is no task of mteb"):
        mteb_tasks(intent_data, tasks=["cost"])


def test_without_mteb_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    monkeypatch.setitem(sys.modules, "mteb.abstasks", None)
    monkeypatch.delitem(sys.modules, "cube_model.evaluation.benchmark.mteb_tasks", raising=False)
    with pytest.raises(ModelError, match=r"pip install 'dialogue-cube\[mteb\]'"):
        import cube_model.evaluation.benchmark.mteb_tasks  # noqa: F401
