"""The leaderboard on invented pairs: its JSON, resuming, and results that do not depend on the order of the run."""

import json
from typing import get_args

import pytest
from typer.testing import CliRunner

from cube_model import EmbeddingCache, ModelError
from cube_model.evaluation.baselines import baselines
from cube_model.evaluation.baselines.base import Baseline
from cube_model.evaluation.leaderboard import board as module
from cube_model.evaluation.leaderboard.board import Leaderboard
from cube_model.evaluation.leaderboard.config import LeaderboardConfig, Method
from cube_model.evaluation.leaderboard.tables import differences_table, eval_results, lines
from support.cube_fixtures import invented_dialogues, write_pairs

TIMES = ("training_seconds", "tuning_seconds", "microseconds_per_query")
SETTINGS = {"context_turns": 1, "seeds": 2, "train_sizes": (100, "all"), "draws": 1, "teacher_dtype": "float32"}


@pytest.fixture
def board(pairs_folder, minilm, cache_folder, tmp_path):
    def make(folder="results", data=pairs_folder, **options):
        config = LeaderboardConfig(data=str(data), **{**SETTINGS, "methods": ["sim", "ridge"], **options})
        return Leaderboard(config, tmp_path / folder, cache=EmbeddingCache(cache_folder))

    return make


def untimed(output):
    return [{key: value for key, value in row.items() if key not in TIMES} for row in output["results"]]


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    """Two settings instead of six and few steps, as the tests concern the search itself."""
    from cube_model.evaluation.baselines.contrastive import Contrastive
    from cube_model.evaluation.baselines.core import Core
    from cube_model.training import schedule

    monkeypatch.setattr(schedule, "LEAST_STEPS", 30)
    monkeypatch.setattr(schedule, "EPOCHS", 3)
    for kind in (Contrastive, Core):
        monkeypatch.setattr(
            kind, "grid", ({"learning_rate": 1e-3, "noise": 0.0}, {"learning_rate": 5e-3, "noise": 0.3})
        )


def test_every_baseline_can_be_named():
    assert tuple(baselines(turns=1, budget=1000)) == get_args(Method)


def test_contract_of_the_json(board):
    output = board(methods=["bm25", "tfidf", "sim", "ridge", "procrustes", "core"], train_sizes=(100,), seeds=1).run()
    json.dumps(output, allow_nan=False)
    keys = {"task", "source", "language", "protocol", "method", "metric", "value", "ci95", "parameters"}
    keys |= {"train_size", "seed", "microseconds_per_query", "training_seconds", "tuning_trials", "settings"}
    for row in output["results"]:
        assert keys <= set(row)
        low, high = row["ci95"]
        assert low <= row["value"] <= high
        assert row["metric"] == row["metric"].lower()
        assert row["microseconds_per_query"] > 0
        assert (row["source"], row["language"], row["task"]) == ("invented", "en", "response-selection")
    assert set(output["fingerprints"]) == {"teacher", "train", "validation", "test"}
    sizes = {row["method"]: row["train_size"] for row in output["results"]}
    assert sizes == {"bm25": None, "tfidf": 100, "sim": None, "ridge": 100, "procrustes": 100, "core": 100}
    cosine = {row["method"] for row in output["results"] if row["metric"] == "mean_cosine"}
    assert cosine == {"sim", "ridge", "procrustes", "core"}  # it means nothing for word counts
    core = next(row for row in output["results"] if row["method"] == "core")
    assert core["parameters"] == output["budget"]
    assert core["tuning_trials"] == 2


def test_the_plan_has_no_two_fits_with_the_same_result(board):
    plan = [(f.baseline.name, f.train_size, f.seed) for f in board(methods=["sim", "ridge", "low_rank"]).plan()]
    assert plan == [
        ("sim", None, 0),
        *[("ridge", 100, 0), ("ridge", 100, 1), ("ridge", None, 0)],
        *[("low_rank", size, seed) for size in (100, None) for seed in (0, 1)],
    ]


def test_a_resumed_run_equals_an_uninterrupted_one_and_repeats_nothing(board, monkeypatch):
    methods = ["sim", "ridge", "low_rank"]
    whole = board("whole", methods=methods).run()
    fits = []
    real = module.Leaderboard._evaluate

    class StoppedError(Exception):
        pass

    tune = Baseline.tune

    def stop_in_the_middle(self, fit, fitted, search):
        if fit.baseline.name == "low_rank" and len(fits) == 3:
            raise StoppedError
        fits.append((fit.baseline.name, fit.train_size, fit.seed))
        return real(self, fit, fitted, search)

    monkeypatch.setattr(module.Leaderboard, "_evaluate", stop_in_the_middle)
    with pytest.raises(StoppedError):
        board("parts", methods=["low_rank", "sim", "ridge"]).run()
    before = list(fits)
    assert before

    def tune_once(self, train, validation, **options):
        assert self.name != "low_rank" or len(train) != 100, "searched twice"
        return tune(self, train, validation, **options)

    fits.extend([("", None, 0)] * 3)  # do not stop again
    monkeypatch.setattr(Baseline, "tune", tune_once)
    resumed = board("parts", methods=methods).run()
    assert untimed(resumed) == untimed(whole)
    assert not set(before) & set(fits[len(before) + 3 :])


def test_settings_for_a_large_training_size_are_selected_on_fewer_pairs(board, monkeypatch):
    from cube_model.evaluation.baselines.closed_form import Ridge
    from cube_model.evaluation.baselines.residual import ResidualBaseline

    sizes = {"low_rank": [], "ridge": []}
    for kind in (ResidualBaseline, Ridge):

        def fit(self, train, validation, *, seed=0, settings=None, real=kind.fit):
            sizes[self.name].append((len(train), seed))
            return real(self, train, validation, seed=seed, settings=settings)

        monkeypatch.setattr(kind, "fit", fit)
    output = board(methods=["low_rank", "ridge"], train_sizes=(100, "all"), tuning_pairs=120).run()
    within, above = [(100, 0), (100, 0), (100, 1)], [(120, 0), (120, 0), (360, 0), (360, 1)]
    assert sizes == {"low_rank": within + above, "ridge": [(100, 0), (100, 1), (360, 0)]}
    assert {(row["method"], row["train_size"]) for row in output["results"]} == {
        (method, size) for method in sizes for size in (100, 360)
    }


def test_training_sizes_with_the_same_tuning_pairs_share_one_search(board, monkeypatch):
    from cube_model.evaluation.baselines.residual import ResidualBaseline

    fits, real = [], ResidualBaseline.fit

    def fit(self, train, validation, *, seed=0, settings=None):
        fits.append((len(train), seed))
        return real(self, train, validation, seed=seed, settings=settings)

    monkeypatch.setattr(ResidualBaseline, "fit", fit)
    options = {"methods": ["low_rank"], "seeds": 1, "tuning_pairs": 100}
    output = board(train_sizes=(100, 200, "all"), **options).run()
    assert fits == [(100, 0), (100, 0), (200, 0), (360, 0)]
    alone = board("alone", train_sizes=("all",), **options).run()
    assert untimed(alone) == [row for row in untimed(output) if row["train_size"] == 360]


def test_an_interrupted_search_keeps_its_trials(board, monkeypatch):
    from cube_model.evaluation.baselines.residual import ResidualBaseline

    real, tried = ResidualBaseline.fit, []

    def fit(self, train, validation, *, seed=0, settings=None):
        tried.append(settings)
        if len(tried) == 2:
            raise KeyboardInterrupt
        return real(self, train, validation, seed=seed, settings=settings)

    monkeypatch.setattr(ResidualBaseline, "fit", fit)
    options = {"methods": ["low_rank"], "seeds": 1, "train_sizes": (100,)}
    with pytest.raises(KeyboardInterrupt):
        board(**options).run()
    output = board(**options).run()
    first, second = ResidualBaseline.grid
    assert tried[:3] == [first, second, second]
    assert output["results"][0]["tuning_trials"] == 2
    monkeypatch.setattr(ResidualBaseline, "fit", real)
    assert untimed(output) == untimed(board("afresh", **options).run())


def test_results_of_other_data_are_not_reused(board, tmp_path):
    board().run()
    dialogues = {split: invented_dialogues(40, seed) for split, seed in (("train", 7), ("validation", 8), ("test", 9))}
    other = write_pairs(tmp_path / "other" / "data", dialogues)
    assert untimed(board(data=other, train_sizes=("all",)).run()) != untimed(board(train_sizes=("all",)).run())


def test_leave_one_source_out(board, tmp_path):
    import shutil

    import pyarrow as pa
    import pyarrow.parquet as pq

    splits = {"train": (60, 1), "validation": (20, 2), "test": (40, 3)}
    folder = write_pairs(tmp_path / "two" / "data", {s: invented_dialogues(*n) for s, n in splits.items()}, "first")
    second = write_pairs(
        tmp_path / "more" / "data", {s: invented_dialogues(n, 9) for s, (n, _) in splits.items()}, "second"
    )
    for split in splits:
        name = f"pairs/{split}-00000-of-00001.parquet"
        both = pa.concat_tables([pq.read_table(folder / name), pq.read_table(second / name)])
        pq.write_table(both, folder / name)
    shutil.rmtree(second)
    output = board(data=folder, leave_out="second", train_sizes=("all",)).run()
    assert {row["source"] for row in output["results"]} == {"second"}
    assert {tuple(row["train_sources"]) for row in output["results"]} == {("first",)}
    assert all(row["zero_shot"] for row in output["results"])
    together = board(data=folder, train_sizes=("all",)).run()
    assert {row["source"] for row in together["results"]} == {"all", "first", "second"}
    with pytest.raises(ModelError, match="no other source to train on"):
        board(leave_out="invented")


def test_card_and_table_from_the_json(board):
    from huggingface_hub import ModelCardData

    output = board(methods=["sim", "low_rank"]).run()
    rows = lines(output["results"], "invented")
    assert [(line.method, line.train_size) for line in rows] == [("sim", None), ("low_rank", 100), ("low_rank", 360)]
    assert len(rows[1].metrics["mrr"]) == 2
    entries = eval_results(output["results"], "low_rank", "org/data")
    assert {entry.metric_type for entry in entries} >= {"accuracy_1_of_100", "mrr", "mean_cosine"}
    assert entries[0].metric_args["train_size"] == 360
    assert entries[0].metric_value == pytest.approx(rows[2].mean("accuracy_1_of_100"), abs=1e-4)
    assert "accuracy_1_of_100" in ModelCardData(model_name="x", eval_results=entries).to_yaml()


def test_differences_to_the_core_are_paired(board):
    output = board(methods=["sim", "low_rank", "core"], train_sizes=(100,)).run()
    assert not any("bootstrap_samples" in row for row in output["results"])
    line_of = {line.method: line for line in lines(output["results"], "invented")}
    difference_of = {each["method"]: each for each in output["differences"]}
    assert set(difference_of) == {"sim", "low_rank"}
    for method, each in difference_of.items():
        accuracy = "accuracy_1_of_100"
        assert each["train_size"] == 100
        assert each["value"] == pytest.approx(line_of[method].mean(accuracy) - line_of["core"].mean(accuracy))
        low, high = each["ci95"]
        assert low <= each["value"] <= high
        ends = zip(line_of[method].intervals[accuracy], reversed(line_of["core"].intervals[accuracy]), strict=True)
        unpaired = [own - other for own, other in ends]
        assert high - low < unpaired[1] - unpaired[0], "as wide as an interval of unpaired samples"
    table = differences_table(output["differences"], "invented")
    assert table.row_count == 2


def test_the_difference_of_equal_methods_is_zero():
    from cube_model.evaluation.leaderboard.differences import SAMPLES, differences

    entry = {"source": "x", "metric": "accuracy_1_of_100", "train_size": 10, "value": 0.5, SAMPLES: [0.4, 0.5, 0.6]}
    seeds = [{**entry, "method": "core"}, {**entry, "method": "core", "value": 0.7, SAMPLES: [0.6, 0.7, 0.8]}]
    other = {**entry, "method": "map", "value": 0.6, SAMPLES: [0.5, 0.6, 0.7]}
    (difference,) = differences([*seeds, other, {**other, "source": "y"}, {**other, "train_size": 20}])
    assert (difference["method"], difference["minus"], difference["train_size"]) == ("map", "core", 10)
    assert [difference["value"], *difference["ci95"]] == pytest.approx([0, 0, 0])


def test_command(pairs_folder, minilm, cache_folder, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    import typer

    from cube_model.cli import register

    monkeypatch.setattr("cube_model.vectors.cache.default_folder", lambda: cache_folder)
    app = typer.Typer()
    register(app)
    out = tmp_path / "board.json"
    arguments = ["leaderboard", "--data", str(pairs_folder), "--json", str(out), "--methods", "sim,procrustes"]
    options = ["--train-sizes", "100,all", "--plot", str(tmp_path / "board.svg"), "--card", str(tmp_path / "card.yaml")]
    options += ["--teacher-dtype", "float32"]
    result = CliRunner().invoke(app, [*arguments, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "procrustes" in result.output
    written = json.loads(out.read_text())
    assert written["results"]
    assert "--train-sizes 100,all --seeds 3 --methods sim,procrustes" in written["command"]
    assert written["command"].endswith("--teacher-dtype float32 --json FILE")
    assert written["encoder"]["dtype"] == "float32"
    assert str(pairs_folder.parent) not in written["command"]
    assert "procrustes" in (tmp_path / "board.svg").read_text()
    assert f"{384 * 384:,}" in (tmp_path / "board.svg").read_text()
    assert not list(tmp_path.glob(".*.tmp"))
    for wrong, words in (
        (
            ["--train-sizes", "many"],
            "train_sizes: expected a list of a whole number of at least 2 or one of all, found ..many..",
        ),
        (
            ["--methods", "magic"],
            r"methods: expected some of bm25, tfidf, sim, .*, found \['sim', 'procrustes', 'magic'\]",
        ),
        (["--plot", "x.txt"], "unknown extension"),
    ):
        with pytest.raises(ModelError, match=words):
            CliRunner().invoke(app, [*arguments, *wrong], catch_exceptions=False)


def test_the_plot_shows_parameters_order_and_differences(tmp_path):
    """The best method is the highest; every number of parameters and difference to the core is written beside it."""
    import re

    from cube_model.evaluation.leaderboard.plots import plot_leaderboard

    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    methods = {"sim": (0, 0.2), "core": (142_976, 0.4), "ridge": (442_368, 0.3)}
    shared = {"source": "invented", "domain": None, "negatives": "random", "metric": "accuracy_1_of_100", "turns": 1}
    shared |= {"training_seconds": 1.0, "microseconds_per_query": 1.0, "encoder": "minilm", "context_turns": 0}
    results = [
        {**shared, "method": name, "parameters": size, "value": value, "ci95": [value - 0.01, value + 0.01]}
        | {"train_size": None if name == "sim" else 100}
        for name, (size, value) in methods.items()
    ]
    differences = [
        {
            "source": "invented",
            "method": name,
            "train_size": 100,
            "value": value - 0.4,
            "ci95": [value - 0.41, value - 0.39],
        }
        for name, (_, value) in methods.items()
        if name != "core"
    ]
    plot_leaderboard(results, differences, "invented", tmp_path / "one.svg")
    plot_leaderboard(results, differences, "invented", tmp_path / "two.svg")
    for suffix in (".svg", ".png", ".pdf"):
        mine, ours = tmp_path / f"mine{suffix}", tmp_path / f"ours{suffix}"
        Figure().savefig(mine)
        before = mine.read_bytes()
        with pytest.raises(ModelError, match="exists and was not made by a command of dialogue-cube that writes plots"):
            plot_leaderboard(results, differences, "invented", mine)
        assert mine.read_bytes() == before
        for _ in range(2):  # an earlier plot is replaced
            plot_leaderboard(results, differences, "invented", ours)
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert text == (tmp_path / "two.svg").read_text(encoding="utf-8")
    heights = {
        name: float(re.search(rf'<text[^>]* y="([\d.]+)"[^>]*>{name}\W+{size:,}</text>', text)[1])
        for name, (size, _) in methods.items()
    }
    assert heights["core"] < heights["ridge"] < heights["sim"]
    assert "-0.100 (-0.110 to -0.090)" in " ".join(text.split())
