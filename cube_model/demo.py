"""`dialogue-cube demo`: run the documented commands from raw files to answers."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER

SMALL_OPEN_SOURCES = ("woz:en", "banking77", "clinc150")
"""Sources to download by default: 12 MB under Apache-2.0, CC BY 4.0 and CC BY 3.0."""

MAX_PAIRS = 10_000
"""Maximum number of training pairs, so that encoding and training take only minutes on two processor cores."""

EPOCHS, LEARNING_RATE = 6, 5e-3
"""A short training at a high rate; by default, training takes more and smaller steps."""

MAX_TEST_PAIRS = 3_000
"""Maximum number of pairs for validation and for the evaluation."""

MAX_ANSWERS = 5_000
"""Maximum number of answers to search."""

QUESTIONS = (
    "I am looking for a cheap restaurant in the north of town.",
    "Could you book a table for two people at seven in the evening?",
    "What is the phone number, please?",
)

_DOWNLOAD_HOST = "https://raw.githubusercontent.com"
"""Server of all `SMALL_OPEN_SOURCES`."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the dataset and the model.")] = Path("demo"),
    raw_dir: Annotated[
        Path | None, typer.Option(help="Folder of your own raw corpora; otherwise small open ones are downloaded.")
    ] = None,
    teacher: Annotated[str, typer.Option(help="Frozen sentence encoder.")] = DEFAULT_TEACHER,
) -> None:
    """Build a dataset, train a core on it, evaluate it and ask it, in a few minutes.

    Each step is a command, printed before it runs. Offline, the demo uses the invented sample.
    """
    start = time.monotonic()
    dataset, model = out / "dataset", out / "model"
    _say("1. Raw files -> dataset: one typed, leak-free format for every corpus")
    raw = raw_dir or _raw_files(out)
    _run("build", "--raw-dir", raw, "--out", dataset)
    _say("2. Dataset -> core: learns to map the teacher's embedding of a question to that of its answer")
    _run(
        *("train", "--data", dataset, "--teacher", teacher, "--output", model, "--context-turns", "2"),
        *("--epochs", EPOCHS, "--learning-rate", LEARNING_RATE),
        *("--max-pairs", MAX_PAIRS, "--max-validation-pairs", MAX_TEST_PAIRS, "--overwrite"),
    )
    _say("3. Evaluation on test dialogues: does the core find answers better than the teacher alone (identity)?")
    evaluate = ("evaluate", "response-selection", "--data", dataset, "--model", model)
    _run(*evaluate, "--max-pairs", MAX_TEST_PAIRS, "--json", out / "results.json")
    _say("4. Three questions: the nearest real answers of the dataset")
    _run("ask", "--model", model, "--data", dataset, "--max-answers", MAX_ANSWERS, *QUESTIONS)
    typer.secho(f"\nDone in {time.monotonic() - start:.0f} s. What to try next:", bold=True)
    next_steps: dict[str, tuple[object, ...]] = {
        "ask questions of your own": ("ask", "--model", model, "--data", dataset, "--max-answers", MAX_ANSWERS),
        "look at the dataset and the core in a browser": (
            *("dashboard", "--data", dataset, "--database", out / "corpus.duckdb", "--core", model),
        ),
        "use your own questions and answers": ("build", "--own", "faq.csv", "--language", "en", "--out", "own"),
    }
    for purpose, words in next_steps.items():
        typer.echo(f"  {purpose}:")
        typer.secho(f"    {_command_line(words)}", fg="cyan")
    typer.echo("In Python:")
    typer.echo(f'  datasets.load_dataset("{dataset}", "pairs")')
    typer.echo(f'  transformers.AutoModel.from_pretrained("{model}", trust_remote_code=True)')


def _raw_files(out: Path) -> Path:
    """Download the corpora, or write the invented sample if that fails."""
    raw = out / "raw"
    if _is_online():
        try:
            _run("download", *SMALL_OPEN_SOURCES, "--to", raw)
            return raw
        except ModelError as error:
            typer.secho(str(error), fg="yellow")
    typer.secho(f"No download from {_DOWNLOAD_HOST}: the demo uses an invented sample instead.", fg="yellow")
    sample = out / "sample"
    if not sample.exists():  # otherwise from an earlier demo
        _run("sample", sample)
    return sample


def _is_online() -> bool:
    """Whether the server of the corpora answers; proxies in the environment are used, as by the download."""
    try:
        with urllib.request.urlopen(urllib.request.Request(_DOWNLOAD_HOST, method="HEAD"), timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _say(text: str) -> None:
    typer.secho(f"\n{text}", bold=True)


def _run(*words: object) -> None:
    """Print a command of `dialogue-cube` as a user would type it, and run it in this environment."""
    typer.secho(f"$ {_command_line(words)}", fg="cyan")
    program = Path(sys.executable).with_name("dialogue-cube")
    if subprocess.run([program, *map(str, words)], check=False).returncode:
        raise ModelError(f"`{_command_line(words)}` failed; see its message above")


def _command_line(words: Iterable[object]) -> str:
    return shlex.join(["dialogue-cube", *map(str, words)])
