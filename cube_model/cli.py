"""The model's sub-commands of the console command; heavy modules are imported when a command runs."""

from __future__ import annotations

import typer

from cube_model.evaluation.command import response_selection
from cube_model.evaluation.intents.command import intents
from cube_model.evaluation.leaderboard.command import leaderboard
from cube_model.inference.ask import ask
from cube_model.inference.export import export
from cube_model.vectors.cli import cache_app


def register(app: typer.Typer) -> None:
    """Add this package's commands to the console command."""
    app.command("ask")(ask)
    evaluate = typer.Typer(no_args_is_help=True, help="Evaluate encoders and trained cores.", rich_markup_mode="rich")
    evaluate.command("response-selection")(response_selection)
    evaluate.command("intents")(intents)
    app.add_typer(evaluate, name="evaluate")
    app.command("leaderboard")(leaderboard)
    app.command("export")(export)
    app.add_typer(cache_app, name="cache")
