"""`dialogue-cube demo`: the whole way, raw files -> dataset -> trained core -> answers, by the documented commands."""

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
"""What is downloaded when no raw folder is given: some 12 MB under Apache-2.0, CC BY 4.0 and CC BY 3.0."""

MAX_PAIRS = 10_000
"""Training pairs at most, so that encoding and training stay within minutes on two cores."""

EPOCHS, LEARNING_RATE = 6, 5e-3
"""A short run at a high rate: training takes more and smaller steps by itself."""

MAX_TEST_PAIRS = 3_000
"""Held-out pairs that are judged."""

MAX_ANSWERS = 5_000
"""Answers that are searched, for the same reason."""

QUESTIONS = (
    "I am looking for a cheap restaurant in the north of town.",
    "Could you book a table for two people at seven in the evening?",
    "What is the phone number, please?",
)

_LAUNCH = "accelerate launch --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no"


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the dataset and the model.")] = Path("demo"),
    raw_dir: Annotated[
        Path | None, typer.Option(help="Raw corpora of your own; small open ones are downloaded when not given.")
    ] = None,
    teacher: Annotated[str, typer.Option(help="Frozen sentence encoder.")] = DEFAULT_TEACHER,
) -> None:
    """Do the whole way in a few minutes: build a dataset, train a core on it, judge it, ask it.

    Every step is a command of its own and is printed before it runs. Without network the invented sample is used.
    """
    started = time.monotonic()
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
    _say("3. held-out dialogues: the untrained core (identity) beside the trained one")
    evaluate = ("dialogue-cube", "evaluate", "response-selection", "--data", dataset, "--model", model)
    _run(*evaluate, "--max-pairs", MAX_TEST_PAIRS, "--json", out / "results.json")
    _say("4. three questions")
    ask = ("dialogue-cube", "ask", "--model", model, "--data", dataset)
    _run(*ask, "--max-answers", MAX_ANSWERS, *QUESTIONS)
    typer.secho(f"\nDone in {time.monotonic() - started:.0f} s. Yours now:", bold=True)
    typer.echo(f'  datasets.load_dataset("{dataset}", "pairs")')
    typer.echo(f'  transformers.AutoModel.from_pretrained("{model}", trust_remote_code=True)')


def _raw_files(out: Path) -> Path:
    """Downloaded corpora, or the invented sample where they cannot be had."""
    raw = out / "raw"
    try:
        _run("dialogue-cube", "download", *SMALL_OPEN_SOURCES, "--to", raw)
    except ModelError:
        typer.secho("No download: going on with the invented sample that ships with the project.", fg="yellow")
        raw = out / "sample"
        if not raw.exists():  # an earlier demo left it
            _run("dialogue-cube", "sample", raw)
    return raw


def _say(text: str) -> None:
    typer.secho(f"\n{text}", bold=True)


def _run(*command: object) -> None:
    """Run one command of this environment, shown as a person would type it."""
    words = [str(word) for word in command]
    typer.secho(f"$ {shlex.join(words)}", fg="cyan")
    words[0] = str(Path(sys.executable).with_name(words[0]))
    done = subprocess.run(words, check=False)
    if done.returncode:
        raise ModelError(f"`{shlex.join(map(str, command))}` failed; its message stands above")
