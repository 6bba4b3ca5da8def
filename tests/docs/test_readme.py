"""All code blocks of the READMEs run in one folder.

Commands run as printed, with these exceptions:

- `SMALLER`: commands that run with options for a small run,
- `INSTEAD`: commands that need the network -> commands that run instead,
- `ELSEWHERE`: commands that another test runs.

The corpora are the invented sample, the teacher `minilm` is a tiny one with random weights, and the Hub is the loopback
Hub.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dialogue_cube
from hub.fixtures import Hub
from support.tiny_teacher import save_tiny_distilbert

ROOT = Path(__file__).parents[2]
README, RUSSIAN = (ROOT / name for name in ("README.md", "README.ru.md"))

ELSEWHERE = {
    "make demo": "test_demo.py",
    "make test": "test_readme.py",
    "dialogue-cube pipeline --raw-dir raw --out out": "test_pipeline.py",
    "dialogue-cube dashboard --database corpus.duckdb --data dataset --core core": "test_dashboard_browser.py",
}

INSTEAD = {"dialogue-cube download woz banking77 --to raw": "dialogue-cube sources"}  # tested in `test_download.py`

SMALLER = {
    "dialogue-cube train --": "--epochs 1",
    "dialogue-cube train-encoder": "--max-steps 1 --batch-size 8",
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
    """Return (language, code) of the fenced blocks; those without a language are diagrams."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(path):
    """Return the commands of the bash blocks and of the table of commands, without comments."""
    text = path.read_text(encoding="utf-8")
    in_table = re.findall(r"^\|[^|]*\| `(dialogue-cube .*)` \|$", text, re.MULTILINE)
    return [*(line for kind, code in blocks(path) if kind == "bash" for line in lines(code)), *in_table]


def lines(code):
    """Return the commands of a block, without comments."""
    return [command for line in code.splitlines() if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]


def test_both_languages_show_the_same_code():
    """Only the comments differ, so running one README is enough."""

    def without_comments(path):
        return [(kind, re.sub(r"[ ]*(?<!\S)#(?!!).*", "", text)) for kind, text in blocks(path)]

    assert without_comments(RUSSIAN) == without_comments(README)
    assert commands(RUSSIAN) == commands(README)


def test_both_languages_have_the_same_sections_and_figures():
    texts = [path.read_text(encoding="utf-8") for path in (README, RUSSIAN)]
    shapes = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in texts]
    assert shapes[0] == shapes[1]
    rows = [re.findall(r"^\|.*\|$", text, re.MULTILINE) for text in texts]
    figures = [[re.findall(r"\d[\d.,]*\d|\.\d+", row.replace(",", "")) for row in table] for table in rows]
    assert figures[0] == figures[1]


def test_all_exceptions_are_in_the_readme():
    readme_commands = commands(README)
    for command in (*ELSEWHERE, *INSTEAD, *SMALLER):
        assert any(line.startswith(command) for line in readme_commands), command
    for name in ELSEWHERE.values():
        assert any((ROOT / "tests").rglob(name)), name


def runnable(command, org):
    """Return the command to run for a printed one; None if another test runs it."""
    if command in ELSEWHERE:
        return None
    if command in INSTEAD:
        return INSTEAD[command]
    options = [options for start, options in SMALLER.items() if command.startswith(start)]
    command, _, target = command.partition(" > ")
    command = " ".join([command, *options, *([">", target] if target else [])])
    return command.replace("ORG/", f"{org}/")


@pytest.fixture(scope="module")
def workspace(hub_server, sample_raw, tmp_path_factory):
    """The Hub, a folder with raw files and a user's own data, and the environment of processes."""
    root = tmp_path_factory.mktemp("readme")
    save_tiny_distilbert(root / "teachers" / "minilm", dimension=32)
    for name in ("sgd", "camrest676", "banking77"):
        shutil.copytree(sample_raw / name, root / "raw" / name)
    (root / "faq.csv").write_text("\n".join(FAQ) + "\n")
    hub = Hub(hub_server, root / "clients")
    variables = {"TEACHERS_DIR": str(root / "teachers"), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    variables |= {"ACCELERATE_MIXED_PRECISION": "no", "MPLBACKEND": "agg"}
    return hub, root, hub.env | variables


@pytest.fixture
def in_workspace(workspace, monkeypatch):
    """Move this process into the workspace, so that commands run without a new process."""
    hub, folder, env = workspace
    hub.use_here(monkeypatch)
    monkeypatch.chdir(folder)
    for name in ("TEACHERS_DIR", "COLUMNS"):
        monkeypatch.setenv(name, env[name])
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(folder / "vectors"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "datasets")


@pytest.mark.slow
def test_every_block_runs(workspace, in_workspace):
    hub, folder, env = workspace
    count = 0
    for kind, code in [*in_order(), *(("bash", line) for line in table_commands())]:
        if kind == "python":
            exec(code, {})
        for line in lines(code) if kind == "bash" else ():
            if command := runnable(line, hub.namespace):
                run(command, folder, env)
                count += 1
    assert count == len(commands(README)) - len(ELSEWHERE)
    assert (folder / "core-st" / "modules.json").is_file()
    assert (folder / "board.svg").is_file()
    assert {"v1.0"} == {ref.removeprefix("refs/tags/") for ref in hub.repo("models", "core").refs if "tags" in ref}


def in_order():
    """Return the blocks, beginning with that which builds the dataset: earlier ones use it."""
    code_blocks = [(kind, code) for kind, code in blocks(README) if kind in ("bash", "python")]
    return sorted(code_blocks, key=lambda block: "dialogue-cube build --raw-dir raw --out dataset" not in block[1])


def table_commands():
    in_blocks = {line for kind, code in blocks(README) if kind == "bash" for line in lines(code)}
    return [command for command in commands(README) if command not in in_blocks]


def run(command, folder, env):
    """Run a command, in this process if possible; commands that load from the Hub need a new one."""
    words = shlex.split(command)
    if words[0] == "dialogue-cube" and ">" not in words and ("push" in words or "/" not in command):
        result = CliRunner().invoke(dialogue_cube.app, words[1:])
        assert result.exit_code == 0, f"{command}\n{result.output[-3000:]}\n{result.exception!r}"
    else:
        in_shell = ["bash", "-c", command]
        result = subprocess.run(in_shell, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert result.returncode == 0, f"{command}\n{result.stdout[-1500:]}\n{result.stderr[-3000:]}"


def test_links_and_paths_exist():
    for path in (README, RUSSIAN, ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), (path.name, target)
        for target in re.findall(
            r"`((?:dataset_builders|cube_model|push_scripts|tests)/[\w./-]+)`", path.read_text(encoding="utf-8")
        ):
            assert (ROOT / target).exists() or "NAME" in target, (path.name, target)
