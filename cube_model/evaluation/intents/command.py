"""The command `dialogue-cube evaluate intents`; imports heavy modules only when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cube_model._command import comma_list, command_line
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.evaluation.intents.run import IntentsConfig


def intents(
    data: Annotated[str, typer.Option(help="Dataset: folder or Hub repository.")],
    encoder: Annotated[
        str | None,
        typer.Option(help="Encoder: short name, folder or Hub repository. Default: minilm, or the core's teacher."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Trained core whose question encoding is evaluated: folder or Hub repository.")
    ] = None,
    sources: Annotated[str | None, typer.Option(help="Intent sets, comma-separated. Default: all.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: mteb, 5-shot, 10-shot, knn, prototype, linear, oos, clustering. Default: all.",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Languages, comma-separated; en includes en-US. Default: all.")
    ] = None,
    labels: Annotated[
        str, typer.Option(help="Kinds of label to predict, comma-separated: intent, scenario.")
    ] = "intent,scenario",
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds. Default: 1 (MTEB's) for the few-shot sampler, 5 for k-means."),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(help="Precision of the encoder: float32 (as in published results), bfloat16, float16 or auto."),
    ] = "float32",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the results to this file; finished parts are cached next to it."),
    ] = None,
) -> None:
    """Evaluate how well an encoder, or a core on top of it, separates the intents of short utterances.

    mteb: MTEB's protocol, exactly as its code implements it (logistic regression on 8 utterances per intent, ten
    draws); 5-shot and 10-shot: the same with 5 and 10 utterances; knn, prototype, linear: classifiers on all training
    utterances; oos: detection of out-of-scope utterances; clustering: k-means on the test utterances. Each metric is
    reported with and without the test rows whose text also occurs in an official training split. To resume an
    interrupted run, start it again with the same `--json`.
    """
    from rich.console import Console

    from cube_model.evaluation.intents.run import IntentsConfig, run_intents
    from cube_model.evaluation.intents.tables import NOTE, intents_table
    from dataset_builders.common.outputs import JSON_FILE, optional_file, write_json

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise ModelError(
            f"--json {json_file}: the folder {json_file.absolute().parent} does not exist; create it first"
        )
    config = IntentsConfig(
        data=data,
        encoder=encoder,
        model=model,
        sources=comma_list(sources),
        languages=comma_list(language),
        protocols=comma_list(protocol),
        predicts=comma_list(labels) or ["intent"],
        seeds=seeds,
        dtype=dtype,
    )
    results_folder = json_file.with_name(f"{json_file.name}.cells") if json_file else None
    with optional_file(json_file, JSON_FILE.raising(ModelError)) as file:
        output = {"command": _command(config), **run_intents(config, results_folder, progress=True)}
        if file is not None:
            write_json(file, output)
    results = output["results"]
    console = Console()
    console.print(intents_table(results, f"{data}, {output['encoder']['name']}, {results[0]['method']}"))
    console.print(NOTE, style="dim", highlight=False)


def _command(config: IntentsConfig) -> str:
    """Return the command line that reproduces these results."""
    return command_line(
        "evaluate intents",
        {
            "data": config.data,
            "encoder": config.encoder,
            "model": config.model,
            "sources": config.sources,
            "protocol": config.protocols,
            "language": config.languages,
            "labels": config.predicts,
            "seeds": config.seeds,
            "dtype": config.dtype,
        },
    )
