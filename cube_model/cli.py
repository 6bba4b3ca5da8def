"""The model's sub-commands of the console command; heavy modules are imported when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cube_model._options import comma_list
from cube_model.cache_cli import cache_app
from cube_model.evaluation.leaderboard_cli import leaderboard

evaluate_app = typer.Typer(no_args_is_help=True, help="Judge trained cores.", rich_markup_mode="rich")


def register(app: typer.Typer) -> None:
    """Add this package's commands to the console command."""
    app.command("ask")(ask)
    app.add_typer(evaluate_app, name="evaluate")
    app.command("leaderboard")(leaderboard)
    app.add_typer(cache_app, name="cache")


def ask(
    questions: Annotated[list[str], typer.Argument(metavar="QUESTION...", help="What the user says.")],
    model: Annotated[str, typer.Option(help="Trained core: folder or Hub repository.")],
    data: Annotated[str, typer.Option(help="Dataset whose answers are searched: folder or Hub repository.")],
    k: Annotated[int, typer.Option("-k", "--top", min=1, help="Answers to show.")] = 5,
    context: Annotated[
        list[str] | None, typer.Option(help="A turn before the question; repeat it, oldest first.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Where to find the core's teacher, if not by its name.")] = None,
    sources: Annotated[str | None, typer.Option(help="Search the answers of these corpora only, by commas.")] = None,
    max_answers: Annotated[
        int | None, typer.Option(min=1, help="Search at most so many answers, a seeded choice. Default: all.")
    ] = None,
) -> None:
    """Find the nearest real answers of a dataset to a question, or to several."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cube_model.retriever import CubeRetriever

    retriever = CubeRetriever.from_pretrained(
        model, data, teacher=teacher, sources=comma_list(sources), max_answers=max_answers, progress=True
    )
    if context and not retriever.model.config.context_turns:
        typer.echo("note: this core reads the question only; --context is not used", err=True)
    for question in questions:
        table = Table("score", "answer", "source", "licence", title=Text(question), title_justify="left")
        for found in retriever.ask(question, context or [], k):
            table.add_row(f"{found.score:.3f}", Text(found.text), Text(found.source), Text(found.license or "unknown"))
        Console().print(table)


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
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Judge an encoder, or a core on top of it, by response selection: the true answer among 100, and among all.

    The identity (what an untrained core does: the encoder alone) is judged on the same vectors and batches. 95 %
    intervals are bootstrapped over dialogues; several corpora are judged together and each by itself.
    """
    from cube_model.evaluation.json_file import write_json
    from cube_model.evaluation.run import run_response_selection
    from cube_model.evaluation.tables import show

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
        progress=True,
    )
    if json_file:
        write_json(json_file, output)
    show(reports, f"{data}, {split}", output["sources"])
