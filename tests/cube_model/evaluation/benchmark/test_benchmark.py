"""The whole benchmark of a tiny encoder on the invented sample, and what it says of data that do not allow a task."""

import json
import shutil

import pytest

from cube_model import EmbeddingCache
from cube_model.evaluation.benchmark import run as benchmark
from cube_model.evaluation.benchmark.config import TASKS, BenchmarkConfig
from cube_model.evaluation.benchmark.run import run_benchmark
from cube_model.evaluation.config import ResponseSelectionConfig
from cube_model.evaluation.intents.config import IntentsConfig
from cube_model.evaluation.intents.run import run_intents
from cube_model.evaluation.run import run_response_selection
from support.intent_fixtures import invented_rows, write_intents


@pytest.fixture(scope="module")
def encoder(tiny_teacher, tmp_path_factory):
    """A folder as `train-encoder` writes it, trained on two of the sources."""
    folder = tmp_path_factory.mktemp("encoder") / "tuned"
    shutil.copytree(tiny_teacher, folder)
    (folder / "training.json").write_text(json.dumps({"data": {"sources": ["sgd", "banking77"]}}))
    return folder


@pytest.fixture(scope="module")
def whole(sample_dataset, encoder, cache_folder, tmp_path_factory):
    """The output of all tasks in English, and the folder of its parts."""
    parts = tmp_path_factory.mktemp("parts")
    config = BenchmarkConfig(str(sample_dataset), str(encoder), max_rows=100, languages=["en"])
    return run_benchmark(config, parts, cache=EmbeddingCache(cache_folder)), parts, config


def test_every_task_has_rows_with_an_interval_a_protocol_and_whether_the_source_was_seen(whole):
    results = whole[0]["results"]
    assert {entry["task"] for entry in results} == set(TASKS)
    for entry in results:
        assert entry["protocol"].split(":")[0].endswith(tuple(f" v{number}" for number in range(1, 9)))
        assert entry["metric"]
        assert entry["setting"]
        if entry["ci95"] is None:
            assert entry["metric"] in ("parameters", "dimension") or entry["source"] == "mean"
        else:
            assert entry["ci95"][0] - 1e-9 <= entry["value"] <= entry["ci95"][1] + 1e-9
        if entry["source"] not in ("mean", None):
            assert entry["seen"] is (entry["source"] in ("sgd", "banking77"))
    assert {entry["source"] for entry in results if entry["task"] == "responses"} == {"sgd", "woz", "multiwoz", "mean"}
    settings = {(entry["task"], entry["setting"]) for entry in results}
    assert settings >= {
        *(("responses", setting) for setting in ("question", "with context")),
        *(("intents", setting) for setting in ("mteb", "1-shot", "5-shot", "10-shot", "prototype", "linear", "knn")),
        *(("intents", setting) for setting in ("clustering", "oos, max_cosine")),
        *(("actions", setting) for setting in ("1-shot", "5-shot", "anisotropy")),
        *(("dialogues", setting) for setting in ("domains", "domains, first 1 turn", "next act", "nearest")),
        *(("cost", setting) for setting in ("size", "one thread")),
    }
    assert set(whole[0]["fingerprints"]) == {"data", "teacher", "model"}
    assert whole[0]["seen_sources"] == ["banking77", "sgd"]
    assert {"dialogue-cube", "scikit-learn", "torch"} <= set(whole[0]["versions"])


def test_finished_parts_are_not_computed_again(whole, cache_folder, monkeypatch):
    output, parts, config = whole
    monkeypatch.setattr(benchmark.IntentEncoder, "encode", None)
    again = run_benchmark(config, parts, cache=EmbeddingCache(cache_folder))
    assert again["results"] == output["results"]


def test_response_selection_has_the_figures_of_its_own_command(sample_dataset, encoder, cache_folder, whole):
    config = ResponseSelectionConfig(str(sample_dataset), encoder=str(encoder), sources=["woz"], context_turns=2)
    cache = EmbeddingCache(cache_folder)
    _, expected = run_response_selection(config, cache=cache)
    options = {"sources": ["woz"], "tasks": ["responses"], "seen_sources": ["woz"]}
    output = run_benchmark(BenchmarkConfig(str(sample_dataset), str(encoder), languages=["en"], **options), cache=cache)
    # `woz` is in three languages, which that command does not tell apart
    assert {entry["pairs"] for entry in output["results"]} < {entry["pairs"] for entry in expected["results"]} | set(
        range(1000)
    )


def test_intents_have_the_figures_of_their_own_command(tmp_path, encoder, cache_folder):
    data = write_intents(
        tmp_path / "data", {split: invented_rows(split, source="lodge") for split in ("train", "test")}
    )
    cache = EmbeddingCache(cache_folder)
    expected = run_intents(IntentsConfig(str(data), str(encoder)), cache=cache)["results"]
    output = run_benchmark(BenchmarkConfig(str(data), str(encoder)), cache=cache)
    actual = [entry for entry in output["results"] if entry["task"] == "intents"]
    figures = [
        [(e["metric"], e["contaminated"], e["value"], e["ci95"]) for e in entries] for entries in (actual, expected)
    ]
    assert figures[0] == figures[1]
    assert {each["task"] for each in output["left_out"]} == {"responses", "actions", "dialogues"}
    assert any(entry["metric"] == "utterances_per_second" for entry in output["results"])
