"""`dialogue-cube ask`: questions on the command line, at a prompt, or from a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cube_model._command import comma_list
from cube_model.errors import ModelError
from dataset_builders.common.outputs import file_kind, output_file

if TYPE_CHECKING:
    from rich.console import Console

    from cube_model.inference.retriever import Answer, CubeRetriever

_ROWS, _INDEX, _MANY, _VARIED = "Answers searched", "Saved index", "Many questions", "Variations"

_AT_ONCE = 512

_ANSWERS = file_kind("JSON lines", b"{", error=ModelError)

_HELP = "/new starts a new dialogue, /quit ends"


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


class Question(NamedTuple):
    """A user's turn and the turns before it, oldest first."""

    question: str
    context: tuple[str, ...] = ()


def read_questions(file: Path) -> list[Question]:
    """Questions of a text file, one a line, or of a JSONL file (`.jsonl`): `{"question": ..., "context": [...]}`.

    Context turns are texts, or `{"text": ...}` as in the `pairs` config. Empty lines are left out.

    Raises:
        ModelError: The file cannot be read, holds no question, or a line is none; it is named.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ModelError(f"{file}: cannot be read ({reason}); give a text or .jsonl file of questions") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise ModelError(f"{file}: no question in it; write one a line")
    if file.suffix.lower() not in (".jsonl", ".ndjson"):
        return [Question(line) for _, line in numbered]
    return [_from_json(line, f"{file}, line {number}") for number, line in numbered]


def _from_json(line: str, where: str) -> Question:
    try:
        row = json.loads(line)
        context = tuple(turn if isinstance(turn, str) else turn["text"] for turn in row.get("context") or ())
        if row["question"].strip() and all(isinstance(turn, str) for turn in context):
            return Question(row["question"], context)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ModelError(f'{where}: expected {{"question": "text", "context": ["earlier turn", ...]}}')


def answer_questions(retriever: CubeRetriever, questions: list[Question], k: int, output: Path | None) -> None:
    """Write a JSON line for each question: it, its context, and the k best answers.

    Args:
        retriever: Answers them.
        questions: In the order of the lines written.
        k: Answers of each.
        output: File to make, written aside and renamed; None: to standard output, as they come.
    """
    from rich.console import Console
    from rich.progress import track

    starts: Iterable[int] = range(0, len(questions), _AT_ONCE)
    if output is None:
        for start in starts:
            sys.stdout.writelines(_answer_lines(retriever, questions[start : start + _AT_ONCE], k))
            sys.stdout.flush()
        return
    try:
        with output_file(output, _ANSWERS) as aside, aside.open("w", encoding="utf-8") as file:
            for start in track(list(starts), "Answering", console=Console(stderr=True), transient=True):
                file.writelines(_answer_lines(retriever, questions[start : start + _AT_ONCE], k))
    except OSError as error:
        raise ModelError(f"{output}: cannot be written ({error.strerror})") from error


def _answer_lines(retriever: CubeRetriever, questions: list[Question], k: int) -> Iterable[str]:
    found = retriever.ask_many([each.question for each in questions], [each.context for each in questions], k)
    for question, answers in zip(questions, found, strict=True):
        row: dict[str, Any] = {**question._asdict(), "answers": [asdict(answer) for answer in answers]}
        yield json.dumps(row, ensure_ascii=False) + "\n"


def chat(
    retriever: CubeRetriever, k: int, console: Console, show: Callable[[str, list[Answer]], None], context: list[str]
) -> None:
    """Answer line after line until `/quit` or the end of the input, typed or piped.

    Args:
        retriever: Answers.
        k: Answers shown; the best one is taken as said, and enters the context.
        console: For notes to the user.
        show: Shows a question's answers.
        context: Turns that were said before the first question, oldest first.
    """
    read = retriever.model.config.context_turns
    told = f"the core reads the last {read} turns" if read else "this core reads the question only, not what was said"
    console.print(f"{len(retriever.answers):,} answers; {told}. {_HELP}.")
    turns = list(context)
    for line in _spoken_lines(console):
        if line == "/quit":
            return
        if line == "/new":
            turns.clear()
            console.print("A new dialogue.")
        elif line.startswith("/"):
            console.print(f"No such command; {_HELP}.")
        elif line:
            answers = retriever.ask(line, turns, k)
            show(line, answers)
            turns += [line, answers[0].text]


def _spoken_lines(console: Console) -> Iterator[str]:
    """Lines typed at a prompt, or piped in."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin)
        return
    while True:
        try:
            yield console.input("[bold]> [/bold]").strip()
        except EOFError:
            return
