"""The command `dialogue-cube evaluate response-selection`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cube_model._command import check_locations, command_line
from cube_model.errors import ModelError
from cube_model.evaluation.config import ResponseSelectionConfig
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.file_kinds import FIGURES
from dataset_builders.common.outputs import optional_file, write_json


@takes_options()
def response_selection(
    config: ResponseSelectionConfig,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
) -> None:
    """Evaluate an encoder, or a core on top of it, by response selection: the true answer among 100, and among all.

    The identity (what an untrained core does: the encoder alone) is evaluated on the same vectors and batches. 95 %
    intervals are bootstrapped over dialogues. With several sources there are results for each and for all together.
    """
    check_locations(config.data, config.model)
    from cube_model.evaluation.run import run_response_selection
    from cube_model.evaluation.tables import show

    with optional_file(json_file, FIGURES.raising(ModelError)) as file:
        reports, output = run_response_selection(config, progress=True)
        if file is not None:
            write_json(file, {"command": command_line("evaluate response-selection", config), **output})
    show(reports, f"{config.data}, {config.split}", output["sources"])
