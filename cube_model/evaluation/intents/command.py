"""The command `dialogue-cube evaluate intents`; heavy modules are imported when it runs."""

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
        str | None, typer.Option(help="Trained core whose question side is judged: folder or Hub repository.")
    ] = None,
    sources: Annotated[str | None, typer.Option(help="Intent sets, by commas. Default: all.")] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="By commas: mteb, 5-shot, 10-shot, knn, prototype, linear, oos, clustering. Default: all.",
        ),
    ] = None,
    language: Annotated[str | None, typer.Option(help="Languages, by commas: en is also en-US. Default: all.")] = None,
    labels: Annotated[str, typer.Option(help="What is predicted, by commas: intent, scenario.")] = "intent,scenario",
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Seeds: of the few-shot sampler (default 1: MTEB's) and of k-means (default 5)."),
    ] = None,
    dtype: Annotated[
        str, typer.Option(help="Precision of the encoder: float32 as published, bfloat16, float16 or auto.")
    ] = "float32",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file; finished parts are kept beside it.")
    ] = None,
) -> None:
    """Judge an encoder, or a core on top of it, by the intents of short utterances.

    mteb: MTEB's protocol, as its code does it (logistic regression on 8 utterances of each intent, ten draws); 5-shot
    and 10-shot: the same with 5 and 10; knn, prototype, linear: all training utterances; oos: is an utterance of no
    intent noticed; clustering: k-means of the test utterances. Every figure with and without the test rows whose text
    stands in an official training split. Stopped runs go on where they were when started again with the same `--json`.
    """
    from rich.console import Console

    from cube_model.evaluation.intents.run import IntentsConfig, run_intents
    from cube_model.evaluation.intents.tables import NOTE, intents_table
    from dataset_builders.common.outputs import write_json

    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise ModelError(f"--json {json_file}: there is no folder {json_file.absolute().parent}; make it first")
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
    cells = json_file.with_name(f"{json_file.name}.cells") if json_file else None
    output = {"command": _command(config), **run_intents(config, cells, progress=True)}
    if json_file is not None:
        write_json(json_file, output, ModelError)
    results = output["results"]
    console = Console()
    console.print(intents_table(results, f"{data}, {output['encoder']['name']}, {results[0]['method']}"))
    console.print(NOTE, style="dim", highlight=False)


def _command(config: IntentsConfig) -> str:
    """The command that gives these figures again."""
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
