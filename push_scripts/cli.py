"""`dialogue-cube push dataset | model | assistant | metric | space`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dataset_builders.common.command_options import takes_options
from push_scripts.push_options import PushOptions

if TYPE_CHECKING:
    from rich.console import Console

    from push_scripts.hub import Published
    from push_scripts.license_gate import GateReport

Repo = Annotated[str, typer.Option("--repo", metavar="ORG/NAME", help="Repository, created if missing.")]


@takes_options(leave_out=["restricted_data"])
def dataset(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder written by `dialogue-cube build`.")],
    repo: Repo,
    options: PushOptions,
) -> None:
    """Publish a dataset in one commit; rows that may not be redistributed are held back."""
    from push_scripts.push_dataset import push_dataset

    pushed = push_dataset(data, repo, options)
    _show(repo, pushed.sizes, pushed.published, pushed.gate, options.card)


@takes_options()
def model(
    model: Annotated[
        Path, typer.Option("--model", metavar="DIR", help="Folder written by a training or `dialogue-cube export`.")
    ],
    repo: Repo,
    options: PushOptions,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results", metavar="FILE", help="JSON of an evaluation, for the figures of the card; repeatable."
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option(
            "--index", metavar="DIR", help="Saved answer index; publishes the answers that may be redistributed."
        ),
    ] = None,
) -> None:
    """Publish a trained core, an encoder or an export with its code and a filled model card in one commit."""
    from push_scripts.push_model import push_model

    pushed = push_model(model, repo, options, results=results or [], index=index)
    _show(repo, pushed.sizes, pushed.published, pushed.gate, options.card)


@takes_options()
def assistant(
    assistant: Annotated[
        Path, typer.Option("--assistant", metavar="DIR", help="Folder written by `dialogue-cube assistant build`.")
    ],
    repo: Repo,
    options: PushOptions,
) -> None:
    """Publish an assistant in one commit; one with answers that may not be redistributed is refused."""
    from push_scripts.push_assistant import push_assistant

    pushed = push_assistant(assistant, repo, options)
    _show(repo, pushed.sizes, pushed.published, card=options.card)


@takes_options(leave_out=["card", "restricted_data"])
def metric(repo: Repo, options: PushOptions) -> None:
    """Publish the metrics as a Space that `evaluate.load("ORG/NAME", "mrr")` loads without this package."""
    from push_scripts.push_metric import push_metric

    pushed = push_metric(repo, options)
    _show(repo, pushed.sizes, pushed.published)


@takes_options(leave_out=["card", "restricted_data"])
def space(
    kind: Annotated[
        Literal["gradio", "dashboard"], typer.Option(help="An app that asks a core, or the dashboard of a dataset.")
    ],
    repo: Repo,
    data: Annotated[str, typer.Option("--data", metavar="ORG/NAME", help="Dataset repository that the Space reads.")],
    options: PushOptions,
    model: Annotated[
        str | None, typer.Option("--model", metavar="ORG/NAME", help="Repository of the core; for --kind gradio.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Repository of the core's teacher.", show_default="the one that the core records")
    ] = None,
    max_answers: Annotated[int, typer.Option(min=1, help="Number of answers that the app searches.")] = 5000,
    output: Annotated[
        Path | None, typer.Option(help="Folder to write the Space to, to try it; with --dry-run only there.")
    ] = None,
) -> None:
    """Publish a Space in one commit: a Gradio app (ask, intents, conversation), or the dashboard in a container."""
    from push_scripts.push_space import push_space

    pushed = push_space(
        kind, repo, data, model=model, teacher=teacher, max_answers=max_answers, output=output, options=options
    )
    _show(repo, pushed.sizes, pushed.published)


def register(app: typer.Typer) -> None:
    """Add this package's commands to the console command."""
    group = typer.Typer(
        help="Publish a dataset, a model, the metrics or a Space on the Hugging Face Hub.", no_args_is_help=True
    )
    for command in (dataset, model, assistant, metric, space):
        group.command(command.__name__)(command)
    app.add_typer(group, name="push")


def _show(
    repo: str,
    sizes: dict[str, int],
    published: Published | None,
    gate: GateReport | None = None,
    card: str | None = None,
) -> None:
    from rich.console import Console
    from rich.filesize import decimal
    from rich.table import Table

    console = Console()
    table = Table("file", title=f"{'Pushed' if published else 'Would be pushed'} to {repo}")
    table.add_column("size", justify="right")
    for path, size in sizes.items():
        table.add_row(path, decimal(size))
    table.add_row(f"{len(sizes)} files", decimal(sum(sizes.values())), style="bold")
    console.print(table)
    if gate and gate.held_back:
        _show_held_back(console, gate)
    if card:
        console.print(f"The card is in {card}", soft_wrap=True, markup=False, highlight=False)
    if published is None:
        console.print("Dry run: no server was contacted.")
    else:
        if not published.changed:
            console.print("Nothing new: the repository already holds exactly this.")
        console.print(f"{published.url}\nloads with revision={published.revision!r}", soft_wrap=True, markup=False)


def _show_held_back(console: Console, gate: GateReport) -> None:
    from rich.table import Table

    table = Table("source", "config", title="Rows held back: they may not be redistributed", style="yellow")
    table.add_column("rows", justify="right")
    for source, configs in gate.held_back_by_source().items():
        for config, rows in configs.items():
            table.add_row(source, config, f"{rows:,}")
    table.add_row("all", "", f"{sum(gate.held_back.values()):,}", style="bold")
    console.print(table)
    for source, count in sorted(gate.copies.items()):
        console.print(f"{source}: {count:,} dialogues or utterances repeat rows that may not be redistributed")
