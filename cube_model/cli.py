"""The model's sub-commands of the console command; heavy modules are imported when a command runs."""

from __future__ import annotations

from typing import Annotated

import typer

from cube_model.assistant.command import assistant_app
from cube_model.data.embed.config import EmbedConfig
from cube_model.embedder.config import EmbedderConfig
from cube_model.errors import ModelError
from cube_model.evaluation.benchmark.command import benchmark
from cube_model.evaluation.command import response_selection
from cube_model.evaluation.intents.command import intents
from cube_model.evaluation.leaderboard.command import leaderboard
from cube_model.flow.command import flow
from cube_model.inference.ask import ask
from cube_model.inference.export import export
from cube_model.intents.command import predict_intents, suggest_intents, train_intents
from cube_model.serving.command import serve
from cube_model.training.config import TrainingConfig
from cube_model.vectors.cli import cache_app
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.execution import ExecutionSettings

_Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of processes.",
        show_default="what `accelerate config` has saved, else one for each graphics card",
    ),
]


def register(app: typer.Typer) -> None:
    """Add this package's commands to the console command."""
    app.command("embed")(embed)
    app.command("train")(train)
    app.command("train-encoder")(train_encoder)
    app.command("ask")(ask)
    evaluate = typer.Typer(no_args_is_help=True, help="Evaluate encoders and trained cores.", rich_markup_mode="rich")
    evaluate.command("response-selection")(response_selection)
    evaluate.command("intents")(intents)
    app.add_typer(evaluate, name="evaluate")
    app.command("leaderboard")(leaderboard)
    app.command("benchmark")(benchmark)
    app.command("flow")(flow)
    app.command("suggest-intents")(suggest_intents)
    app.command("train-intents")(train_intents)
    app.command("predict-intents")(predict_intents)
    app.command("serve")(serve)
    app.command("export")(export)
    app.add_typer(assistant_app, name="assistant")
    app.add_typer(cache_app, name="cache")


@takes_options()
def embed(config: EmbedConfig, execution: ExecutionSettings, processes: _Processes = None) -> None:
    """Write the vectors of all distinct texts of a dataset, which other commands read with `--vectors`.

    To go on after an interruption, run the same command again: finished shards are kept. For other ways to start
    several processes: `accelerate launch -m cube_model.data.embed`, which takes the same options.
    """
    from cube_model.data.embed.command import embed_texts
    from cube_model.training.launch import launch

    if execution.executor != "local" or execution.scratch is not None:
        if processes is not None:
            raise ModelError("--processes starts processes of this machine: leave it out with --executor and --scratch")
        embed_texts(config, execution)
        return
    launch(embed_texts, "cube_model.data.embed", config, processes)


@takes_options(data=..., output=..., context_turns=0)
def train(config: TrainingConfig, processes: _Processes = None) -> None:
    """Train a 3D cubic core on the question -> answer pairs of a dataset.

    The train split trains, the validation split selects the best epoch (a small one does so with the train split, by
    cross-validation), the test split is never read. For other ways to start several processes (several machines,
    DeepSpeed): `accelerate launch -m cube_model.train`, which takes the same options.
    """
    from cube_model.training.command import train_core
    from cube_model.training.launch import launch

    launch(train_core, "cube_model.train", config, processes)


@takes_options()
def train_encoder(config: EmbedderConfig, processes: _Processes = None) -> None:
    """Fine-tune a text encoder contrastively on the question -> answer pairs of a dataset.

    Only the train split is read, without the pairs that are flagged as leaks. The result is a SentenceTransformer. For
    other ways to start several processes: `accelerate launch -m cube_model.embedder`, which takes the same options.
    """
    from cube_model.embedder.__main__ import fine_tune
    from cube_model.training.launch import launch

    launch(fine_tune, "cube_model.embedder", config, processes)
