"""The command `dialogue-cube evaluate intents`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cube_model._command import check_locations
from cube_model.evaluation.intents.config import IntentsConfig
from dataset_builders.common.command_options import takes_options


@takes_options()
def intents(
    config: IntentsConfig,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the results to this file; finished parts are cached next to it."),
    ] = None,
) -> None:
    """Evaluate how well an encoder, or a core on top of it, separates the intents of short utterances.

    mteb: MTEB's protocol, exactly as its code implements it (logistic regression on 8 utterances per intent, ten
    draws); 1-shot, 5-shot and 10-shot: the same with 1, 5 and 10 utterances; knn, prototype, linear: classifiers on
    all training utterances; oos: detection of out-of-scope utterances; clustering: k-means on the test utterances.
    Each metric is reported with and without the test rows whose text also occurs in an official training split. To
    resume an interrupted run, start it again with the same `--json`.
    """
    check_locations(config.data, config.model)
    from rich.console import Console

    from cube_model.evaluation.cells import run_to_file
    from cube_model.evaluation.intents.run import run_intents
    from cube_model.evaluation.intents.tables import NOTE, intents_table, left_out_lines

    output = run_to_file(
        json_file, "evaluate intents", config, lambda folder: run_intents(config, folder, progress=True)
    )
    results = output["results"]
    console = Console()
    console.print(intents_table(results, f"{config.data}, {output['encoder']['name']}, {results[0]['method']}"))
    for line in [NOTE, *left_out_lines(output["left_out"])]:
        console.print(line, style="dim", highlight=False, markup=False)
