"""`dialogue-cube demo`: run the documented commands from raw files to answers."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
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

_LAUNCH = "accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no"


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
    _say("1. raw files -> dataset")
    raw = raw_dir or _raw_files(out)
    _run("dialogue-cube", "build", "--raw-dir", raw, "--out", dataset)
    _say("2. question -> answer pairs -> core (lattice of 8 x 8 x 6 cells for a teacher of 384 dimensions)")
    _run(
        *_LAUNCH.split(),
        *("-m", "cube_model.train", "--data", dataset, "--teacher", teacher, "--output", model),
        *("--context-turns", "2", "--epochs", EPOCHS, "--learning-rate", LEARNING_RATE),
        *("--max-pairs", MAX_PAIRS, "--max-validation-pairs", MAX_TEST_PAIRS, "--overwrite"),
    )
    _say("3. test dialogues: the untrained core (identity) and the trained one")
    evaluate = ("dialogue-cube", "evaluate", "response-selection", "--data", dataset, "--model", model)
    _run(*evaluate, "--max-pairs", MAX_TEST_PAIRS, "--json", out / "results.json")
    _say("4. three questions")
    ask = ("dialogue-cube", "ask", "--model", model, "--data", dataset)
    _run(*ask, "--max-answers", MAX_ANSWERS, *QUESTIONS)
    typer.secho(f"\nDone in {time.monotonic() - start:.0f} s. Yours now:", bold=True)
    typer.echo(f'  datasets.load_dataset("{dataset}", "pairs")')
    typer.echo(f'  transformers.AutoModel.from_pretrained("{model}", trust_remote_code=True)')


def _raw_files(out: Path) -> Path:
    """Download the corpora, or write the invented sample if that fails."""
    raw = out / "raw"
    try:
        _run("dialogue-cube", "download", *SMALL_OPEN_SOURCES, "--to", raw)
    except ModelError:
        typer.secho("The download failed: using the invented sample that ships with the project.", fg="yellow")
        raw = out / "sample"
        if not raw.exists():  # otherwise from an earlier demo
            _run("dialogue-cube", "sample", raw)
    return raw


def _say(text: str) -> None:
    typer.secho(f"\n{text}", bold=True)


def _run(*command: object) -> None:
    """Print a command as a user would type it, and run it in this environment."""
    words = [str(word) for word in command]
    typer.secho(f"$ {shlex.join(words)}", fg="cyan")
    words[0] = str(Path(sys.executable).with_name(words[0]))
    if subprocess.run(words, check=False).returncode:
        raise ModelError(f"`{shlex.join(map(str, command))}` failed; see its message above")
