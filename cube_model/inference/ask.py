"""`dialogue-cube ask`: questions on the command line, at a prompt, or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cube_model._options import comma_list
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.inference.retriever import Answer

_ROWS, _INDEX, _MANY, _VARIED = "Answers searched", "Saved index", "Many questions", "Variations"


def ask(
    model: Annotated[str, typer.Option(help="Trained core: folder or Hub repository.")],
    questions: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="What the user says; none: a prompt asks.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Dataset whose answers are searched: folder or Hub repository.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", "--top", min=1, help="Answers to show. Default: 5, and 1 of a variation.")
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="A turn before the question; repeat it, oldest first.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Where to find the core's teacher, if not by its name.")] = None,
    sources: Annotated[
        str | None, typer.Option(help="Answers of these corpora only, by commas.", rich_help_panel=_ROWS)
    ] = None,
    max_answers: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many answers, a seeded choice. Default: all.", rich_help_panel=_ROWS),
    ] = None,
    search: Annotated[
        str,
        typer.Option(
            help="exact; graph: faster on millions, may miss one; auto: exact up to a million.", rich_help_panel=_ROWS
        ),
    ] = "auto",
    index: Annotated[
        Path | None,
        typer.Option(help="Folder of a saved index; made from --data when not there.", rich_help_panel=_INDEX),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Make the index again.", rich_help_panel=_INDEX)] = False,
    question_file: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            help='Text file, a question a line, or .jsonl of {"question": ..., "context": [...]}; JSON lines come out.',
            rich_help_panel=_MANY,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the JSON lines. Default: standard output.", rich_help_panel=_MANY)
    ] = None,
    variations: Annotated[
        int | None,
        typer.Option(
            min=1, help="So many random variations around the answer, each by real answers.", rich_help_panel=_VARIED
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="How far they stray.", rich_help_panel=_VARIED)] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Of the variations.", rich_help_panel=_VARIED)] = 0,
) -> None:
    """Find the nearest real answers of a dataset to a question, or to several; without one: at a prompt."""
    if question_file and (questions or context or variations):
        raise ModelError("--questions excludes questions, --context and --variations on the command line")
    if output and not question_file:
        raise ModelError("--output goes with --questions FILE")
    if variations and not questions:
        raise ModelError("--variations needs a question on the command line")
    if overwrite and not index:
        raise ModelError("--overwrite goes with --index DIR")

    from rich.console import Console

    from cube_model.inference.ask_chat import chat
    from cube_model.inference.ask_questions import answer_questions, read_questions
    from cube_model.inference.retriever import CubeRetriever

    asked = read_questions(question_file) if question_file else []
    retriever = CubeRetriever.from_pretrained(
        model,
        data,
        index=index,
        overwrite=overwrite,
        teacher=teacher,
        sources=comma_list(sources),
        max_answers=max_answers,
        search=search,
        progress=True,
    )
    if question_file:
        answer_questions(retriever, asked, k or 5, output)
        return
    if context and not retriever.model.config.context_turns:
        typer.echo("note: this core reads the question only; --context is not used", err=True)
    if not questions:
        chat(retriever, k or 5, Console(), _show, context or [])
    for question in questions or []:
        if variations:
            varied = retriever.variations(
                question, context or [], count=variations, temperature=temperature, k=k or 1, seed=seed
            )
            # one table, a variation's answers under each other
            _show(f"{question} ({variations} variations, temperature {temperature:g})", [a for v in varied for a in v])
        else:
            _show(question, retriever.ask(question, context or [], k or 5))


def _show(question: str, answers: list[Answer]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("score", "answer", "source", "licence", title=Text(question), title_justify="left")
    for found in answers:
        table.add_row(f"{found.score:.3f}", Text(found.text), Text(found.source), Text(found.license or "unknown"))
    Console().print(table)
