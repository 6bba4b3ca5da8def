"""From raw files to the database: a first run, a run with nothing to do, changes, kills and broken sources."""

import functools
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataset_builders.common.decisions import RowDecision, append_decisions
from dataset_builders.common.errors import DataError
from dataset_builders.corpus.build import build_dataset
from dataset_builders.corpus.options import build_options
from dataset_builders.pipeline.config import DatasetSettings, OwnSettings, PipelineConfig
from dataset_builders.pipeline.pipeline import Listener, plan_pipeline, run_pipeline
from dataset_builders.schema import CONFIGS
from dataset_builders.sources.info import SourceFile
from dataset_builders.sources.registry import builders, source_modules

SOURCES = ("camrest676", "woz", "banking77")

STEPS = [
    *(f"source: {name}" for name in SOURCES),
    "duplicates and splits",
    *(f"quality and pairs: {name}" for name in SOURCES),
    "dataset",
    "database",
]

COMMAND = Path(sys.executable).with_name("dialogue-cube")


def digests(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def ran(outcomes):
    return [outcome.step for outcome in outcomes if outcome.state == "done"]


@pytest.fixture(scope="module")
def finished(sample_raw, tmp_path_factory):
    """Raw files, cache and results of a run, for tests to copy."""
    import datasets

    place = tmp_path_factory.mktemp("pipeline")
    for name in SOURCES:
        shutil.copytree(sample_raw / name, place / "raw" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", place / "cache")
        outcomes = run_pipeline(PipelineConfig(raw_dir=place / "raw", out=place / "out"))
    return place, outcomes


@pytest.fixture
def fresh(finished, tmp_path, monkeypatch):
    """Raw files that a test may change, no results, and an empty cache, also for other processes."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    shutil.copytree(finished[0] / "raw", tmp_path / "raw")
    return PipelineConfig(raw_dir=tmp_path / "raw", out=tmp_path / "out")


@pytest.fixture
def config(fresh, finished, tmp_path):
    """`fresh` after a run."""
    for name in ("out", "cache"):
        shutil.copytree(finished[0] / name, tmp_path / name)
    return fresh


@pytest.fixture
def raw(fresh):
    return fresh.raw_dir


def change(raw):
    """Change one utterance of one raw file."""
    file = raw / "banking77" / "train.csv"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([lines[0], f"Please {lines[1]}", *lines[2:]]))


def cache_entries(tmp_path):
    """Number of cached Arrow files by source; each parse of a source adds some."""
    return {name: len(list((tmp_path / "cache" / name).glob("*/*/*/*.arrow"))) for name in SOURCES}


def test_first_run_second_run_changed_source(finished, config, raw, tmp_path):
    assert ran(finished[1]) == STEPS
    build_dataset([], raw, tmp_path / "built", cache_dir=tmp_path / "cache")
    assert digests(config.out / "dataset") == digests(tmp_path / "built")

    before = {path: path.stat().st_mtime_ns for path in (config.out / "dataset").rglob("*")}
    assert ran(run_pipeline(config)) == []
    for file in raw.rglob("*.*"):
        file.touch()  # changes the times, not the content
    (raw / "banking77" / ".DS_Store").write_text("of the file browser")
    assert ran(run_pipeline(config)) == []
    assert {path: path.stat().st_mtime_ns for path in (config.out / "dataset").rglob("*")} == before

    entries = cache_entries(tmp_path)
    change(raw)
    of_banking77 = ["source: banking77", "duplicates and splits", "quality and pairs: banking77", "dataset", "database"]
    assert ran(run_pipeline(config)) == of_banking77
    added = {name: number - entries[name] for name, number in cache_entries(tmp_path).items()}
    assert added == {"camrest676": 0, "woz": 0, "banking77": entries["banking77"]}
    build_dataset([], raw, tmp_path / "built", cache_dir=tmp_path / "cache")
    assert digests(config.out / "dataset") == digests(tmp_path / "built")


def test_decisions_about_rows_of_a_source_run_its_steps_again(config, raw, tmp_path):
    path, warnings = tmp_path / "decisions.jsonl", []

    class Warned(Listener):
        def warns(self, line):
            warnings.append(line)

    (utterance, *_) = pq.read_table(config.out / "dataset" / "downstream", columns=["utterance_id"])[0].to_pylist()
    append_decisions(path, [RowDecision("downstream", utterance, "wrong_label"), RowDecision("pairs", "x/1#0", "keep")])
    decided = replace(config, dataset=DatasetSettings(decisions=path))
    assert ran(run_pipeline(decided, Warned())) == [
        "quality and pairs: banking77",
        "dataset",
        "database",
    ]
    assert sum("match no row" in line for line in warnings) == 1
    options = build_options(decided.dataset, decided)
    build_dataset([], raw, tmp_path / "built", options, cache_dir=tmp_path / "cache", warn=lambda line: None)
    assert digests(config.out / "dataset") == digests(tmp_path / "built")
    assert ran(run_pipeline(decided)) == []


def test_a_run_with_nothing_to_do_imports_nothing_heavy(config):
    code = f"""
import sys
import threading
from dataclasses import replace
from pathlib import Path
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.pipeline.pipeline import run_pipeline
outcomes = run_pipeline(PipelineConfig(raw_dir=Path({str(config.raw_dir)!r}), out=Path({str(config.out)!r})))
assert {{outcome.state for outcome in outcomes}} == {{"up to date"}}, outcomes
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"datasets", "pyarrow", "numpy", "duckdb", "torch"} & set(done.stdout.split())


KILLED = """
import os, signal, sys
from pathlib import Path
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.pipeline.pipeline import Listener, run_pipeline

class Killer(Listener):
    step = None
    def begins(self, step, why):
        self.step = step
    def progress(self, what, done, total):
        if self.step == sys.argv[3] and (done or total == 1):
            os.kill(os.getpid(), signal.SIGKILL)

run_pipeline(PipelineConfig(raw_dir=Path(sys.argv[1]), out=Path(sys.argv[2])), Killer())
"""


@pytest.mark.slow
def test_a_killed_run_continues_with_the_step_that_was_killed(fresh, tmp_path):
    """kill -9 during one step after another, in the same folder; each run begins with the step that was killed."""
    begun = fresh.out / "pipeline" / "pipeline.log"
    first = 0
    for step in ("source: woz", "duplicates and splits", "quality and pairs: woz", "dataset", "database"):
        seen = len(begun.read_text().splitlines()) if begun.exists() else 0
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(fresh.raw_dir), str(fresh.out), step], capture_output=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        lines = begun.read_text().splitlines()[seen:]
        started = [line.split(" ", 1)[1].rsplit(": begins", 1)[0] for line in lines if ": begins: " in line]
        assert started == STEPS[first : STEPS.index(step) + 1]
        first = STEPS.index(step)
        assert (fresh.out / "corpus.duckdb").exists() is False
        assert (fresh.out / "dataset").exists() is (step == "database")
    assert ran(run_pipeline(fresh)) == ["database"]
    build_dataset([], fresh.raw_dir, tmp_path / "built", cache_dir=tmp_path / "cache")
    assert digests(fresh.out / "dataset") == digests(tmp_path / "built")
    assert sorted(p.name for p in (fresh.out / "pipeline" / "rows").iterdir()) == sorted(SOURCES)  # nothing half done


def test_a_failing_source_stops_the_run_or_is_skipped(fresh, raw, tmp_path):
    shutil.copytree(raw, tmp_path / "whole")
    (raw / "woz" / "woz_test_en.json").write_text("{")
    with pytest.raises(DataError, match="woz"):
        run_pipeline(fresh)
    assert not (fresh.out / "dataset").exists()

    going = PipelineConfig(raw_dir=raw, out=fresh.out, keep_going=True, database=False)
    outcomes = {outcome.step: outcome for outcome in run_pipeline(going)}
    assert outcomes["source: woz"].state == "failed"
    assert outcomes["quality and pairs: woz"].state == "skipped"
    assert outcomes["dataset"].state == "done"
    shutil.rmtree(tmp_path / "whole" / "woz")
    build_dataset([], tmp_path / "whole", tmp_path / "built", cache_dir=tmp_path / "cache")
    assert digests(fresh.out / "dataset") == digests(tmp_path / "built")

    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    arguments = ["pipeline", "--raw-dir", raw, "--out", fresh.out, "--keep-going", "--set", "database=false"]
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: source: woz failed: ")
    assert "woz_test" in last
    assert "Traceback" not in done.stderr
    assert "0 of 8 steps ran" in done.stdout


def test_a_dry_run_shows_what_would_run_and_writes_nothing(fresh, raw):
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    command = [COMMAND, "pipeline", "--raw-dir", raw, "--out", fresh.out, "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "9 of 9 steps would run; nothing was written" in done.stdout
    assert not fresh.out.exists()


def test_a_plan_names_the_reason(config, raw):
    before = digests(config.out)
    assert {outcome.state for outcome in plan_pipeline(config)} == {"up to date"}
    change(raw)
    states = {outcome.step: (outcome.state, outcome.why) for outcome in plan_pipeline(config)}
    assert states["source: banking77"] == ("runs", "raw file train.csv changed")
    assert states["source: woz"] == ("up to date", "")
    assert states["database"] == ("may run", "if dataset gives a new result")
    strict = PipelineConfig(raw_dir=raw, out=config.out, dataset=DatasetSettings(quality="strict"))
    states = {outcome.step: (outcome.state, outcome.why) for outcome in plan_pipeline(strict)}
    assert states["quality and pairs: woz"][0] == "may run"
    assert digests(config.out) == before


def test_a_selection_is_the_rows_of_the_whole_dataset(config, tmp_path):
    selected = PipelineConfig(
        raw_dir=config.raw_dir, out=tmp_path / "selected", languages=("de",), splits=("train", "test"), database=False
    )
    run_pipeline(selected)
    for name in CONFIGS:
        rows = {}
        for out in (config.out, selected.out):
            files = sorted((out / "dataset" / name).glob("*.parquet"))
            rows[out] = {p.name.split("-")[0]: pq.read_table(p).to_pylist() for p in files}
        expected = {
            split: german
            for split, of_split in rows[config.out].items()
            if split != "validation" and (german := [row for row in of_split if row["language"] == "de"])
        }
        assert rows[selected.out] == expected
        assert bool(expected) is (name != "downstream")  # the intents are English
    report = json.loads((selected.out / "dataset/quality/report.json").read_text())
    assert report["options"]["languages"] == ["de"]
    whole = json.loads((config.out / "dataset/quality/report.json").read_text())
    for name, source in report["sources"].items():
        assert source["original_splits"] == whole["sources"][name]["original_splits"]


def test_own_data_beside_a_source_and_alone(config, tmp_path):
    (tmp_path / "faq.csv").write_text(
        "question,answer\nWo ist mein Paket?,Es kommt heute.\nUnd wann?,Um drei Uhr.\nbad\n"
    )
    own = OwnSettings(path=tmp_path / "faq.csv", language="de", max_bad_share=0.5)
    alone = PipelineConfig(out=tmp_path / "alone", own=own)
    assert ran(run_pipeline(alone)) == [
        "source: own", "duplicates and splits", "quality and pairs: own", "dataset", "database"
    ]  # fmt: skip
    report = json.loads((alone.out / "dataset/quality/report.json").read_text())
    assert report["sources"]["faq"]["license"] == "LicenseRef-private"
    assert "bad" in (alone.out / "dataset.rejects.jsonl").read_text()
    assert ran(run_pipeline(alone)) == []
    both = PipelineConfig(
        raw_dir=config.raw_dir, sources=("camrest676",), out=tmp_path / "both", own=own, database=False
    )
    run_pipeline(both)
    (tmp_path / "faq.csv").write_text("question,answer\nWo ist mein Paket?,Es kommt heute.\n")
    assert ran(run_pipeline(both))[0] == "source: own"
    assert "quality and pairs: camrest676" not in ran(run_pipeline(both))


def test_without_a_raw_folder_the_named_sources_are_downloaded(finished, fresh, tmp_path, monkeypatch):
    folder = finished[0] / "raw" / "banking77"
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    banking77 = builders()["banking77"]
    address = f"http://127.0.0.1:{server.server_port}"
    files = [
        SourceFile(name, f"{address}/{name}", hashlib.sha256((folder / name).read_bytes()).hexdigest())
        for name in ("train.csv", "test.csv")
    ]
    monkeypatch.setattr(banking77, "INFO", replace(banking77.INFO, files=tuple(files)))
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cube"))
    config = replace(fresh, raw_dir=None, sources=("banking77",), database=False)
    assert ran(run_pipeline(config))[:2] == ["download: banking77", "source: banking77"]
    server.shutdown()
    server.server_close()
    assert ran(run_pipeline(config)) == []
    (tmp_path / "cube" / "raw" / "banking77" / "test.csv").unlink()
    with pytest.raises(DataError, match="no connection"):
        run_pipeline(config)


def test_the_command_line_overrides_the_config(fresh, tmp_path):
    def call(*arguments):
        environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
        return subprocess.run(
            [COMMAND, "pipeline", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            cwd=tmp_path,
        )

    file = tmp_path / "pipeline.yaml"
    file.write_text(call("--example-config").stdout)
    assert PipelineConfig.load(file) == PipelineConfig()
    file.write_text("raw_dir: absent\nout: here\nsources: [woz]\ndatabase: false\nkeep_going: true\n")
    done = call("--config", file)
    assert done.returncode == 1
    assert (
        done.stderr
        == f"error: no raw folder {tmp_path}/absent; `dialogue-cube download` or `dialogue-cube sample` makes one\n"
    )
    done = call("banking77", "--config", file, "--raw-dir", fresh.raw_dir, "--set", "database=true", "--dry-run")
    assert [line.split(" runs ")[0].strip() for line in done.stdout.splitlines() if " runs " in line] == [
        "source: banking77", "duplicates and splits", "quality and pairs: banking77", "dataset", "database"
    ]  # fmt: skip
    done = call("--config", file, "--set", "dataset.sede=1")
    assert "error: --set: dataset.sede: no such key; did you mean seed?" in done.stderr
    assert "--dashboard needs the database" in call("--config", file, "--dashboard").stderr


def test_two_runs_in_one_folder(config, raw):
    class Second(Listener):
        message = ""

        def begins(self, step, why):
            if not self.message:
                with pytest.raises(DataError, match="another pipeline uses this folder") as error:
                    run_pipeline(config)
                self.message = str(error.value)

    second = Second()
    change(raw)
    run_pipeline(replace(config, database=False), second)
    assert str(config.out) in second.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": None}, "name the folder of the results: --out DIR"),
        ({"sources": ("sdg",)}, "no source 'sdg'; did you mean smd or sgd"),
        ({"sources": ("woz:en", "woz:de")}, "woz is named twice"),
        ({"raw_dir": Path("absent")}, "no raw folder absent"),
        ({"raw_dir": None}, "name the sources to download, or give --raw-dir"),
        ({"licenses": ("CC",)}, "no licence 'CC'; expected"),
        ({"dataset": DatasetSettings(quality="tough")}, "no quality preset or file tough"),
        ({"dataset": DatasetSettings(quality={"markup": "burn"})}, "dataset.quality: markup.action: expected"),
        ({"dataset": DatasetSettings(hard_negatives=1)}, "hard negatives need an encoder"),
    ],
)
def test_wrong_settings_are_reported_before_any_work(fresh, changes, message):
    wrong = replace(fresh, **changes)
    for call in (plan_pipeline, run_pipeline):
        with pytest.raises(DataError, match=message):
            call(wrong)
    assert not (fresh.out / "pipeline" / "steps").exists()


def test_a_foreign_folder_is_not_touched(fresh):
    (fresh.out / "dataset").mkdir(parents=True)
    (fresh.out / "dataset" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="was not made by `dialogue-cube build`"):
        run_pipeline(fresh)
    assert [p.name for p in fresh.out.rglob("*")] == ["dataset", "thesis.txt"]


def test_sources_are_named_after_their_modules():
    assert list(source_modules()) == list(builders())
