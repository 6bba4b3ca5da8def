"""The command `dialogue-cube leaderboard`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cube_model._command import check_folder_of, check_locations, command_line
from cube_model.errors import ModelError
from cube_model.evaluation.leaderboard.config import LeaderboardConfig
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.file_kinds import FIGURES, MARK, file_kind
from dataset_builders.common.outputs import optional_file, output_file, write_json

_CARD_MARK = f"# by {MARK} leaderboard\n"
_CARD_FILE = file_kind("model card metadata", _CARD_MARK.encode(), mark=_CARD_MARK, error=ModelError)


@takes_options()
def leaderboard(
    config: LeaderboardConfig,
    json_file: Annotated[
        Path, typer.Option("--json", help="Write the results to this file; finished parts are cached next to it.")
    ],
    plot: Annotated[
        Path | None,
        typer.Option(help="Plot accuracy, parameters, differences to the core: .png, .svg or .pdf."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="Write the core's results to this file as model card metadata (YAML).")
    ] = None,
) -> None:
    """Compare the core with baselines on the same frozen embeddings.

    The baselines are word overlap (BM25, TF-IDF), the identity (SIM), ridge regression, Procrustes, PolyAI's MAP with
    its grid search, and low-rank, Monarch and perceptron maps with as many parameters as the core. All are tuned on
    validation pairs with the same effort. To resume an interrupted run, start it again with the same `--json`.
    """
    check_locations(config.data)
    check_folder_of(json_file)
    from cube_model.evaluation.leaderboard.board import Leaderboard
    from cube_model.evaluation.leaderboard.plots import check_plot

    if plot is not None:
        check_plot(plot)
    with (
        output_file(json_file, FIGURES.raising(ModelError)) as file,
        optional_file(card, _CARD_FILE) as card_file,
    ):
        board = Leaderboard(config, json_file.with_name(f"{json_file.name}.cells"), progress=True)
        output = {"command": command_line("leaderboard", config), **board.run()}
        write_json(file, output)
        if card_file is not None:
            _write_card(output["results"], card_file)
    _show(output, plot)


def _write_card(results: list[dict[str, Any]], file: Path) -> None:
    from huggingface_hub import ModelCardData

    from cube_model.evaluation.leaderboard import tables

    data = ModelCardData(model_name="cube-core", eval_results=tables.eval_results(results) or None)
    file.write_text(f"{_CARD_MARK}{data.to_yaml()}\n", encoding="utf-8")


def _show(output: dict[str, Any], plot: Path | None) -> None:
    from rich.console import Console

    from cube_model.evaluation.leaderboard import tables
    from cube_model.evaluation.leaderboard.plots import plot_leaderboard

    results = output["results"]
    for source in tables.sources(results):
        zero_shot = ", zero-shot" if results[0]["zero_shot"] else ""
        title = f"{source}, {output['encoder']['name']}, {1 + results[0]['context_turns']} turns{zero_shot}"
        Console().print(tables.leaderboard_table(results, source, title))
        if any(each["source"] == source for each in output["differences"]):
            Console().print(tables.differences_table(output["differences"], source))
    if plot is not None:
        plot_leaderboard(results, output["differences"], tables.sources(results)[0], plot)
