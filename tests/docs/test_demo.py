"""`make demo` without a network runs all documented steps on the invented sample."""

import json
import os
import re
import subprocess
import sys

import pytest
from datasets import load_dataset

pytestmark = pytest.mark.slow


SMALLER = """
import cube_model.demo, dialogue_cube
cube_model.demo.MAX_PAIRS, cube_model.demo.MAX_TEST_PAIRS, cube_model.demo.MAX_ANSWERS = 1_500, 500, 300
dialogue_cube.main()
"""
"""The demo with fewer pairs and answers, since encoding them takes most of its time."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The output folder of the demo, and its output."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    nowhere = "http://127.0.0.1:1"  # a proxy that does not exist, instead of a network
    env = {**os.environ, "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_PROXY": "", "COLUMNS": "200"}
    env |= {"HF_DATASETS_CACHE": str(out.parent / "cache"), "DIALOGUE_CUBE_CACHE": str(out.parent / "cube")}
    command = [sys.executable, "-c", SMALLER, "demo", "--out", out]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert result.returncode == 0, result.stdout + result.stderr
    return out, result.stdout + result.stderr


def test_the_demo_says_that_it_is_offline_and_prints_its_commands(demo):
    _, printed = demo
    assert "the demo uses an invented sample instead" in printed
    assert "error" not in printed
    assert "differ from the official release" not in printed
    for command in (
        "build --raw-dir",
        "train --data",
        "evaluate response-selection",
        "ask --model",
        "dashboard --data",
    ):
        assert f"dialogue-cube {command}" in printed


def test_the_trained_core_clearly_beats_the_identity(demo):
    out, _ = demo
    values = {}
    for result in json.loads((out / "results.json").read_text())["results"]:
        is_total = result["source"] == "all" and result["negatives"] == "random" and result["domain"] is None
        if is_total and result["metric"] == "accuracy_1_of_100":
            values[result["method"]] = result["value"], result["ci95"]
    (trained,) = [v for name, v in values.items() if "identity" not in name]
    assert len(values) == 3  # with the encoder alone, on the question and on the same turns
    for name in values.keys() - {"trained core"}:
        assert trained[1][0] > values[name][1][1] + 0.05, name  # the intervals are far apart


def test_three_questions_are_answered(demo):
    _, printed = demo
    assert len(re.findall(r"\bscore\b", printed)) == 3


def test_dataset_and_core_load_with_the_usual_libraries(demo):
    import torch
    from transformers import AutoModel

    import cube_model  # noqa: F401  (registers the model type)

    out, _ = demo
    assert len(load_dataset(str(out / "dataset"), "pairs", split="test", cache_dir=str(out / "cache"))) > 1000
    core = AutoModel.from_pretrained(out / "model")
    assert core.config.lattice_size == [8, 8, 6]
    assert core(torch.eye(384)[:2]).embeddings.shape == (2, 384)


def test_a_second_demo_uses_the_sample_of_the_first(demo, monkeypatch):
    from cube_model.demo import _raw_files

    out, _ = demo
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert _raw_files(out) == out / "sample"
    assert (out / "sample" / "sgd" / "train").is_dir()
