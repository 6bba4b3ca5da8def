"""All code blocks of the README and of the guides run in one folder, in their order.

Commands run as printed, with these exceptions:

- `SMALLER`: commands that run with options for a small run,
- `INSTEAD`: commands that take long or need the network -> commands that run instead,
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
from support.own_samples import SAMPLES
from support.tiny_teacher import save_tiny_distilbert

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / name
    for name in ("README.md", *(f"{room}/README.md" for room in ("dataset_builders", "cube_model", "push_scripts")))
]
"""The README and the guides, each beside its translation, in the order in which they run."""

ELSEWHERE = {
    "make demo": "test_demo.py",
    "source .venv/bin/activate": "test_strangers.py",
    "dialogue-cube pipeline --raw-dir raw --out out": "test_pipeline.py",
    "dialogue-cube export --model core --output core-onnx --format onnx --int8": "test_graph_export.py",
    "dialogue-cube serve --assistant assistant": "test_server.py",
    "dialogue-cube serve --assistant desk": "test_server.py",
    "dialogue-cube dashboard --data demo/dataset --database demo/corpus.duckdb": "test_dashboard_browser.py",
    "dialogue-cube dashboard --database corpus.duckdb --data dataset --core core": "test_dashboard_browser.py",
}

INSTEAD = {"dialogue-cube download woz banking77 --to raw": "dialogue-cube sources"}  # tested in `test_download.py`

SMALLER = {
    "dialogue-cube train --": "--epochs 1",
    "dialogue-cube benchmark": "--tasks cost",
    "dialogue-cube train-encoder": "--max-steps 1 --batch-size 8",
    "dialogue-cube train-encoder --data dataset --base minilm --static": "--static 16",  # the tiny teacher has 32
    "dialogue-cube train-encoder --data dataset --base minilm --composer": "--composer-steps 2",
    "dialogue-cube leaderboard": "--methods sim,procrustes --train-sizes 200 --seeds 1 --max-test-pairs 200",
    "dialogue-cube evaluate intents": "--protocol prototype --sources banking77",
}

DEMO = (
    "dialogue-cube build --raw-dir raw --out demo/dataset",
    "dialogue-cube train --data demo/dataset --teacher minilm --output demo/model --context-turns 2 --epochs 1",
)
"""What `make demo` leaves, from a small part of the sample and with a tiny teacher."""


TINY_TEACHER = ('"demo/model", trust_remote', '"demo/model", model_kwargs={"teacher": "teachers/minilm"}, trust_remote')
"""Text of Python code that loads the teacher -> the same for the tiny one, which is in no repository."""


def russian(page):
    """Return the translation of a page."""
    return page.with_name("README.ru.md")


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_both_languages_show_the_same_code(page):
    """Only the comments differ, so running one language is enough."""

    def without_comments(path):
        return [(kind, re.sub(r"[ ]*(?<!\S)#(?!!).*", "", text)) for kind, text in blocks(path)]

    assert without_comments(russian(page)) == without_comments(page)
    assert commands(russian(page)) == commands(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_both_languages_have_the_same_sections_and_figures(page):
    texts = [path.read_text(encoding="utf-8") for path in (page, russian(page))]
    shapes = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in texts]
    assert shapes[0] == shapes[1]
    rows = [re.findall(r"^\|.*\|$", text, re.MULTILINE) for text in texts]
    figures = [[re.findall(r"\d[\d.,]*\d|\.\d+", row.replace(",", "")) for row in table] for table in rows]
    assert figures[0] == figures[1]


def test_the_readme_is_short():
    for path in (PAGES[0], russian(PAGES[0])):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 200


def test_all_exceptions_are_in_the_pages():
    printed = [command for page in PAGES for command in commands(page)]
    for command in (*ELSEWHERE, *INSTEAD, *SMALLER):
        assert any(line.startswith(command) for line in printed), command
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
    shutil.copy(SAMPLES / "telegram" / "single" / "result.json", root)
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
    for command in DEMO:
        run(command, folder, env)
    count = 0
    for page in PAGES:
        table = [line for line in commands(page) if not any(line in code for _, code in blocks(page))]
        for kind, code in [*blocks(page), *(("bash", line) for line in table)]:
            if kind == "python":
                exec(code.replace(*TINY_TEACHER), {})
            for line in lines(code) if kind == "bash" else ():
                if command := runnable(line, hub.namespace):
                    run(command, folder, env)
                    count += 1
    assert count == sum(line not in ELSEWHERE for page in PAGES for line in commands(page))
    assert (folder / "core-st" / "modules.json").is_file()
    assert (folder / "board.svg").is_file()
    assert {"v1.0"} == {ref.removeprefix("refs/tags/") for ref in hub.repo("models", "core").refs if "tags" in ref}


def run(command, folder, env):
    """Run a command, in this process if possible; commands that load from the Hub need a new one."""
    words = shlex.split(command)
    if words[0] == "dialogue-cube" and ">" not in words and ("push" in words or "org-" not in command):
        result = CliRunner().invoke(dialogue_cube.app, words[1:])
        assert result.exit_code == 0, f"{command}\n{result.output[-3000:]}\n{result.exception!r}"
    else:
        in_shell = ["bash", "-c", command]
        result = subprocess.run(in_shell, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
        assert result.returncode == 0, f"{command}\n{result.stdout[-1500:]}\n{result.stderr[-3000:]}"


def test_links_and_paths_exist():
    results = ROOT / "tests" / "benchmarks" / "RESULTS.md"
    for path in (*PAGES, *map(russian, PAGES), results, ROOT / "CONTRIBUTING.md"):
        text = path.read_text(encoding="utf-8")
        for target, heading in re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", text):
            page = path.parent / target if target else path
            assert page.exists(), (path, target)
            assert not heading or heading in anchors(page), (path, heading)
        for target in re.findall(r"`((?:dataset_builders|cube_model|push_scripts|tests)/[\w./-]+)`", text):
            assert (ROOT / target).exists() or "NAME" in target, (path, target)


def anchors(path):
    """Return the names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
