"""`make demo` without a network: the whole way on the invented sample, by the documented commands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import load_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder that the demo leaves, and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    nowhere = "http://127.0.0.1:1"  # a machine without network, wherever the test runs
    env = {**os.environ, "HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "NO_PROXY": "", "COLUMNS": "200"}
    env |= {"HF_DATASETS_CACHE": str(out.parent / "cache"), "DIALOGUE_CUBE_CACHE": str(out.parent / "cube")}
    command = [Path(sys.executable).with_name("dialogue-cube"), "demo", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout + done.stderr


def test_it_says_that_it_is_offline_and_shows_every_command(demo):
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


def test_the_trained_core_visibly_beats_the_identity(demo):
    out, _ = demo
    values = {}
    for result in json.loads((out / "results.json").read_text())["results"]:
        whole = result["source"] == "all" and result["negatives"] == "random" and result["domain"] is None
        if whole and result["metric"] == "accuracy_1_of_100":
            values[result["method"]] = result["value"], result["ci95"]
    (identity,) = [v for name, v in values.items() if "identity" in name]
    (trained,) = [v for name, v in values.items() if "identity" not in name]
    assert trained[1][0] > identity[1][1] + 0.05  # the intervals are far apart


def test_five_answers_to_each_of_three_questions(demo):
    _, printed = demo
    assert len(re.findall(r"\bscore\b", printed)) == 3


def test_what_it_leaves_opens_with_the_libraries_own_calls(demo):
    import torch
    from transformers import AutoModel

    import cube_model  # noqa: F401  (registers the model type)

    out, _ = demo
    assert len(load_dataset(str(out / "dataset"), "pairs", split="test", cache_dir=str(out / "cache"))) > 1000
    core = AutoModel.from_pretrained(out / "model")
    assert core.config.lattice_size == [8, 8, 6]
    assert core(torch.eye(384)[:2]).embeddings.shape == (2, 384)


def test_the_demo_can_be_run_again(tmp_path, monkeypatch):
    from cube_model.demo import _raw_files

    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert _raw_files(tmp_path) == _raw_files(tmp_path) == tmp_path / "sample"
    assert (tmp_path / "sample" / "sgd" / "train").is_dir()
