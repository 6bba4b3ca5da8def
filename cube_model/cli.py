"""The model's sub-commands of the console command; heavy modules are imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cube_model._command import comma_list
from cube_model.errors import ModelError
from cube_model.evaluation.intents.command import intents
from cube_model.evaluation.leaderboard.command import leaderboard
from cube_model.inference.ask import ask
from cube_model.inference.export import export
from cube_model.vectors.cli import cache_app

evaluate_app = typer.Typer(no_args_is_help=True, help="Judge encoders and trained cores.", rich_markup_mode="rich")
evaluate_app.command("intents")(intents)


def register(app: typer.Typer) -> None:
    """Add this package's commands to the console command."""
    app.command("ask")(ask)
    app.add_typer(evaluate_app, name="evaluate")
    app.command("leaderboard")(leaderboard)
    app.command("export")(export)
    app.add_typer(cache_app, name="cache")


@evaluate_app.command("response-selection")
def response_selection(
    data: Annotated[str, typer.Option(help="Dataset: folder or Hub repository.")],
    model: Annotated[str | None, typer.Option(help="Trained core: folder or Hub repository.")] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Encoder to judge: short name, folder or Hub repository; with --model: the core's teacher."),
    ] = None,
    sources: Annotated[str | None, typer.Option(help="Corpora, by commas. Default: all together.")] = None,
    split: Annotated[str, typer.Option(help="Split to judge on.")] = "test",
    context_turns: Annotated[
        int | None,
        typer.Option(min=0, help="Judge with 0 to so many earlier turns. Default: as many as the core reads."),
    ] = None,
    max_pairs: Annotated[int | None, typer.Option(min=2, help="At most so many pairs.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of batches and bootstrap.")] = 0,
    draws: Annotated[int, typer.Option(min=1, help="Shuffles that are averaged.")] = 3,
    dtype: Annotated[
        str,
        typer.Option(help="Precision of the encoder: float32, bfloat16, float16, or auto (by processor)."),
    ] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Judge an encoder, or a core on top of it, by response selection: the true answer among 100, and among all.

    The identity (what an untrained core does: the encoder alone) is judged on the same vectors and batches. 95 %
    intervals are bootstrapped over dialogues; several corpora are judged together and each by itself.
    """
    from cube_model._command import command_line
    from cube_model.evaluation.run import run_response_selection
    from cube_model.evaluation.tables import show
    from dataset_builders.common.outputs import JSON_FILE, optional_file, write_json

    with optional_file(json_file, JSON_FILE.raising(ModelError)) as file:
        reports, output = run_response_selection(
            data,
            model,
            encoder=encoder,
            sources=comma_list(sources),
            split=split,
            context_turns=context_turns,
            max_pairs=max_pairs,
            seed=seed,
            draws=draws,
            dtype=dtype,
            progress=True,
        )
        if file is not None:
            options = {
                "data": data,
                "model": model,
                "encoder": encoder,
                "sources": comma_list(sources),
                "split": split,
                "context-turns": context_turns,
                "max-pairs": max_pairs,
                "seed": seed,
                "draws": draws,
                "dtype": dtype,
            }
            write_json(file, {"command": command_line("evaluate response-selection", options), **output})
    show(reports, f"{data}, {split}", output["sources"])
