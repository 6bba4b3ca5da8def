"""`dialogue-cube ask`: answer questions from the command line, a prompt or a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cube_model._command import check_locations
from cube_model.errors import ModelError
from cube_model.inference.choices import SearchKind
from cube_model.vectors.option import HELP as VECTORS_HELP
from dataset_builders.common.command_options import comma_list
from dataset_builders.common.file_kinds import json_kind
from dataset_builders.common.outputs import Output, output_file
from dataset_builders.common.reading import is_text, regular, text_lines
from dataset_builders.common.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console

    from cube_model.inference.retriever import Answer, CubeRetriever

_SEARCH, _INDEX, _BATCH, _VARIATIONS = "Search", "Saved index", "File of questions", "Variations"
"""Panels of the help."""

_BATCH_SIZE = 512
"""Questions answered at once."""


def _is_answered(row: dict[str, Any]) -> bool:
    answers = row["answers"]  # of SQuAD an object, of ours a list with scores
    return isinstance(answers, list) and all(isinstance(each, dict) and "score" in each for each in answers)


_ANSWER_FILE = json_kind(
    "answers as JSON lines", "question", "context", "answers", is_row=_is_answered, error=ModelError
)

_HELP = "/new starts a new dialogue, /quit ends"


def ask(
    model: Annotated[str, typer.Option(help="Trained core: folder or Hub repository.")],
    questions: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="Questions. Default: ask at a prompt.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Dataset with the answers to search: folder or Hub repository.")
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", "--top", min=1, help="Number of answers. Default: 5, or 1 per variation.")
    ] = None,
    context: Annotated[
        list[str] | None, typer.Option(help="A turn before the question; repeatable, oldest first.")
    ] = None,
    teacher: Annotated[str | None, typer.Option(help="Location of the core's teacher. Default: its name.")] = None,
    vectors: Annotated[Path | None, typer.Option(help=VECTORS_HELP, rich_help_panel=_SEARCH)] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B,...", help="Sources to search. Default: all.", rich_help_panel=_SEARCH),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Search only answers with this metadata; repeatable. One of the values of each key is enough.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    max_answers: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum number of answers (random sample). Default: all.", rich_help_panel=_SEARCH),
    ] = None,
    search: Annotated[
        SearchKind,
        typer.Option(
            help="graph (in memory) and lists (on disk): fast for millions of answers, may miss some; auto: exact up "
            "to a million, lists above four million.",
            rich_help_panel=_SEARCH,
        ),
    ] = "auto",
    index: Annotated[
        Path | None,
        typer.Option(help="Folder of a saved index; created from --data if missing.", rich_help_panel=_INDEX),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Build the index again.", rich_help_panel=_INDEX)] = False,
    question_file: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            help='Text file of questions, one per line, or .jsonl of {"question": ..., "context": [...]}.',
            rich_help_panel=_BATCH,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File for the JSON lines. Default: standard output.", rich_help_panel=_BATCH)
    ] = None,
    variations: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of random variations, each shown by the nearest answers.",
            rich_help_panel=_VARIATIONS,
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, help="Amount of variation.", rich_help_panel=_VARIATIONS)] = 0.3,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the variations.", rich_help_panel=_VARIATIONS)] = 0,
) -> None:
    """Find the answers of a dataset that are nearest to questions."""
    if question_file and (questions or context or variations):
        raise ModelError("--questions cannot be combined with QUESTION, --context or --variations")
    if output and not question_file:
        raise ModelError("--output requires --questions FILE")
    if variations and not questions:
        raise ModelError("--variations requires a QUESTION")
    if overwrite and not index:
        raise ModelError("--overwrite requires --index DIR")

    conditions = read_conditions(where or [])
    file_questions = read_questions(question_file) if question_file else []
    check_locations(data, model)
    if output:
        Output(output, _ANSWER_FILE).check()
    from rich.console import Console

    from cube_model.inference.retriever import CubeRetriever

    retriever = CubeRetriever.from_pretrained(
        model,
        data,
        index=index,
        overwrite=overwrite,
        teacher=teacher,
        vectors=vectors,
        sources=comma_list(sources),
        max_answers=max_answers,
        where=conditions,
        search=search,
        progress=True,
    )
    if question_file:
        answer_questions(retriever, file_questions, k or 5, output)
        return
    if context and not retriever.model.config.context_turns:
        typer.echo("note: this core reads the question only; --context is ignored", err=True)
    if not questions:
        chat(retriever, k or 5, Console(), _show, context or [])
    for question in questions or []:
        if variations:
            groups = retriever.variations(
                question, context or [], count=variations, temperature=temperature, k=k or 1, seed=seed
            )
            answers = [answer for group in groups for answer in group]
            _show(f"{question} ({variations} variations, temperature {temperature:g})", answers)
        else:
            _show(question, retriever.ask(question, context or [], k or 5))


def read_conditions(conditions: Iterable[str]) -> dict[str, list[str]]:
    """Read conditions on the metadata.

    Args:
        conditions: Conditions such as `team=sales`.

    Returns:
        Values by key.

    Raises:
        ModelError: A condition has no key or no `=`.

    >>> read_conditions(["team=sales", "team=support", "tier=1"])
    {'team': ['sales', 'support'], 'tier': ['1']}
    """
    values: dict[str, list[str]] = {}
    for condition in conditions:
        key, equals, value = condition.partition("=")
        if not (key and equals):
            raise ModelError(f"--where {condition}: expected KEY=VALUE, such as --where team=sales")
        values.setdefault(key, []).append(value)
    return values


def _show(question: str, answers: list[Answer]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("score", "answer", "source", "licence", title=Text(visible(question)), title_justify="left")
    for answer in answers:
        parts = (answer.text, answer.source, answer.license or "unknown")
        table.add_row(f"{answer.score:.3f}", *(Text(visible(part)) for part in parts))
    Console().print(table)


class Question(NamedTuple):
    """A question and its context, oldest turn first."""

    question: str
    context: tuple[str, ...] = ()


def read_questions(file: Path) -> list[Question]:
    """Read questions from a text file, one per line, or a JSONL file (`.jsonl`, `.ndjson`).

    A JSON line is `{"question": ..., "context": [...]}`; the turns of the context are strings, or `{"text": ...}` as in
    the `pairs` config. Blank lines are skipped.

    Raises:
        ModelError: The file cannot be read, has no questions, or a line is invalid.
    """
    try:
        lines = text_lines(regular(file).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ModelError(f"{file}: cannot be read ({reason}); pass a text or .jsonl file of questions") from error
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise ModelError(f"{file}: no questions; write one per line")
    if file.suffix.lower() not in (".jsonl", ".ndjson"):
        return [Question(line) for _, line in numbered]
    return [_from_json(line, f"{file}, line {number}") for number, line in numbered]


def _from_json(line: str, where: str) -> Question:
    try:
        row = json.loads(line)
        context = tuple(turn if isinstance(turn, str) else turn["text"] for turn in row.get("context") or ())
        if row["question"].strip() and all(isinstance(turn, str) for turn in context):
            if not all(map(is_text, (row["question"], *context))):
                raise ModelError(f"{where}: half of a character (a lone surrogate); write the whole character")
            return Question(row["question"], context)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise ModelError(f'{where}: expected {{"question": "text", "context": ["turn before it", ...]}}')


def answer_questions(retriever: CubeRetriever, questions: list[Question], k: int, output: Path | None) -> None:
    """Write a JSON line for each question: the question, its context, and the k best answers.

    Args:
        retriever: Retriever to ask.
        questions: Questions, in the order of the lines.
        k: Number of answers to each question.
        output: File to write, atomically. If None, print the lines batch by batch.

    Raises:
        ModelError: The file cannot be written.
    """
    from rich.console import Console
    from rich.progress import track

    starts: Iterable[int] = range(0, len(questions), _BATCH_SIZE)
    if output is None:
        for start in starts:
            sys.stdout.writelines(_answer_lines(retriever, questions[start : start + _BATCH_SIZE], k))
            sys.stdout.flush()
        return
    try:
        with output_file(output, _ANSWER_FILE) as path, path.open("w", encoding="utf-8") as file:
            for start in track(list(starts), "Answering", console=Console(stderr=True), transient=True):
                file.writelines(_answer_lines(retriever, questions[start : start + _BATCH_SIZE], k))
    except OSError as error:
        raise ModelError(f"{output}: cannot be written ({error.strerror})") from error


def _answer_lines(retriever: CubeRetriever, questions: list[Question], k: int) -> Iterable[str]:
    texts, contexts = [each.question for each in questions], [each.context for each in questions]
    for question, answers in zip(questions, retriever.ask_many(texts, contexts, k), strict=True):
        row: dict[str, Any] = {**question._asdict(), "answers": [asdict(answer) for answer in answers]}
        yield json.dumps(row, ensure_ascii=False) + "\n"


def chat(
    retriever: CubeRetriever, k: int, console: Console, show: Callable[[str, list[Answer]], None], context: list[str]
) -> None:
    """Answer questions, typed at a prompt or piped in, until `/quit` or the end of the input.

    Args:
        retriever: Retriever to ask.
        k: Number of answers to show; the best one becomes part of the context.
        console: Console for the prompt and notes.
        show: Function that shows the answers to a question.
        context: Turns before the first question, oldest first.
    """
    context_turns = retriever.model.config.context_turns
    context_read = {0: "only", 1: "and the turn before it"}.get(
        context_turns, f"and the {context_turns} turns before it"
    )
    console.print(f"{len(retriever.answers):,} answers; this core reads the question {context_read}. {_HELP}.")
    turns = list(context)
    for line in _input_lines(console):
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


def _input_lines(console: Console) -> Iterator[str]:
    """Yield the lines typed at a prompt, or piped in."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin)
        return
    while True:
        try:
            yield console.input("[bold]> [/bold]").strip()
        except EOFError:
            return
