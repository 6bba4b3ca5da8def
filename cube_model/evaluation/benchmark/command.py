"""The command `dialogue-cube benchmark`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cube_model._command import check_locations
from cube_model.errors import ModelError
from cube_model.evaluation.benchmark.config import BenchmarkConfig
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.reading import read_json


@takes_options()
def benchmark(
    config: BenchmarkConfig,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the results to this file; finished parts are cached next to it."),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Measure nothing: print FILES, the results of --json, side by side.")
    ] = False,
    files: Annotated[list[Path] | None, typer.Argument(help="Results to compare.", show_default=False)] = None,
) -> None:
    """Judge a dialogue encoder, or a core on top of one: one table, each figure with its 95 % interval.

    responses: the true answer among 100, and among all, from the question and with context; intents: all protocols of
    `evaluate intents`; actions: acts and slots by few-shot prototypes, as Dialog2Flow; dialogues: domains, the next
    act, nearest dialogues; cost: parameters, speed. Test splits only; what is learnt is learnt from train. Sources of
    the encoder's training are shown apart. To resume an interrupted run, start it again with the same `--json`.
    """
    if compare != bool(files):
        raise ModelError("--compare takes the files to compare: dialogue-cube benchmark --compare A.json B.json")
    if files:
        _show([_read(file) for file in files], "benchmark")
        return
    check_locations(config.data, config.model)
    from cube_model.evaluation.benchmark.run import run_benchmark
    from cube_model.evaluation.cells import run_to_file

    output = run_to_file(json_file, "benchmark", config, lambda folder: run_benchmark(config, folder, progress=True))
    _show([output], config.data or "benchmark")


def _show(outputs: list[dict[str, Any]], title: str) -> None:
    from rich.console import Console

    from cube_model.evaluation.benchmark.tables import NOTES, benchmark_table

    console = Console()
    console.print(benchmark_table(outputs, title))
    for line in NOTES:
        console.print(line, style="dim", highlight=False, markup=False)
    for left_out in (each for output in outputs for each in output["left_out"]):
        line = f"left out: {left_out['task']} ({left_out['reason']})"
        console.print(line, style="dim", highlight=False, markup=False)


def _read(file: Path) -> dict[str, Any]:
    from cube_model.evaluation.benchmark.tables import benchmark_table

    output: dict[str, Any] = read_json(file, "give a file of `dialogue-cube benchmark --json`", error=ModelError)
    try:
        benchmark_table([output], "")
        if not all(isinstance(each["task"] + each["reason"], str) for each in output["left_out"]):
            raise TypeError
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{file}: not a result of the benchmark; write one with `dialogue-cube benchmark --json`"
        ) from error
    return output
