"""Every code block of the READMEs runs, in the order in which it stands there, in one folder.

A command runs as it is printed, but for three kinds of exceptions, each listed below:

- `SMALLER`: the same command with options that make it small,
- `INSTEAD`: a command that needs the network or makes a folder that the text takes for granted,
- `ELSEWHERE`: another test runs it.

`accelerate launch -m MODULE` runs as `python -m MODULE`.

The corpora are the invented sample, the teacher called `minilm` a tiny one with random weights, the Hub the loopback Hub.
"""

import contextlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dialogue_cube
from hub.fixtures import Hub
from support.tiny_teacher import save_tiny_distilbert

ROOT = Path(__file__).parents[2]
README, RUSSIAN = (ROOT / name for name in ("README.md", "README.ru.md"))

ELSEWHERE = {"make demo": "test_demo.py", "make test": "test_readme.py"}

ELSEWHERE["dialogue-cube pipeline --raw-dir raw --out out"] = "test_pipeline.py"
ELSEWHERE["dialogue-cube dashboard --database corpus.duckdb --data dataset --core core"] = "test_dashboard_browser.py"

INSTEAD = {"dialogue-cube download woz banking77 --to raw": "dialogue-cube sources"}  # `test_download.py` downloads

SMALLER = {
    "accelerate launch -m cube_model.train": "--epochs 1",
    "accelerate launch -m cube_model.embedder": "--max-steps 1 --batch-size 8",
    "dialogue-cube leaderboard": "--methods sim,procrustes --train-sizes 200 --seeds 1 --max-test-pairs 200",
    "dialogue-cube evaluate intents": "--protocol prototype --sources banking77",
}

FAQ = [
    "question,answer",
    *(
        f"Can I bring my {pet}?,Yes: a {pet} is welcome in room {i}."
        for i, pet in enumerate(["dog", "cat", "fox", "owl", "hen"])
    ),
    *(
        f"When is {meal}?,{meal.title()} is from {i} to {i + 2}."
        for i, meal in enumerate(["breakfast", "lunch", "tea"], 7)
    ),
]


def blocks(path):
    """(language, code) of each fenced block; what has no language is a picture."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path):
    """Commands of the bash blocks and of the table of commands, without comments."""
    text = path.read_text(encoding="utf-8")
    in_table = re.findall(r"^\|[^|]*\| `((?:dialogue-cube|accelerate) .*)` \|$", text, re.MULTILINE)
    return [*(line for kind, code in blocks(path) if kind == "bash" for line in lines(code)), *in_table]


def lines(code):
    """Commands of a block."""
    return [bare for line in code.splitlines() if (bare := re.sub(r"(^|\s+)#.*", "", line).strip())]


def test_both_languages_show_the_same_code():
    """But for comments: what runs for one runs for the other."""

    def bare(path):
        code = [(kind, re.sub(r"[ ]*(?<!\S)#(?!!).*", "", text)) for kind, text in blocks(path)]
        return [(kind, text) for kind, text in code]

    assert bare(RUSSIAN) == bare(README)
    assert commands(RUSSIAN) == commands(README)


def test_both_languages_have_the_same_sections_and_figures():
    texts = [path.read_text(encoding="utf-8") for path in (README, RUSSIAN)]
    shapes = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in texts]
    assert shapes[0] == shapes[1]
    rows = [re.findall(r"^\|.*\|$", text, re.MULTILINE) for text in texts]
    figures = [[re.findall(r"\d[\d.,]*\d|\.\d+", row.replace(",", "")) for row in table] for table in rows]
    assert figures[0] == figures[1]


def test_no_exception_is_stale():
    shown = commands(README)
    for command in (*ELSEWHERE, *INSTEAD, *SMALLER):
        assert any(line.startswith(command) for line in shown), command
    for name in ELSEWHERE.values():
        assert any((ROOT / "tests").rglob(name)), name


def runnable(command, org):
    """What runs for a printed command; None when another test runs it."""
    if command in ELSEWHERE:
        return None
    if command in INSTEAD:
        return INSTEAD[command]
    smaller = [options for start, options in SMALLER.items() if command.startswith(start)]
    command, _, target = command.partition(" > ")
    command = " ".join([command, *smaller, *([">", target] if target else [])])
    return command.replace("ORG/", f"{org}/")


@pytest.fixture(scope="module")
def workshop(hub_server, sample_raw, tmp_path_factory):
    """A folder with raw files and a user's own, and the environment of the processes in it."""
    root = tmp_path_factory.mktemp("readme")
    save_tiny_distilbert(root / "teachers" / "minilm", dimension=32)
    for name in ("sgd", "camrest676", "banking77"):
        shutil.copytree(sample_raw / name, root / "raw" / name)
    (root / "faq.csv").write_text("\n".join(FAQ) + "\n")
    hub = Hub(hub_server, root / "clients")
    beside = {"TEACHERS_DIR": str(root / "teachers"), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    beside |= {"ACCELERATE_MIXED_PRECISION": "no", "MPLBACKEND": "agg"}
    return hub, root, hub.env | beside


@pytest.fixture
def inside(workshop, monkeypatch):
    """Makes the workshop this process's own place, where commands run without starting Python anew."""
    hub, folder, env = workshop
    hub.use_here(monkeypatch)
    monkeypatch.chdir(folder)
    for name in ("TEACHERS_DIR", "COLUMNS"):
        monkeypatch.setenv(name, env[name])
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(folder / "vectors"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "datasets")


@pytest.mark.slow
def test_every_block_runs(workshop, inside):
    hub, folder, env = workshop
    done = []
    for kind, code in [*in_order(), *(("bash", line) for line in table_commands())]:
        if kind == "python":
            exec(code, {})
        for line in lines(code) if kind == "bash" else ():
            if command := runnable(line, hub.namespace):
                run(command, folder, env)
                done.append(command)
    assert len(done) == len(commands(README)) - len(ELSEWHERE)
    assert (folder / "core-st" / "modules.json").is_file()
    assert (folder / "board.svg").is_file()
    assert {"v1.0"} == {ref.removeprefix("refs/tags/") for ref in hub.repo("models", "core").refs if "tags" in ref}


def in_order():
    """The blocks, those that make the dataset first: the text begins with those who have one."""
    found = [(kind, code) for kind, code in blocks(README) if kind in ("bash", "python")]
    return sorted(found, key=lambda block: "dialogue-cube build --raw-dir raw --out dataset" not in block[1])


def table_commands():
    inside = {line for kind, code in blocks(README) if kind == "bash" for line in lines(code)}
    return [command for command in commands(README) if command not in inside]


def run(command, folder, env):
    """In this process where that is the same; what loads from the Hub, in one of its own."""
    words = shlex.split(command)
    if words[:3] == ["accelerate", "launch", "-m"]:  # `test_strangers.py` launches it
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
            patch.setattr(sys, "argv", words[3:])
            runpy.run_module(words[3], run_name="__main__")
        assert Path(words[words.index("--output") + 1], "training.json").is_file(), command
    elif words[0] == "dialogue-cube" and ">" not in words and ("push" in words or "/" not in command):
        done = CliRunner().invoke(dialogue_cube.app, words[1:])
        assert done.exit_code == 0, f"{command}\n{done.output[-3000:]}\n{done.exception!r}"
    else:
        in_shell = ["bash", "-c", command]
        done = subprocess.run(in_shell, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"


def test_links_lead_somewhere():
    for path in (README, RUSSIAN, ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), (path.name, target)
        for target in re.findall(
            r"`((?:dataset_builders|cube_model|push_scripts|tests)/[\w./-]+)`", path.read_text(encoding="utf-8")
        ):
            assert (ROOT / target).exists() or "NAME" in target, (path.name, target)
