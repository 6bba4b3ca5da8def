"""The command line: fast to start, with errors of one line and reliable exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import dialogue_cube
from cube_model.errors import ModelError
from dataset_builders.common.command_line import run_command_line
from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.sources.registry import builders
from push_scripts.errors import PushError

ENV = {**os.environ, "NO_COLOR": "1", "COLUMNS": "300", "OMP_NUM_THREADS": "1"}
COMMAND = Path(sys.executable).with_name("dialogue-cube")


def run(*arguments, **kwargs):
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, env=ENV, **kwargs
    )


def imported_modules(code):
    script = f"{code}\nimport sys; print(*sorted(m for m in sys.modules if '.' not in m))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_version_lists_what_affects_results():
    result = run("--version")
    assert result.returncode == 0
    versions = dict(line.split() for line in result.stdout.splitlines())
    assert {"dialogue-cube", "python", "torch", "datasets"} <= set(versions)


def test_one_import_offers_the_public_names_of_the_three_packages():
    names = (
        "CubeTrainer TrainingConfig create_dialogue_dataset build_dataset push_dataset PushOptions DialogueCubeError"
    )
    script = f"import dialogue_cube; print(*(getattr(dialogue_cube, name).__module__ for name in {names.split()}))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in result.stdout.split()} == {"cube_model", "dataset_builders", "push_scripts"}
    assert set(dialogue_cube.__all__) <= set(dir(dialogue_cube))
    assert f"dialogue-cube {dialogue_cube.__version__}" in run("--version").stdout.splitlines()
    with pytest.raises(AttributeError, match="no attribute 'CubeTrainr'"):
        dialogue_cube.CubeTrainr  # noqa: B018


def test_help_imports_no_heavy_module():
    assert not imported_modules("import dialogue_cube") & {
        "torch",
        "transformers",
        "datasets",
        "pandas",
        "pyarrow",
        "numpy",
    }
    result = run("--help")
    assert result.returncode == 0
    for command in (
        "sources",
        "build",
        "quality",
        "download",
        "sample",
        "ask",
        "evaluate",
        "leaderboard",
        "cache",
        "push",
    ):
        assert command in result.stdout


@pytest.mark.parametrize("command", [[], ["build"], ["evaluate", "intents"], ["push", "dataset"]])
def test_h_is_short_for_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        dialogue_cube.app([*command, "-h"])
    assert ended.value.code == 0
    assert "--help" in capsys.readouterr().out


def test_no_option_that_is_a_list_keeps_only_its_last_value():
    """`--sources woz --sources sgd` means both, in every command."""
    commands, lists = [typer.main.get_command(dialogue_cube.app)], []
    while commands:
        each = commands.pop()
        commands += getattr(each, "commands", {}).values()
        lists += [option for option in each.params if "A,B" in (option.metavar or "")]
    assert len(lists) > 20
    assert [option.opts for option in lists if not option.multiple] == []


def test_the_shell_completes_names_of_sources():
    from dataset_builders.sources.cli import complete_source

    assert complete_source("multiw") == ["multiwoz"]
    assert {"woz:en", "woz:de"} <= set(complete_source("woz:"))


def test_dataset_builders_never_imports_torch(sample_raw, tmp_path):
    code = f"""
import dataset_builders, dataset_builders.cli
from dataset_builders import build_dataset, builders, write_sample
build_dataset(["camrest676", "banking77"], {str(sample_raw)!r}, {str(tmp_path / "out")!r}, cache_dir={str(tmp_path)!r})
"""
    assert not imported_modules(code) & {"torch", "transformers"}


def test_sources_as_json():
    rows = {row["name"]: row for row in json.loads(run("sources", "--json").stdout)}
    assert list(rows) == list(builders())
    assert rows["sgd"]["license"] == "CC-BY-SA-4.0"
    assert rows["sgd"]["redistributable"] is True
    assert rows["woz"]["languages"] == ["en", "de", "it"]
    assert rows["multiwoz"]["official_counts"]["2.2"]["train"]["dialogues"] == 8437


def test_quality_options_of_build(sample_raw, tmp_path):
    raw, out, config = tmp_path / "raw", tmp_path / "out", tmp_path / "quality.yaml"
    shutil.copytree(sample_raw / "camrest676", raw / "camrest676")
    config.write_text("preset: strict\npair_length: {min_words: 5}\n")
    result = run("build", "--raw-dir", raw, "--out", out, "--quality", config, "--split-policy", "official")
    assert result.returncode == 0, result.stderr
    options = json.loads((out / "quality" / "report.json").read_text())["options"]
    assert options["quality"]["preset"] == "strict"
    assert options["quality"]["pair_length"]["min_words"] == 5
    assert options["split_policy"] == "official"

    for arguments, message in (
        (("--quality", "tough"), "no quality preset or file tough; expected none, default, strict"),
        (("--directions", "user-robot"), "directions: expected some of user-system, system-user, user-user, "),
        (("--hard-negatives", "1"), "hard negatives need an encoder: add one"),
    ):
        result = run("build", "--raw-dir", raw, "--out", out, *arguments)
        assert result.returncode == 1
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
    result = run("build", "--raw-dir", raw, "--out", out, "--split-policy", "random")
    assert result.returncode == 2
    assert "'random' is not one of 'leak-free', 'official', 'original'" in " ".join(result.stderr.split())


def test_build_prints_a_table_and_one_warning_per_source(sample_raw, tmp_path):
    for source in ("sgd", "banking77"):  # without the note that they are invented
        shutil.copytree(sample_raw / source, tmp_path / "raw" / source)
    result = run("build", "sgd", "banking77", "--raw-dir", tmp_path / "raw", "--out", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "README.md").exists()
    assert "load_dataset(" in result.stdout
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines() if "warning" in line] == [
        "sgd",
        "banking77",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build"], 2, "Invalid value for '--out': missing"),
        (["build", "--out", "out"], 1, "error: name the sources to download, or give --raw-dir"),
        (["build", "frames", "--out", "out"], 1, "accept its licence first"),
        (["build", "sgd", "--raw-dir", ".", "--out", "out", "--license", "CC"], 1, "error: no licence 'CC'; expected"),
        (["build", "--raw-dir", "absent", "--out", "out"], 1, "error: no raw folder absent"),
        (["build", "sdg", "--raw-dir", ".", "--out", "out"], 1, "error: no source 'sdg'"),
        (["build", "sgd", "--raw-dir", ".", "--out", "out"], 1, "get it from https://raw.githubusercontent.com"),
        (["build", "--raw-dir", ".", "--out", "out", "--num-proc", "0"], 2, "--num-proc"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["download", "sdg", "--to", "raw"], 1, "error: no source 'sdg'"),
    ],
)
def test_errors_of_commands(arguments, code, message, tmp_path):
    result = run(*arguments, cwd=tmp_path)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
    if code == 1:
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_sample_is_not_written_into_an_existing_folder(tmp_path):
    assert run("sample", tmp_path / "raw").returncode == 0
    result = run("sample", tmp_path / "raw")
    assert result.returncode == 1
    assert "choose another DIR" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "evaluate response-selection --data org/name --encoder minilm --json thesis.txt",
        "evaluate intents --data org/name --encoder minilm --json thesis.txt",
        "leaderboard --data org/name --json thesis.txt",
        "leaderboard --data org/name --json new.json --plot thesis.svg",
        "leaderboard --data org/name --json new.json --card thesis.txt",
        "quality --data nowhere --html thesis.txt",
        "quality --data nowhere --json thesis.txt",
        "notebook --data nowhere --html thesis.txt",
        "ask --model org/core --data org/name --index theses",
        "ask --model org/core --data org/name --output thesis.txt --questions thesis.txt",
        "export --model org/core --output theses",
    ],
)
def test_a_foreign_output_file_is_refused_before_any_work(arguments, tmp_path, monkeypatch, capsys):
    (tmp_path / "theses").mkdir()
    files = [tmp_path / name for name in ("thesis.txt", "thesis.svg", "theses/thesis.txt")]
    for file in files:
        file.write_text("On tea")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        run_command_line(lambda: dialogue_cube.app(arguments.split()))
    assert exit_info.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "thes" in line
    assert "choose another" in line
    assert [file.read_text() for file in files] == ["On tea"] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theses", "thesis.svg", "thesis.txt"]


@pytest.mark.parametrize(
    "command",
    [
        "ask --model runs/core --data corpsu hello",
        "ask --model runs/coer --data runs/corpus hello",
        "evaluate response-selection --data runs/corpsu --encoder minilm",
        "evaluate intents --data corpsu --encoder minilm",
        "evaluate response-selection --data runs/corpus --encoder minlm",
        "leaderboard --data ./runs/corpsu --json new.json",
        "export --model runs/coer --output export",
        "database --data runs/corpsu --out corpus.duckdb",
    ],
)
def test_a_mistyped_name_is_not_searched_for_on_the_hub(command, tmp_path, monkeypatch, capsys):
    def connect(*arguments):
        raise AssertionError("the network was used")

    for folder in ("runs/corpus/pairs", "runs/core"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.getaddrinfo", connect)
    with pytest.raises(SystemExit) as exit_info:
        run_command_line(lambda: dialogue_cube.app(command.split()))
    assert exit_info.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no such folder" in line
    if " corpsu" not in command:
        assert "did you mean" in line


def test_an_output_folder_below_a_file_is_explained(sample_raw, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run("build", "camrest676", "--raw-dir", sample_raw, "--out", tmp_path / "file" / "out")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert str(tmp_path / "file") in result.stderr


def test_all_errors_have_one_root_and_are_printed_alike(capsys):
    for kind in (DataError, ModelError, PushError):
        assert issubclass(kind, DialogueCubeError)

        def fail(kind=kind):
            raise kind("what, where [bold]as it is[/], what to do")

        with pytest.raises(SystemExit) as exit_info:
            run_command_line(fail)
        assert exit_info.value.code == 1
        assert capsys.readouterr().err == "error: what, where [bold]as it is[/], what to do\n"
    with pytest.raises(ZeroDivisionError):  # a bug keeps its traceback
        run_command_line(lambda: 1 / 0)
