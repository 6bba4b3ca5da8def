"""Spaces, pushed to the loopback Hub, downloaded again, and run from that folder as the Hub runs them."""

import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from push_scripts.errors import PushError
from push_scripts.push_options import PushOptions
from push_scripts.push_space import push_space
from support.serving import free_port, serving

gradio_client = pytest.importorskip("gradio_client", reason="install the extra `space`")


def header(text):
    return yaml.safe_load(text.split("---")[1])


def serving_space(command, folder, env, path):
    """Run a Space until the page at `path` answers; yield its address."""
    port = free_port()
    command = [sys.executable, *(word.replace("7860", str(port)) for word in command[1:])]
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONDONTWRITEBYTECODE": "1"}
    return serving(command, port, path, folder.parent / f"{folder.name}.log", cwd=folder, env=env | settings)


def snapshot(hub, name, folder):
    """Write the files of a pushed Space to a folder, as the Hub does before it starts one."""
    for path, content in hub.files("spaces", name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def corpus(hub, monkeypatch, sample_dataset):
    """The invented sample on the Hub."""
    from push_scripts.push_dataset import push_dataset

    hub.use_here(monkeypatch)
    push_dataset(sample_dataset, f"{hub.namespace}/corpus")
    return f"{hub.namespace}/corpus"


@pytest.fixture
def core(hub, minilm, tmp_path):
    """A core on the Hub that reads one turn of context, with random weights, so that the turn matters."""
    import torch

    from cube_model import CubeConfig, CubeModel
    from push_scripts.push_model import push_model
    from push_scripts.push_options import PushOptions

    torch.manual_seed(0)
    model = CubeModel(CubeConfig(embedding_dim=384, context_turns=1, teacher=minilm.describe()))
    for weight in model.parameters():
        weight.data.add_(0.2 * torch.randn_like(weight))
    model.save_pretrained(tmp_path / "core")
    push_model(tmp_path / "core", f"{hub.namespace}/core", PushOptions(restricted_data=True))
    return f"{hub.namespace}/core"


@pytest.mark.slow
def test_the_pushed_app_answers_questions_finds_intents_and_reads_earlier_turns(hub, corpus, core, tmp_path):
    repo = f"{hub.namespace}/ask-the-core"
    pushed = push_space("gradio", repo, corpus, model=core, max_answers=100)
    assert pushed.published.changed
    space = snapshot(hub, "ask-the-core", tmp_path / "space")
    facts = header((space / "README.md").read_text())
    assert (facts["sdk"], facts["app_file"], facts["models"], facts["datasets"]) == (
        "gradio",
        "app.py",
        [core],
        [corpus],
    )
    with serving_space(["python", "app.py"], space, hub.env, "/") as address:
        client = gradio_client.Client(address, verbose=False)
        answers = client.predict("I need a room on Friday.", api_name="/ask")
        assert answers["headers"] == ["cosine", "answer", "source", "licence"]
        texts = [row[1] for row in answers["data"]]
        assert len(set(texts)) == 5
        intents = client.predict("Please cancel it", api_name="/intents")["data"]
        assert len(intents) == 5
        turns = ("Is there a train to Brooktown?", "Yes, please.", "When does it leave?", "Thank you.")
        replies = [client.predict(text, api_name="/chat") for text in turns]
        assert all(re.search(r"\n\n\*\w+, [\w.-]+", reply) for reply in replies)
        assert "without the earlier turns" not in replies[0]
        assert any(" · without the earlier turns: " in reply for reply in replies)


@pytest.mark.slow
def test_the_pushed_dashboard_runs_by_the_command_of_its_container(hub, corpus, tmp_path):
    repo = f"{hub.namespace}/dashboard"
    push_space("dashboard", repo, corpus)
    space = snapshot(hub, "dashboard", tmp_path / "space")
    facts = header((space / "README.md").read_text())
    assert (facts["sdk"], facts["app_port"], facts["datasets"]) == ("docker", 7860, [corpus])
    lines = (space / "Dockerfile").read_text().splitlines()
    assert lines[0].startswith("FROM python:3.11")
    assert "RUN useradd --create-home --uid 1000 user" in lines
    assert lines.index("USER user") < next(i for i, line in enumerate(lines) if line.startswith("RUN pip"))
    assert all(line.startswith("COPY --chown=user ") for line in lines if line.startswith("COPY"))
    command = json.loads(lines[-1].removeprefix("CMD "))
    assert command[-3:] == ["--port", "7860", "--no-browser"]
    with serving_space(command, space, hub.env, "/_stcore/health"):
        assert (space / "dashboard.duckdb").is_file()


def test_a_space_pins_its_requirements_and_holds_no_token(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    folder = tmp_path / "space"
    options = PushOptions(dry_run=True)
    pushed = push_space("gradio", "org/ask", "org/corpus", model="org/core", output=folder, options=options)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {name: path.stat().st_size for name, path in files.items()} == pushed.sizes
    assert pushed.published is None
    lines = (folder / "requirements.txt").read_text().splitlines()[1:]
    assert all(next(iter(Requirement(line).specifier)).operator == "==" for line in lines)
    assert {"gradio", "torch", "datasets"} <= {Requirement(line).name for line in lines}
    texts = [path.read_bytes() for path in files.values()]
    assert not [text for text in texts if b"hf_secret" in text or os.fsencode(Path.home() / "x")[:-2] + b"/" in text]
    again = push_space("gradio", "org/ask", "org/corpus", model="org/core", output=folder, options=options)
    assert again.sizes == pushed.sizes


def test_a_space_that_could_not_start_is_refused():
    options = PushOptions(dry_run=True)
    with pytest.raises(PushError, match="name its repository with --model ORG/NAME"):
        push_space("gradio", "org/ask", "org/corpus", options=options)
    with pytest.raises(PushError, match=r"--data dataset: the Space reads the Hub; push it first"):
        push_space("dashboard", "org/ask", "dataset", options=options)
