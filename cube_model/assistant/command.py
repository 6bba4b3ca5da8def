"""`dialogue-cube assistant build | reply | add | remove | calibrate | review`; heavy modules are imported late."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cube_model._command import check_locations
from cube_model.assistant.config import AssistantConfig, CalibrateConfig
from cube_model.errors import ModelError
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.terminal import visible

if TYPE_CHECKING:
    from cube_model.assistant.assistant import DialogueAssistant, Reply

assistant_app = typer.Typer(
    no_args_is_help=True,
    help="An assistant that answers from your questions and answers, or says that it does not know.",
    rich_markup_mode="rich",
)

_Model = Annotated[str, typer.Option("--assistant", help="Assistant: folder or Hub repository.")]
_Folder = Annotated[Path, typer.Option("--assistant", help="Folder of the assistant.")]

_LONGEST_SHOWN = 300
"""Characters of a question in a table of the terminal."""


@assistant_app.command()
@takes_options()
def build(
    config: AssistantConfig,
    out: Annotated[Path, typer.Option(help="Folder of the assistant.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier assistant.")] = False,
) -> None:
    """Build an assistant: answers, encoder, and the threshold below which it does not know, in one folder.

    The validation split calibrates the refusals; of a FAQ, each question is asked without itself. The card (README.md)
    and calibration.json have the figures, and say what is promised and what is not.
    """
    check_locations(config.data)
    from cube_model.assistant.assistant import DialogueAssistant
    from cube_model.assistant.build import build_assistant

    folder = build_assistant(config, out, overwrite=overwrite, progress=True)
    _show_info(DialogueAssistant.from_pretrained(folder), out)


@assistant_app.command()
def reply(
    assistant: _Model,
    questions: Annotated[
        list[str] | None, typer.Argument(metavar="[QUESTION]...", help="Questions. Default: one a line, from a prompt.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            help="A turn before the question; repeatable, oldest first. It counts if encoder or core were trained with "
            "earlier turns."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only answers with this language, source, license or metadata.KEY; repeatable.",
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", "--top", min=1, help="Largest number of answers.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each question.")] = False,
    unanswered: Annotated[
        Path | None, typer.Option(help="File to which questions without an answer are appended, for `review`.")
    ] = None,
) -> None:
    """Answer questions, or say that there is no answer and what the assistant knows about."""
    from cube_model.inference.ask import read_conditions

    conditions = read_conditions(where or [])
    from cube_model.assistant.assistant import DialogueAssistant, Request

    opened = DialogueAssistant.from_pretrained(assistant, unanswered=unanswered)
    lines = questions if questions else (line.strip() for line in sys.stdin)
    for line in lines:
        if not line and not questions:
            continue
        (answer,) = opened.reply_many([Request(line, context or (), conditions or None, k)])
        if as_json:
            typer.echo(json.dumps({"question": line, **asdict(answer)}, ensure_ascii=False))
        else:
            _show_reply(line, answer)


@assistant_app.command()
def add(
    assistant: _Folder,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Own questions and answers, or a filled-in review.")
    ] = None,
    question: Annotated[str | None, typer.Option(help="A question.")] = None,
    answer: Annotated[str | None, typer.Option(help="Its answer.")] = None,
    language: Annotated[str, typer.Option(help="BCP 47 tag of texts that name no language.")] = "und",
) -> None:
    """Add questions and answers, without building the assistant again."""
    if bool(files) == (question is not None or answer is not None):
        raise ModelError("pass either files, or both --question Q and --answer A")
    if not files and (question is None or answer is None):
        raise ModelError("--question and --answer belong together: pass both")
    from cube_model.assistant.changes import add_files, add_pair

    if files:
        added = add_files(assistant, files, language)
    else:
        added = add_pair(assistant, str(question), str(answer), language)
    _show_change(assistant, f"{added:,} added")


@assistant_app.command()
def remove(
    assistant: _Folder,
    ids: Annotated[list[str], typer.Option("--id", help="Id of an answer, as `reply --json` shows it; repeatable.")],
) -> None:
    """Remove answers, without building the assistant again."""
    from cube_model.assistant.store import AnswerStore

    _show_change(assistant, f"{AnswerStore(assistant).remove(ids):,} removed")


@assistant_app.command()
@takes_options()
def calibrate(config: CalibrateConfig, assistant: _Folder) -> None:
    """Choose the threshold of refusals again, after answers were added or removed.

    A FAQ of at most 1,000 questions is calibrated automatically. An assistant of dialogues needs its dataset again, and
    one with questions out of scope needs their file, since neither is kept in its folder.
    """
    if config.data is not None:
        check_locations(config.data)
    from cube_model.assistant.assistant import DialogueAssistant
    from cube_model.assistant.recalibration import calibrate_again

    calibrate_again(assistant, config)
    _show_info(DialogueAssistant.from_pretrained(assistant), assistant)


@assistant_app.command()
def review(
    assistant: _Model,
    unanswered: Annotated[
        Path | None, typer.Option(help="Log of unanswered questions, written by `reply --unanswered FILE`.")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="File of marks by `dashboard --annotate`: questions whose answer was wrong, or right."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="CSV or .jsonl to fill in answers; `assistant add FILE` reads it.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of questions to print.")] = 20,
) -> None:
    """List the questions that were not answered, similar ones together, the most frequent first.

    Questions whose answer somebody marked as right are in the file, answered; `assistant add` learns them.
    """
    if unanswered is None and decisions is None:
        raise ModelError("what is reviewed? pass --unanswered FILE, --decisions FILE, or both")
    from cube_model.assistant.assistant import DialogueAssistant
    from cube_model.assistant.judged import JudgedQuestions, judged_questions
    from cube_model.assistant.unanswered import group_questions, read_log, write_review

    opened = DialogueAssistant.from_pretrained(assistant)
    judged = JudgedQuestions([], [], 0) if decisions is None else judged_questions(decisions, opened.folder)
    answered = {row.question for row in judged.right}
    rows = [*([] if unanswered is None else read_log(unanswered)), *judged.wrong]
    groups = group_questions([row for row in rows if row["question"] not in answered], opened.embed)
    if out is not None:
        write_review([*groups, *judged.right], out)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("asked", "question", "nearest question with an answer", title=f"{len(groups)} unanswered questions")
    for group in groups[:top]:
        table.add_row(str(group.count), Text(_shown(group.question)), Text(_shown(group.nearest)))
    Console().print(table)
    if judged.right:
        typer.echo(
            f"{len(judged.right):,} questions have an answer that was marked as right"
            + ("" if out else "; --out FILE writes them with it")
        )
    if judged.stale:
        typer.echo(f"{judged.stale:,} marks are about answers that the assistant no longer has")


def _shown(question: str) -> str:
    """The start of a question for the terminal; it may have 20,000 characters."""
    return visible(question if len(question) <= _LONGEST_SHOWN else f"{question[:_LONGEST_SHOWN]} ...")


def _show_reply(question: str, reply: Reply) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not reply.is_known:
        topics = "; ".join(topic.name for topic in reply.topics)
        refusal = f"I do not know ({reply.confidence:.2f}). Ask me about: {topics}"
        console.print(Text(f"{_shown(question)}\n{visible(refusal)}"))
        return
    title = Text(_shown(question))
    table = Table("confidence", "answer", "question", "source", "licence", title=title, title_justify="left")
    for answer in reply.answers:
        more = f" (and {answer.similar} like it)" if answer.similar else ""
        parts = (answer.text + more, answer.question, answer.source, answer.license or "unknown")
        table.add_row(f"{answer.confidence:.2f}", *(Text(visible(part)) for part in parts))
    console.print(table)


def _show_info(assistant: DialogueAssistant, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    info = assistant.info
    record: dict[str, Any] = info["calibration"]
    table = Table("on the calibration questions", title=f"{out}: {info['answers']:,} questions with an answer")
    table.add_column("", justify="right")
    for name, value in record["figures"].items():
        if name == "right_of_answered" and not record["answers_known"]:
            name = "answerable of answered"
        table.add_row(name.replace("_", " "), "-" if value is None else f"{value:.3f}")
    console = Console()
    console.print(table)
    kinds = ", ".join(f"{count:,} questions ({kind})" for kind, count in record["questions"].items())
    promise = (
        f"at most {record['guarantee']:.0%} of answerable questions are refused" if record["guarantee"] else "nothing"
    )
    console.print(
        f"Calibrated on {kinds}; method: {record['method']}. Promised: {promise}.", highlight=False, markup=False
    )


def _show_change(assistant: Path, what: str) -> None:
    from cube_model.assistant.recalibration import calibrate_if_cheap
    from cube_model.assistant.store import calibrated_of, read_manifest

    up_to_date = calibrate_if_cheap(assistant)
    manifest = read_manifest(assistant)
    typer.echo(f"{what}; {visible(str(assistant))} is at version {manifest['version']}")
    if not up_to_date:
        version = calibrated_of(manifest)["version"]
        typer.echo(
            f"note: its refusals are calibrated for version {version}; once many answers have changed, run "
            f"`dialogue-cube assistant calibrate --assistant {visible(str(assistant))}`",
            err=True,
        )
