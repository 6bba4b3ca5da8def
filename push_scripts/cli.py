"""`dialogue-cube push dataset | model | metric`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from push_scripts.push_options import with_push_options

if TYPE_CHECKING:
    from rich.console import Console

    from push_scripts.hub import Published
    from push_scripts.license_gate import GateReport

Repo = Annotated[str, typer.Option("--repo", metavar="ORG/NAME", help="Repository; made when it is missing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List what would go, contact no server.")]


@with_push_options
def dataset(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder that `dialogue-cube build` wrote.")],
    repo: Repo,
    dry_run: DryRun = False,
    **how: Any,
) -> None:
    """Publish a built dataset in one commit; rows that may not be redistributed stay here."""
    from push_scripts.push_dataset import push_dataset

    done = push_dataset(data, repo, dry_run=dry_run, **how)
    _show(repo, done.sizes, done.published, done.gate)


@with_push_options
def model(
    model: Annotated[
        Path, typer.Option("--model", metavar="DIR", help="Folder that a training or `dialogue-cube export` wrote.")
    ],
    repo: Repo,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--results", metavar="FILE", help="JSON of an evaluation; its figures go into the card. May be repeated."
        ),
    ] = None,
    index: Annotated[
        Path | None,
        typer.Option("--index", metavar="DIR", help="Saved answer index; its free answers go along."),
    ] = None,
    dry_run: DryRun = False,
    **how: Any,
) -> None:
    """Publish a trained core, an embedder or an export with its code and a filled model card in one commit."""
    from push_scripts.push_model import push_model

    done = push_model(model, repo, results=results or [], index=index, dry_run=dry_run, **how)
    _show(repo, done.sizes, done.published, done.gate)


@with_push_options
def metric(
    repo: Repo,
    dry_run: DryRun = False,
    **how: Any,
) -> None:
    """Publish the metrics as a Space that `evaluate.load("ORG/NAME", "mrr")` loads without this package."""
    from push_scripts.push_metric import push_metric

    done = push_metric(repo, dry_run=dry_run, **how)
    _show(repo, done.sizes, done.published)


COMMANDS: dict[str, Callable[..., None]] = {"dataset": dataset, "model": model, "metric": metric}


def register(app: typer.Typer) -> None:
    """Mounts the group `push`."""
    group = typer.Typer(help="Publish a dataset, a model or the metrics on the Hugging Face Hub.", no_args_is_help=True)
    for name, command in COMMANDS.items():
        group.command(name)(command)
    app.add_typer(group, name="push")


def _show(repo: str, sizes: dict[str, int], published: Published | None, gate: GateReport | None = None) -> None:
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
    if gate and gate.held:
        _show_held(console, gate)
    if published is None:
        console.print("Dry run: no server was contacted.")
    else:
        if not published.changed:
            console.print("Nothing new: it holds exactly this already.")
        console.print(f"{published.url}\nloads with revision={published.revision!r}", soft_wrap=True, markup=False)


def _show_held(console: Console, gate: GateReport) -> None:
    from rich.table import Table

    table = Table("source", "config", title="Rows held back: they may not be redistributed", style="yellow")
    table.add_column("rows", justify="right")
    for source, configs in gate.held_by_source().items():
        for config, rows in configs.items():
            table.add_row(source, config, f"{rows:,}")
    table.add_row("all", "", f"{sum(gate.held.values()):,}", style="bold")
    console.print(table)
