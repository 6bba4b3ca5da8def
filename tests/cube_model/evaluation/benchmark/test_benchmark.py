"""The whole benchmark of a tiny encoder on the invented sample, and what it says of data that do not allow a task."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cube_model import EmbeddingCache, ModelError
from cube_model.evaluation.benchmark import run as benchmark
from cube_model.evaluation.benchmark.command import benchmark as benchmark_command
from cube_model.evaluation.benchmark.config import TASKS, BenchmarkConfig
from cube_model.evaluation.benchmark.inputs import Inputs
from cube_model.evaluation.benchmark.means import means
from cube_model.evaluation.benchmark.plans import plans
from cube_model.evaluation.benchmark.responses import load_response_pairs
from cube_model.evaluation.benchmark.run import run_benchmark
from cube_model.evaluation.benchmark.tables import version_of
from cube_model.evaluation.config import ResponseSelectionConfig
from cube_model.evaluation.intents.config import IntentsConfig
from cube_model.evaluation.intents.encoder import IntentEncoder
from cube_model.evaluation.intents.run import run_intents
from cube_model.evaluation.run import run_response_selection
from cube_model.inference.processor import EmbeddingProcessor
from support.dialogue_rows import invented_turns
from support.intent_fixtures import invented_rows, write_intents


@pytest.fixture(scope="module")
def encoder(tiny_teacher, tmp_path_factory):
    """A folder as `train-encoder` writes it, trained on two of the sources."""
    folder = tmp_path_factory.mktemp("encoder") / "tuned"
    shutil.copytree(tiny_teacher, folder)
    (folder / "training.json").write_text(json.dumps({"data": {"sources": ["sgd", "banking77"]}}))
    return folder


SOURCES = ["sgd", "woz", "banking77"]


@pytest.fixture(scope="module")
def whole(sample_dataset, encoder, cache_folder, tmp_path_factory):
    """The output of all tasks in English, and the folder of its parts."""
    parts = tmp_path_factory.mktemp("parts")
    config = BenchmarkConfig(str(sample_dataset), str(encoder), sources=SOURCES, max_rows=100, languages=["en"])
    return run_benchmark(config, parts, cache=EmbeddingCache(cache_folder)), parts, config


def test_every_task_has_rows_with_an_interval_a_protocol_and_whether_the_source_was_seen(whole):
    results = whole[0]["results"]
    assert {entry["task"] for entry in results} == set(TASKS)
    for entry in results:
        assert re.fullmatch(r"v\d", version_of(entry))
        if entry["metric"] in ("parameters", "dimension"):
            assert entry["ci95"] is None
        else:
            assert entry["ci95"][0] - 1e-9 <= entry["value"] <= entry["ci95"][1] + 1e-9
        assert entry["seen"] is (None if entry["task"] == "cost" else entry["source"] in ("sgd", "banking77"))
    by_task = {task: {entry["source"] for entry in results if entry["task"] == task} for task in TASKS}
    assert by_task == {
        **{task: {"sgd", "woz"} for task in ("responses", "actions")},
        "dialogues": {"sgd"},  # of the others, all dialogues are about restaurants
        "intents": {"banking77"},
        "cost": {None},
    }
    settings = {(entry["task"], entry["setting"]) for entry in results}
    assert settings == {
        *(("responses", setting) for setting in ("question", "with context")),
        *(("intents", setting) for setting in ("mteb", "1-shot", "5-shot", "10-shot", "prototype", "linear", "knn")),
        ("intents", "clustering"),
        *(("actions", setting) for setting in ("1-shot", "5-shot", "anisotropy")),
        *(("dialogues", f"domains{first}") for first in ("", ", first 1 turn", ", first 3 turns")),
        *(("dialogues", setting) for setting in ("next act", "nearest")),
        *(("cost", setting) for setting in ("size", "one thread")),
    }


def test_the_output_says_what_it_depends_on(whole):
    output, _, config = whole
    assert output["seen_sources"] == ["banking77", "sgd"]
    assert output["seed"] == config.seed
    assert set(output["fingerprints"]) == {"data", "teacher", "model"}
    assert {"responses: sgd (en)", "actions: woz (en)", "cost"} <= set(output["fingerprints"]["data"])
    assert {"dialogue-cube", "scikit-learn", "torch"} <= set(output["versions"])
    assert {"revision", "weights_sha256"} <= set(output["encoder"])
    limited = {entry["task"] for entry in output["results"] if "at most 100" in entry["protocol"]}
    assert limited >= {"responses", "intents", "dialogues"}


def test_finished_parts_are_not_computed_again(whole, cache_folder, monkeypatch):
    output, parts, config = whole
    monkeypatch.setattr(benchmark.IntentEncoder, "encode", None)
    again = run_benchmark(config, parts, cache=EmbeddingCache(cache_folder))
    assert again["results"] == output["results"]


def test_sources_seen_in_training_can_be_named(whole, cache_folder):
    _, parts, config = whole
    config = replace(config, seen_sources=["woz"], sources=["sgd", "woz"], tasks=["responses"])
    output = run_benchmark(config, parts, cache=EmbeddingCache(cache_folder))
    assert {entry["source"] for entry in output["results"] if entry["seen"]} == {"woz"}


def test_response_selection_has_the_figures_of_its_own_command(sample_dataset, encoder, cache_folder, whole):
    config = ResponseSelectionConfig(
        str(sample_dataset), encoder=str(encoder), sources=["sgd"], context_turns=2, max_pairs=100, dtype="float32"
    )
    _, expected = run_response_selection(config, cache=EmbeddingCache(cache_folder))
    figures = {}
    for entry in expected["results"]:
        if (entry["negatives"], entry["domain"]) == ("random", None):
            figures[entry["method"], entry["turns"], entry["metric"]] = (entry["value"], entry["ci95"])
    actual = [e for e in whole[0]["results"] if (e["task"], e["source"]) == ("responses", "sgd")]
    for entry in actual:
        key = ("identity", 1) if entry["setting"] == "question" else ("joined turns", 3)
        assert (entry["value"], entry["ci95"]) == figures[(*key, entry["metric"])]
    assert len(actual) == 2 * 7


def test_sources_with_too_few_pairs_are_named(sample_dataset, encoder, cache_folder):
    config = BenchmarkConfig(str(sample_dataset), str(encoder), tasks=["responses"], sources=["camrest676", "woz"])
    inputs = Inputs(config)
    assert set(load_response_pairs(inputs)) == {("woz", language) for language in ("en", "de", "it")}
    assert inputs.left_out == [{"task": "responses", "reason": "camrest676: fewer than 100 pairs: 53 in en"}]


def test_a_core_reads_the_turns_that_it_was_trained_with(trained_core, pairs_folder, cache_folder):
    cache = EmbeddingCache(cache_folder)
    config = BenchmarkConfig(str(pairs_folder), model=str(trained_core), tasks=["responses"])
    actual = run_benchmark(config, cache=cache)["results"]
    expected = run_response_selection(
        ResponseSelectionConfig(str(pairs_folder), str(trained_core), context_turns=1), cache=cache
    )[1]["results"]
    figures = {
        (entry["turns"], entry["metric"]): (entry["value"], entry["ci95"])
        for entry in expected
        if (entry["method"], entry["negatives"]) == ("trained core", "random")
    }
    for entry in actual:
        assert entry["method"] == "trained core"
        turns = {"question": 1, "with context": 2}[entry["setting"]]
        assert (entry["value"], entry["ci95"]) == figures[turns, entry["metric"]]
    assert len(actual) == len(figures) == 14

    encoder = IntentEncoder(model=trained_core, cache=cache)
    texts = ["Is there tea?", "Hello.", "Which number do I call?"]
    vectors = cache.embed(encoder.teacher, texts)
    turns = np.stack([np.stack([vectors[0], vectors[1]]), np.stack([vectors[2], 0 * vectors[2]])])
    expected = EmbeddingProcessor(encoder.core).process_batch(turns)
    np.testing.assert_allclose(
        encoder.encode_turns([[*texts[:2], "more than it reads"], texts[2:]]), expected, atol=1e-6
    )


@pytest.fixture(scope="module")
def intent_data(tmp_path_factory):
    rows = {split: invented_rows(split, source="lodge") for split in ("train", "test")}
    return write_intents(tmp_path_factory.mktemp("intents") / "data", rows)


def test_intents_have_the_figures_of_their_own_command(intent_data, encoder, cache_folder, monkeypatch):
    monkeypatch.setattr("cube_model.evaluation.benchmark.intents.PROTOCOLS", ("mteb", "1-shot"))
    cache = EmbeddingCache(cache_folder)
    config = IntentsConfig(str(intent_data), str(encoder), protocols=["mteb", "1-shot"])
    expected = run_intents(config, cache=cache)["results"]
    output = run_benchmark(BenchmarkConfig(str(intent_data), str(encoder)), cache=cache)
    actual = [entry for entry in output["results"] if entry["task"] == "intents"]
    figures = [[(e["metric"], e["contaminated"], e["value"], e["ci95"]) for e in part] for part in (actual, expected)]
    assert figures[0] == figures[1]
    assert {each["task"] for each in output["left_out"]} == {"responses", "actions", "dialogues"}
    assert any(entry["metric"] == "utterances_per_second" for entry in output["results"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"tasks": ["responses"]},
            r"data: cannot load the pairs config: .*give a folder made by `dialogue-cube build`",
        ),
        ({"tasks": ["poems"]}, r"tasks: expected .*responses, intents, actions, dialogues, cost, found \['poems'\]"),
        (
            {"tasks": ["intents"], "sources": ["inn"]},
            r"data: no test rows of inn in the downstream config; it has lodge",
        ),
        ({"sources": ["lodge", "inn"]}, r"data: no test rows of inn for these tasks; choose from lodge"),
        (
            {"data": None, "tasks": ["responses"]},
            r"no dataset: pass --data, or only --tasks actions,cost with --action",
        ),
        ({"action_set": "none.json"}, r"action set none.json: cannot be read .*fetch https://"),
    ],
)
def test_each_error_is_one_line_that_says_what_to_do(intent_data, encoder, options, message):
    with pytest.raises(ModelError, match=f"^(?!(?s:.*\n)).*{message}"):
        run_benchmark(BenchmarkConfig(**{"data": str(intent_data), "encoder": str(encoder), **options}))


def test_a_dataset_without_test_split_or_acts_is_an_error_that_says_what_to_add(tmp_path, encoder):
    data = write_intents(tmp_path / "data", {"train": invented_rows("train")})
    with pytest.raises(ModelError, match="no test split of the downstream config, only train; build it with an intent"):
        run_benchmark(BenchmarkConfig(str(data), str(encoder), tasks=["intents"]))
    turns = invented_turns([[("user", "Tea?", (), ()), ("system", "Yes.", (), ())]] * 9)
    inputs = Inputs(BenchmarkConfig("data", tasks=["actions"]))
    inputs.__dict__["turns"] = turns
    with pytest.raises(ModelError, match=r"no source has enough turns with acts or slots in split test .*--action-set"):
        plans(inputs, None)


def entry(source, seen, value, half, language="en", **more):
    interval = [value - half, value + half]
    shared = {"task": "actions", "protocol": "actions v1: x", "setting": "1-shot", "metric": "macro_f1"}
    return {**shared, "source": source, "language": language, "seen": seen, "value": value, "ci95": interval, **more}


def test_means_are_over_sources_of_a_group_each_once():
    rows = [
        *(entry("a", True, value, 0.03, language) for value, language in ((0.2, "en"), (0.4, "de"), (0.6, "it"))),
        entry("b", True, 0.8, 0.04, protocol="actions v1: x; sampled"),
        entry("c", False, 0.5, 0.04),
        entry("d", True, 0.1, 0.01, protocol="actions v1: another"),
    ]
    (mean,) = means(rows)
    assert (mean["source"], mean["seen"], mean["sources"]) == ("mean", True, ["a", "b"])
    assert mean["value"] == pytest.approx(0.6)
    # half the interval of a: sqrt(3 * .03^2) / 3, of both: sqrt(that^2 + .04^2) / 2
    assert mean["ci95"][1] - 0.6 == pytest.approx((0.0003 + 0.0016) ** 0.5 / 2)


def test_the_command_writes_a_table_and_compares_files(intent_data, encoder, cache_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("cube_model.evaluation.benchmark.intents.PROTOCOLS", ("mteb",))
    monkeypatch.setattr("cube_model.evaluation.benchmark.cost._TEXTS", 20)
    files = [tmp_path / name for name in ("a.json", "b.json")]
    shown = []
    for file, seen in zip(files, ("lodge", "other"), strict=True):
        words = ["benchmark", "--data", str(intent_data), "--encoder", str(encoder), "--seen-sources", seen]
        result = CliRunner().invoke(make_app(), [*words, "--json", str(file)])
        assert result.exit_code == 0, result.output
        shown.append(result.output)
    value = next(e["value"] for e in json.loads(files[0].read_text())["results"])
    assert re.search(rf"intents\s+seen\s+lodge \(en\)\s+mteb: accuracy\s+{100 * value:.2f} ±", shown[0])
    assert re.search(r"intents\s+unseen\s+lodge \(en\)", shown[1])
    assert re.search(r"left out: responses \(.*cannot load the pairs config", " ".join(shown[0].split()))
    both = CliRunner().invoke(make_app(), ["benchmark", "--compare", *map(str, files)])
    assert both.exit_code == 0, both.output
    figure = rf"{100 * value:.2f} ±\d+\.\d+"
    assert re.search(rf"intents\s+seen\s+lodge \(en\)\s+mteb: accuracy\s+{figure}\s+{figure}\s+v1", both.output)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--compare"], "--compare takes the files to compare"),
        (["a.json"], "--compare takes the files to compare"),
        (["--compare", "none.json"], "none.json: cannot be read"),
    ],
)
def test_a_comparison_without_results_is_an_error(words, message):
    with pytest.raises(ModelError, match=message):
        CliRunner().invoke(make_app(), ["benchmark", *words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"results": 3}, "not a result of the benchmark"),
        ({"results": [{"task": 3}]}, "not a result of the benchmark"),
        ({"results": [{"task": "intents", "source": None}]}, "not a result of the benchmark"),
        ({"encoder": "minilm"}, "not a result of the benchmark"),
        ({"left_out": [{}]}, "not a result of the benchmark"),
        ([], r"damaged \(it is \[\] instead of an object\)"),
        ("9" * 5000, "mine.json: damaged"),
    ],
)
def test_a_misshapen_file_of_a_comparison_is_named(tmp_path, changes, message):
    whole = {"results": [], "encoder": {"name": "a", "method": "identity"}, "seen_sources": None, "left_out": []}
    content = changes if isinstance(changes, str) else json.dumps(whole | changes if changes else changes)
    (tmp_path / "mine.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        CliRunner().invoke(make_app(), ["benchmark", "--compare", str(tmp_path / "mine.json")], catch_exceptions=False)


def make_app():
    app = typer.Typer()
    app.command("benchmark")(benchmark_command)
    app.callback()(lambda: None)
    return app
