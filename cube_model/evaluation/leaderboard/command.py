"""The command `dialogue-cube leaderboard`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cube_model._command import comma_list, command_line
from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER
from dataset_builders.common.outputs import JSON_FILE, file_kind, optional_file, output_file, write_json

if TYPE_CHECKING:
    from cube_model.evaluation.leaderboard.board import LeaderboardConfig

_CARD_FILE = file_kind("model card metadata", b"model-index:", b"model_name:", error=ModelError)


def leaderboard(
    data: Annotated[str, typer.Option(help="Dataset: folder or Hub repository.")],
    json_file: Annotated[
        Path, typer.Option("--json", help="Write the results to this file; finished parts are cached next to it.")
    ],
    teacher: Annotated[
        str, typer.Option(help="Frozen encoder: short name, folder or Hub repository.")
    ] = DEFAULT_TEACHER,
    sources: Annotated[str | None, typer.Option(help="Sources, comma-separated. Default: all.")] = None,
    leave_out: Annotated[
        str | None, typer.Option(help="Zero-shot: train on the other sources, test on this one.")
    ] = None,
    context_turns: Annotated[int, typer.Option(min=0, help="Number of context turns that the methods may read.")] = 0,
    train_sizes: Annotated[str, typer.Option(help="Numbers of training pairs, comma-separated.")] = "1000,10000,all",
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
    methods: Annotated[str | None, typer.Option(help="Methods, comma-separated. Default: all.")] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Parameters of maps of adjustable size. Default: as many as the core.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Number of shuffles of the test pairs to average over.")] = 3,
    max_test_pairs: Annotated[int | None, typer.Option(min=2, help="Maximum number of test pairs.")] = None,
    max_validation_pairs: Annotated[
        int, typer.Option(min=2, help="Maximum number of pairs that select settings and epochs.")
    ] = 5_000,
    tuning_pairs: Annotated[
        int, typer.Option(min=2, help="Maximum number of training pairs in a search over settings.")
    ] = 10_000,
    teacher_dtype: Annotated[
        str, typer.Option(help="float32, bfloat16, float16, or auto: bfloat16 if the processor supports it.")
    ] = "auto",
    plot: Annotated[
        Path | None, typer.Option(help="Plot accuracy against parameters to this .png, .svg or .pdf file.")
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
    from cube_model.evaluation.leaderboard.board import Leaderboard, LeaderboardConfig
    from cube_model.evaluation.leaderboard.plots import check_plot

    if plot is not None:
        check_plot(plot)
    if not json_file.absolute().parent.is_dir():
        raise ModelError(
            f"--json {json_file}: the folder {json_file.absolute().parent} does not exist; create it first"
        )
    config = LeaderboardConfig(
        data=data,
        teacher=teacher,
        sources=comma_list(sources),
        leave_out=leave_out,
        context_turns=context_turns,
        train_sizes=_sizes(train_sizes),
        seeds=seeds,
        methods=comma_list(methods),
        budget=budget,
        draws=draws,
        max_test_pairs=max_test_pairs,
        max_validation_pairs=max_validation_pairs,
        tuning_pairs=tuning_pairs,
        teacher_dtype=teacher_dtype,
    )
    with (
        output_file(json_file, JSON_FILE.raising(ModelError)) as file,
        optional_file(card, _CARD_FILE) as card_file,
    ):
        board = Leaderboard(config, json_file.with_name(f"{json_file.name}.cells"), progress=True)
        output = {"command": _command(config), **board.run()}
        write_json(file, output)
        if card_file is not None:
            _write_card(output["results"], card_file)
    _show(output, plot)


def _write_card(results: list[dict[str, Any]], file: Path) -> None:
    from huggingface_hub import ModelCardData

    from cube_model.evaluation.leaderboard import tables

    data = ModelCardData(model_name="cube-core", eval_results=tables.eval_results(results) or None)
    file.write_text(data.to_yaml() + "\n", encoding="utf-8")


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
        plot_leaderboard(results, tables.sources(results)[0], plot)


def _command(config: LeaderboardConfig) -> str:
    """Return the command line that reproduces these results."""
    return command_line(
        "leaderboard",
        {
            "data": config.data,
            "teacher": config.teacher,
            "sources": config.sources,
            "leave-out": config.leave_out,
            "context-turns": config.context_turns,
            "train-sizes": ["all" if size is None else size for size in config.train_sizes],
            "seeds": config.seeds,
            "methods": config.methods,
            "budget": config.budget,
            "draws": config.draws,
            "max-test-pairs": config.max_test_pairs,
            "max-validation-pairs": config.max_validation_pairs,
            "tuning-pairs": config.tuning_pairs,
            "teacher-dtype": config.teacher_dtype if config.teacher_dtype != "auto" else None,
        },
    )


def _sizes(text: str) -> list[int | None]:
    """Parse `"1000,10000,all"` as `[1000, 10000, None]`."""
    sizes: list[int | None] = []
    for part in comma_list(text) or ["all"]:
        number = part.replace("_", "")
        if part != "all" and not (number.isdigit() and int(number) >= 2):
            raise ModelError(
                f"--train-sizes {part}: expected numbers of at least 2 or all, comma-separated: 1000,10000,all"
            )
        sizes.append(None if part == "all" else int(number))
    return sizes
