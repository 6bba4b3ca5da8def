"""Intent metrics and their intervals, and the whole command on an invented intent set with a small real encoder."""

import json
import shutil
from pathlib import Path

import evaluate
import numpy as np
import pyarrow.parquet as pq
import pytest
import sklearn.metrics as theirs
from typer.testing import CliRunner

from cube_model import EmbeddingCache, ModelError
from cube_model.evaluation.intents import run as intents
from cube_model.evaluation.intents.config import IntentsConfig
from cube_model.evaluation.intents.run import run_intents
from cube_model.evaluation.intents.scoring import classification_intervals, interval_of_mean, scope_interval
from cube_model.evaluation.intents.tables import left_out_lines
from cube_model.evaluation.intents.task import SEVERAL, load_intents
from cube_model.metrics import intent_metrics
from cube_model.metrics.intent_metrics import METRICS, IntentMetric, auroc, fpr95, macro_f1
from support.intent_fixtures import invented_rows, row, write_intents


@pytest.fixture(scope="module")
def guesses():
    generator = np.random.default_rng(0)
    true = generator.integers(0, 6, size=400)
    return true, np.where(generator.random(400) < 0.7, true, generator.integers(0, 7, size=400))


def test_out_of_scope_figures_by_hand():
    inside, scores = np.array([1, 1, 1, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.1])
    assert auroc(inside, scores) == pytest.approx(6 / 8)  # pairs in the right order
    # 5th percentile of the four in-scope scores: .2 + .15 * .5
    assert fpr95(inside, scores) == 0.5
    assert fpr95(inside, np.array([0.9, 0.8, 0.7, 0.2, 0.274, 0.1])) == 0.0
    assert fpr95(inside, np.array([0.9, 0.8, 0.7, 0.2, 0.276, 0.1])) == 0.5


def test_out_of_scope_figures_equal_those_of_scikit_learn():
    generator = np.random.default_rng(4)
    for digits in (9, 1):  # with one digit most scores are tied
        inside = (generator.random(300) < 0.7).astype(int)
        scores = np.round(generator.normal(size=300) + inside, digits)
        assert auroc(inside, scores) == pytest.approx(theirs.roc_auc_score(inside, scores))
        assert intent_metrics.aupr(inside, scores) == pytest.approx(theirs.average_precision_score(inside, scores))
        expected = theirs.average_precision_score(1 - inside, -scores)
        assert intent_metrics.aupr_out(inside, scores) == pytest.approx(expected)


def test_metrics_for_the_evaluate_library(guesses, tmp_path):
    true, guessed = guesses
    both = evaluate.combine([IntentMetric("accuracy"), IntentMetric("macro_f1"), IntentMetric("v_measure")])
    assert both.compute(predictions=guessed, references=true) == {
        "accuracy": theirs.accuracy_score(true, guessed),
        "macro_f1": theirs.f1_score(true, guessed, average="macro"),
        "v_measure": pytest.approx(theirs.v_measure_score(true, guessed)),
    }
    scores = np.random.default_rng(1).normal(size=400) + (true > 2)
    inside = (true > 2).astype(int)
    for name in ("auroc", "aupr", "aupr_out", "fpr95"):
        value = IntentMetric(name).compute(predictions=scores, references=inside)[name]
        assert value == pytest.approx(METRICS[name](inside, scores))
    # the file alone is a metric that `evaluate` can load
    script = tmp_path / "intent_metrics" / "intent_metrics.py"
    script.parent.mkdir()
    shutil.copy(intent_metrics.__file__, script)
    loaded = evaluate.load(str(script.parent), "macro_f1")
    assert loaded.compute(predictions=guessed, references=true) == {"macro_f1": macro_f1(true, guessed)}
    with pytest.raises(ValueError, match="unknown metric 'bleu': expected one of accuracy, macro_f1, auroc"):
        IntentMetric("bleu")


def test_bootstrap_of_the_confusion_matrix_equals_bootstrap_of_rows(guesses):
    true, guessed = guesses
    generator = np.random.default_rng(3)
    samples = {"accuracy": [], "macro_f1": []}
    for _ in range(300):
        rows = generator.integers(0, len(true), len(true))
        samples["accuracy"].append(np.mean(true[rows] == guessed[rows]))
        samples["macro_f1"].append(theirs.f1_score(true[rows], guessed[rows], average="macro"))
    for name, interval in classification_intervals(true, guessed).items():
        assert interval == pytest.approx(np.percentile(samples[name], [2.5, 97.5]), abs=0.015), name
    assert classification_intervals(true, guessed) == classification_intervals(true, guessed)
    assert classification_intervals(true, true)["macro_f1"] == (1.0, 1.0)


def test_intervals_of_means_and_scores():
    low, high = interval_of_mean([0.7, 0.8, 0.9])
    assert (low + high) / 2 == pytest.approx(0.8)
    assert (high - low) / 2 == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)  # Student's t, 2 degrees of freedom
    assert interval_of_mean([0.7]) is None
    generator = np.random.default_rng(0)
    inside = np.repeat([1, 0], [300, 200])
    scores = generator.normal(size=500) + inside
    low, high = scope_interval(auroc, inside, scores)
    assert low < auroc(inside, scores) < high
    assert 0.05 < high - low < 0.12  # Hanley & McNeil: 3.92 standard errors of about .022


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sources, one of them in two languages, with out-of-scope rows and contaminated test rows."""
    rows = {
        split: [
            *invented_rows(split, source="lodge"),
            *invented_rows(split, source="manor", language="en-US", out_of_scope=False, scenarios=False, seed=1),
            *invented_rows(split, source="manor", language="de-DE", out_of_scope=False, scenarios=False, seed=2),
        ]
        for split in ("train", "test")
    }
    return write_intents(tmp_path_factory.mktemp("intents") / "data", rows)


@pytest.fixture(scope="module")
def whole(folder, minilm, cache_folder, tmp_path_factory):
    """Output of all protocols and the folder with its cached results."""
    results_folder = tmp_path_factory.mktemp("results")
    return run_intents(IntentsConfig(str(folder)), results_folder, cache=EmbeddingCache(cache_folder)), results_folder


def test_tasks_keep_the_order_of_the_rows(folder):
    tasks = {task.name: task for task in load_intents(folder).tasks}
    names = ["lodge (en)", "manor (en-US)", "manor (de-DE)"]
    assert set(tasks) == {*names, "lodge (en), scenario"}
    task, rows = tasks["lodge (en)"], invented_rows("train", source="lodge")
    assert task.train.texts == [r["utterance"] for r in rows if not r["is_out_of_scope"]]
    assert [task.classes[i] for i in task.train.labels] == [r["label"] for r in rows if not r["is_out_of_scope"]]
    assert (len(task.test), len(task.outside), task.test.contaminated.sum()) == (60, 12, 12)
    assert tasks["lodge (en), scenario"].classes == ["home", "kitchen"]
    assert [task.name for task in load_intents(folder, languages=["en"], labels=["intent"]).tasks] == names[:2]
    assert task.fingerprint == load_intents(folder, ["lodge"]).tasks[0].fingerprint
    assert len({task.fingerprint for task in tasks.values()}) == 4


def test_every_entry_has_the_fields_of_the_contract(whole):
    results = whole[0]["results"]
    fields = ("task", "source", "language", "protocol", "method", "metric", "value", "ci95", "parameters", "train_size")
    fields = (*fields, "seed", "protocol_version", "test_rows", "contaminated", "predicts", "settings")
    assert all(name in entry for entry in results for name in fields)
    assert {e["protocol"] for e in results} == {
        *("mteb", "1-shot", "5-shot", "10-shot", "knn", "prototype", "linear"),
        *("oos", "clustering"),
    }
    assert {e["metric"] for e in results} == set(METRICS)
    assert {e["source"] for e in results if e["protocol"] == "oos"} == {"lodge"}
    assert {e["settings"]["detector"] for e in results if e["protocol"] == "oos"} == {
        *("max_cosine", "max_softmax", "max_logit")
    }
    for entry in results:
        assert 0 <= entry["value"] <= 1 + 1e-9
        low, high = entry["ci95"]
        assert low - 1e-9 <= entry["value"] <= high + 1e-9
        assert entry["ci95_of"] in ("draws", "test rows", "seeds", "languages")
    linear = {e["contaminated"]: e for e in results if (e["source"], e["protocol"]) == ("lodge", "linear")}
    assert (linear["kept"]["test_rows"], linear["removed"]["test_rows"]) == (60, 48)
    assert set(whole[0]["fingerprints"]) == {"data", "teacher", "model"}
    assert {"dialogue-cube", "torch", "scikit-learn"} <= set(whole[0]["versions"])


def test_a_real_encoder_tells_lamps_from_soup(whole):
    accuracy = {
        (e["protocol"], e["predicts"]): e["value"]
        for e in whole[0]["results"]
        if (e["source"], e["metric"], e["contaminated"]) == ("lodge", "accuracy", "kept")
    }
    assert accuracy["mteb", "intent"] > 0.6
    assert accuracy["linear", "scenario"] > 0.95
    out_of_scope = {
        (e["metric"], e["settings"].get("detector")): e["value"] for e in whole[0]["results"] if e["protocol"] == "oos"
    }
    assert out_of_scope["auroc", "max_cosine"] > 0.9


def test_mean_over_languages(whole):
    def value(language):
        return [
            e
            for e in whole[0]["results"]
            if (e["source"], e["language"], e["protocol"]) == ("manor", language, "knn")
            and (e["metric"], e["predicts"], e["contaminated"]) == ("accuracy", "intent", "kept")
        ]

    (mean,), each = value("mean"), [value(name)[0]["value"] for name in ("en-US", "de-DE")]
    assert mean["value"] == pytest.approx(np.mean(each))
    assert (mean["languages"], mean["ci95_of"]) == (["en-US", "de-DE"], "languages")
    assert not [e for e in whole[0]["results"] if (e["source"], e["language"]) == ("lodge", "mean")]


def test_finished_parts_are_not_computed_again(whole, folder, minilm, cache_folder, monkeypatch):
    output, results_folder = whole
    scored = []
    monkeypatch.setattr(intents, "score", lambda protocol, task, *_: scored.append((protocol, task.name)) or [])
    again = run_intents(IntentsConfig(str(folder)), results_folder, cache=EmbeddingCache(cache_folder))
    assert json.dumps(again["results"]) == json.dumps(output["results"])
    assert not scored
    config = IntentsConfig(str(folder), sources=["lodge"], protocols=["mteb"], labels=["intent"], seeds=2)
    run_intents(config, results_folder, cache=EmbeddingCache(cache_folder))
    assert scored == [("mteb", "lodge (en)")]


def test_an_interrupted_run_is_resumed(whole, folder, minilm, cache_folder, tmp_path, monkeypatch):
    real, scored = intents.score, []

    def stopping(protocol, task, *arguments):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(protocol)
        return real(protocol, task, *arguments)

    config = IntentsConfig(str(folder), sources=["lodge"], protocols=["knn", "prototype", "mteb"], labels=["intent"])
    monkeypatch.setattr(intents, "score", stopping)
    with pytest.raises(KeyboardInterrupt):
        run_intents(config, tmp_path, cache=EmbeddingCache(cache_folder))
    monkeypatch.setattr(intents, "score", lambda protocol, *rest: scored.append(protocol) or real(protocol, *rest))
    resumed = run_intents(config, tmp_path, cache=EmbeddingCache(cache_folder))["results"]
    assert scored == ["knn", "prototype", "mteb"]
    expected = [
        e
        for protocol in config.protocols
        for e in whole[0]["results"]
        if (e["source"], e["predicts"], e["protocol"]) == ("lodge", "intent", protocol)
    ]
    assert resumed == expected


def test_a_core_is_evaluated_by_its_question_encoding(folder, minilm, pairs_folder, cache_folder, trained_core):
    from cube_model.evaluation.intents.encoder import IntentEncoder

    cache = EmbeddingCache(cache_folder)
    encoder = IntentEncoder(model=trained_core, cache=cache)
    texts = ["turn the hall lamp on", "a pot of tea to the attic"]
    mapped = encoder.encode(texts)
    assert encoder.method == "trained core"
    assert encoder.parameters > 0
    assert encoder.fingerprints["model"]
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1, atol=1e-5)
    assert np.abs(mapped - minilm.encode(texts)).max() > 0.005  # trained: no longer the identity
    config = IntentsConfig(str(folder), model=str(trained_core), sources=["lodge"], protocols=["knn"])
    assert {e["method"] for e in run_intents(config, cache=cache)["results"]} == {"trained core"}


def test_a_sentence_transformer_can_be_the_encoder(folder, minilm, tmp_path):
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    from cube_model.evaluation.intents.encoder import IntentEncoder
    from cube_model.teacher.find import find_teacher

    model = library.SentenceTransformer(str(Path(find_teacher("minilm", None)[0])), device="cpu")
    encoder = IntentEncoder(model, cache=EmbeddingCache(tmp_path))
    texts = ["turn the hall lamp on", "a pot of tea to the attic"]
    np.testing.assert_allclose(encoder.encode(texts), minilm.encode(texts), atol=2e-5)
    assert len(encoder.fingerprints["teacher"]) == 64
    model.max_seq_length = 3
    assert IntentEncoder(model, cache=EmbeddingCache(tmp_path)).fingerprints != encoder.fingerprints


def test_rows_with_several_labels_and_sets_that_make_no_task_are_left_out_and_named(tmp_path, minilm, cache_folder):
    both, none = ["x/a", "x/b"], []
    rows = {
        "train": [*LABELLED["train"], row("both", "x/a+x/b", labels=both), row("nothing", "x/none", labels=none)],
        "test": [*LABELLED["test"], row("both", "x/a+x/b", labels=both), row("hallo", "x/a", language="de")],
    }
    rows["train"].append(row("bonjour", "x/a", language="fr"))
    rows["test"].append(row("lampe", "x/b", language="fr"))
    rows["train"].append(row("odd", "y/a", source="other"))
    folder = write_intents(tmp_path / "data", rows)
    (task,) = load_intents(folder).tasks
    assert (task.classes, task.train.texts, task.test.texts) == (["x/a", "x/b"], ["lamp on", "lamp off"], ["light on"])
    output = run_intents(IntentsConfig(str(folder), protocols=["knn"]), cache=EmbeddingCache(cache_folder))
    assert [tuple(rows.values()) for rows in output["left_out"]] == [
        ("invented", "en", SEVERAL, {"train": 2, "test": 1}),
        ("invented", "de", "has no rows in split train", {"train": 0, "test": 1}),
        ("invented", "fr", "has a single intent in split train, x/a", {"train": 1, "test": 1}),
        ("other", "en", "has no rows in split test", {"train": 1, "test": 0}),
    ]
    assert next(left_out_lines(output["left_out"])) == f"invented (en): 3 rows left out ({SEVERAL})"
    with pytest.raises(ModelError, match=r"other \(en\) has no rows in split test; both"):
        load_intents(folder, ["invented", "other"])


LABELLED = {"train": [row("lamp on", "x/a"), row("lamp off", "x/b")], "test": [row("light on", "x/a")]}


def test_a_dataset_that_is_older_than_the_labels_one_by_one_has_one_label_a_row(tmp_path):
    folder = write_intents(tmp_path / "data", LABELLED)
    for path in (folder / "downstream").iterdir():
        pq.write_table(pq.read_table(path).drop_columns("labels"), path)
    assert [len(task.train) for task in load_intents(folder).tasks] == [2]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (LABELLED, {"sources": ["nope"]}, "no intents from nope; the dataset has invented"),
        (LABELLED, {"languages": ["ru"]}, "no intents in ru; the dataset has en"),
        (LABELLED, {"protocols": ["9-shot"]}, "protocols: expected some of mteb, 1-shot, 5-shot, .*, found ..9-shot.."),
        (LABELLED, {"protocols": ["oos"]}, "no intent set has out-of-scope test rows"),
        (LABELLED, {"labels": ["topic"]}, "labels: expected some of intent, scenario, found ..topic.."),
        ({"test": LABELLED["test"]}, {}, "cannot load the split 'train' of the downstream config"),
        ({**LABELLED, "train": [row("a", "y/a", source="other")]}, {}, "invented .en. has no rows in split train"),
        ({**LABELLED, "test": [row("a", None)]}, {}, "rows without intent in split test"),
        ({s: [row("a", "x/a")] for s in LABELLED}, {}, "has a single intent in split train, x/a"),
    ],
)
def test_errors_say_what_to_do(rows, options, message, tmp_path):
    folder = write_intents(tmp_path / "data", rows)
    with pytest.raises(ModelError, match=message) as caught:
        run_intents(IntentsConfig(str(folder), **options))
    assert "\n" not in str(caught.value)


def test_command(folder, minilm, cache_folder, tmp_path, monkeypatch):
    from dialogue_cube import app

    monkeypatch.setattr("cube_model.vectors.cache.default_folder", lambda: Path(cache_folder))
    target = tmp_path / "intents.json"
    command = ["evaluate", "intents", "--data", str(folder), "--encoder", "minilm", "--protocol", "prototype,oos"]
    done = CliRunner().invoke(app, [*command, "--sources", "lodge", "--json", str(target)])
    assert done.exit_code == 0, done.output
    assert "lodge" in done.output
    written = json.loads(target.read_text())
    assert {e["protocol"] for e in written["results"]} == {"prototype", "oos"}
    assert written["command"] == (
        f"dialogue-cube evaluate intents --data {folder.name} --encoder minilm --sources lodge "
        "--protocols prototype,oos --labels intent,scenario --dtype float32 --json FILE"
    )
    assert len(list((tmp_path / "intents.json.cells").iterdir())) == 3  # prototype of intents and scenarios, oos


@pytest.mark.slow
@pytest.mark.real_data
def test_banking77_as_published(corpora, cache_dir, minilm, tmp_path):
    """all-MiniLM-L6-v2 on MTEB's leaderboard: Banking77Classification 80.04."""
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.corpus.options import BuildOptions
    from dataset_builders.quality.config import QualityConfig

    options = BuildOptions(split_policy="official", quality=QualityConfig.preset("none"))
    build_dataset(["banking77"], corpora, tmp_path / "data", options=options, cache_dir=cache_dir)
    output = run_intents(IntentsConfig(str(tmp_path / "data"), "minilm", protocols=["mteb"]))
    values = {(e["metric"], e["contaminated"]): e["value"] for e in output["results"]}
    assert 100 * values["accuracy", "kept"] == pytest.approx(80.04, abs=0.3)
