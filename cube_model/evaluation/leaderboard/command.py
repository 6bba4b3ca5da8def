"""The command `dialogue-cube leaderboard`; heavy modules are imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cube_model._command import comma_list, command_line
from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER

if TYPE_CHECKING:
    from cube_model.evaluation.leaderboard.board import LeaderboardConfig


def leaderboard(
    data: Annotated[str, typer.Option(help="Dataset: folder or Hub repository.")],
    json_file: Annotated[
        Path, typer.Option("--json", help="Write the figures to this file; finished parts are kept beside it.")
    ],
    teacher: Annotated[
        str, typer.Option(help="Frozen encoder: short name, folder or Hub repository.")
    ] = DEFAULT_TEACHER,
    sources: Annotated[str | None, typer.Option(help="Corpora, by commas. Default: all.")] = None,
    leave_out: Annotated[
        str | None, typer.Option(help="Zero-shot: train on the other sources, test on this one.")
    ] = None,
    context_turns: Annotated[int, typer.Option(min=0, help="Earlier turns given to the methods.")] = 0,
    train_sizes: Annotated[str, typer.Option(help="Training pairs, by commas.")] = "1000,10000,all",
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds.")] = 3,
    methods: Annotated[str | None, typer.Option(help="Methods, by commas. Default: all.")] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Parameters of maps of free size. Default: those of the core.")
    ] = None,
    draws: Annotated[int, typer.Option(min=1, help="Shuffles of the test pairs that are averaged.")] = 3,
    max_test_pairs: Annotated[int | None, typer.Option(min=2, help="At most so many test pairs.")] = None,
    max_validation_pairs: Annotated[
        int, typer.Option(min=2, help="Pairs to choose settings and epochs by, at most.")
    ] = 5_000,
    tuning_pairs: Annotated[
        int, typer.Option(min=2, help="Training pairs, at most, of the fits that settings are chosen from.")
    ] = 10_000,
    teacher_dtype: Annotated[
        str, typer.Option(help="float32, bfloat16, float16, or auto: bfloat16 where the processor has it.")
    ] = "auto",
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy against parameters: a .png, .svg or .pdf.")] = None,
    card: Annotated[Path | None, typer.Option(help="Write the core's figures as model-card metadata (YAML).")] = None,
) -> None:
    """Compare the core with baselines of all kinds on the same frozen vectors.

    Word overlap (BM25, TF-IDF), the identity (SIM), ridge, Procrustes, PolyAI's MAP with its grid search, and low-rank,
    Monarch and perceptron maps with as many parameters as the core. All are tuned on validation pairs with the same
    effort. Stopped runs go on where they were when started again with the same `--json`.
    """
    from cube_model.evaluation.leaderboard.board import Leaderboard, LeaderboardConfig
    from cube_model.evaluation.leaderboard.plots import check_plot

    if plot is not None:
        check_plot(plot)
    if not json_file.absolute().parent.is_dir():
        raise ModelError(f"--json {json_file}: there is no folder {json_file.absolute().parent}; make it first")
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
    board = Leaderboard(config, json_file.with_name(f"{json_file.name}.cells"), progress=True)
    output = {"command": _command(config), **board.run()}
    _write(output, json_file, plot, card)


def _write(output: dict[str, Any], json_file: Path, plot: Path | None, card: Path | None) -> None:
    from rich.console import Console

    from cube_model.evaluation.leaderboard import tables
    from cube_model.evaluation.leaderboard.plots import plot_leaderboard
    from dataset_builders.common.outputs import write_json

    results = output["results"]
    write_json(json_file, output, ModelError)
    for source in tables.sources(results):
        zero_shot = ", zero-shot" if results[0]["zero_shot"] else ""
        title = f"{source}, {output['encoder']['name']}, {1 + results[0]['context_turns']} turns{zero_shot}"
        Console().print(tables.leaderboard_table(results, source, title))
        if any(each["source"] == source for each in output["differences"]):
            Console().print(tables.differences_table(output["differences"], source))
    if plot is not None:
        plot_leaderboard(results, tables.sources(results)[0], plot)
    if card is not None:
        from huggingface_hub import ModelCardData

        data = ModelCardData(model_name="cube-core", eval_results=tables.eval_results(results) or None)
        card.write_text(data.to_yaml() + "\n", encoding="utf-8")


def _command(config: LeaderboardConfig) -> str:
    """The command that gives these figures again."""
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
    """`"1000,10000,all"` -> `[1000, 10000, None]`."""
    sizes: list[int | None] = []
    for part in comma_list(text) or ["all"]:
        number = part.replace("_", "")
        if part != "all" and not (number.isdigit() and int(number) >= 2):
            raise ModelError(f"--train-sizes {part}: expected numbers of 2 or more, or all, by commas: 1000,10000,all")
        sizes.append(None if part == "all" else int(number))
    return sizes
