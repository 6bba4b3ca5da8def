"""The steps of the model: dataset -> core -> evaluation -> Hub. They run commands of packages that are not imported."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from dataset_builders.common.command_options import option_words
from dataset_builders.common.errors import DataError
from dataset_builders.common.files import write_whole
from dataset_builders.common.options import effective
from dataset_builders.folder.report import load_report
from dataset_builders.pipeline.code import Code, Entries
from dataset_builders.pipeline.commands import run_command
from dataset_builders.pipeline.context import Context, versions
from dataset_builders.pipeline.data_steps import DATASET, rows_step
from dataset_builders.pipeline.digests import digest_of
from dataset_builders.pipeline.steps import Product, Step

TRAIN = "train"
"""Name of a step."""

_SEVERAL = "--multi_gpu --num_machines 1 --mixed_precision no --dynamo_backend no"
"""Options without which `accelerate launch` asks for a config; `--multi_gpu` also means several CPU processes."""


def evaluation_step(name: str) -> str:
    """Name of the step of an evaluation."""
    return f"evaluate: {name}"


def push_step(what: str) -> str:
    """Name of the step that publishes the dataset or the model."""
    return f"push: {what}"


MODEL_CODE = {
    TRAIN: Entries(("cube_model.train:train",)),
    evaluation_step("response_selection"): Entries(("cube_model.evaluation.command:response_selection",)),
    evaluation_step("intents"): Entries(("cube_model.evaluation.intents.command:intents",)),
    evaluation_step("leaderboard"): Entries(("cube_model.evaluation.leaderboard.command:leaderboard",)),
    push_step("dataset"): Entries(("push_scripts.cli:dataset",)),
    push_step("model"): Entries(("push_scripts.cli:model",)),
}
"""Entry point of each step in the code: the function of its command, including its defaults, but not the code that
registers the command and prints its errors."""


def model_steps(context: Context, sources: list[str], show: Callable[[str], None]) -> list[Step]:
    """The steps in the config, in order.

    Args:
        context: The run.
        sources: Names of all sources; nothing is pushed if one of them failed.
        show: Called with each command before it runs.
    """
    config, source, steps = context.config, Code(context.files), []

    def code(step: str) -> str:
        return source.digest(MODEL_CODE[step])

    if config.train:
        steps.append(_train(context, config.train, code(TRAIN), show))
    if config.evaluate:
        for name in ("response_selection", "intents", "leaderboard"):
            settings = getattr(config.evaluate, name)
            if settings is not None:
                steps.append(_evaluate(context, name, settings, code(evaluation_step(name)), show))
    if config.push:
        earlier = (*map(rows_step, sources), DATASET, *(step.name for step in steps))
        for what in ("dataset", "model"):
            target = getattr(config.push, what)
            if target:
                steps.append(_push(context, what, target, earlier, code(push_step(what)), show))
    return steps


def check_model_steps(context: Context) -> None:
    """Check that the steps fit together, before any work begins.

    Raises:
        DataError: A step lacks its input.
    """
    config = context.config
    if config.train and not {"train", "validation"} <= set(config.splits):
        raise DataError("train: needs the splits train and validation; name both in `splits`")
    selection = config.evaluate and config.evaluate.response_selection
    if selection and (split := effective(selection, "split")) not in config.splits:
        raise DataError(f"evaluate.response_selection.split: {split} is not among `splits`")
    if config.push and config.push.model and not config.train:
        raise DataError("push.model: no core is trained; add the section `train`")
    if config.train and context.place.core.exists() and not (context.place.core / "training.json").is_file():
        raise DataError(f"{context.place.core} exists and is no trained core; name another folder for --out")


def _train(context: Context, settings: Any, code: str, show: Callable[[str], None]) -> Step:
    core, marker = context.place.core, context.place.own / "training_of"

    def inputs() -> dict[str, str]:
        return {
            **_rows_of(context, "pairs/train", "pairs/validation"),
            **_values("train", settings),
            **context.encoder_inputs("train.teacher", effective(settings, "teacher")),
            "code": code,
            **dict(versions("torch", "transformers", "accelerate")),
        }

    def run() -> Product:
        # resume an interrupted training that has the same inputs
        digest = digest_of(f"{name}={value}" for name, value in sorted(inputs().items()))
        interrupted = core.with_name(f".{core.name}.training").exists()
        resumes = interrupted and marker.exists() and marker.read_text(encoding="utf-8") == digest
        write_whole(marker, digest)
        launch = ["python"]
        if settings.processes > 1:
            launch = ["accelerate", "launch", "--num_processes", str(settings.processes), *_SEVERAL.split()]
        words = [*launch, "-m", "cube_model.train", "--data", context.place.dataset, "--output", core]
        words += [*option_words(settings, ["processes"]), "--overwrite", *(["--resume"] if resumes else [])]
        run_command(words, show)
        marker.unlink()
        weights = [path for path in sorted(core.iterdir()) if path.suffix in (".safetensors", ".json")]
        return Product(digest_of(context.files.of(path) for path in weights if path.name != "training.json"))

    return Step(TRAIN, inputs, run, (core,), needs=(DATASET,))


def _evaluate(context: Context, name: str, settings: Any, code: str, show: Callable[[str], None]) -> Step:
    config, out = context.config, context.place.evaluation(name)
    assert config.evaluate is not None
    encoder = effective(config.train, "teacher") if config.train else config.evaluate.encoder
    judges_core = config.train is not None and name != "leaderboard"  # the leaderboard trains its own cores
    rows = {"response_selection": ["pairs/"], "intents": ["downstream/"], "leaderboard": ["pairs/"]}

    def inputs() -> dict[str, str]:
        return {
            **_rows_of(context, *rows[name]),
            **({"core": context.stamps.digest(TRAIN)} if judges_core else {}),
            **_values(f"evaluate.{name}", settings),
            **context.encoder_inputs("encoder", encoder),
            "code": code,
            **dict(versions("torch", "transformers")),
        }

    def run() -> Product:
        out.parent.mkdir(parents=True, exist_ok=True)
        command = {
            "response_selection": ("evaluate", "response-selection"),
            "intents": ("evaluate", "intents"),
            "leaderboard": ("leaderboard",),
        }[name]
        encoder_words = ["--teacher" if name == "leaderboard" else "--encoder", encoder]
        model = ["--model", context.place.core] if judges_core else []
        words = ["dialogue-cube", *command, "--data", context.place.dataset, *encoder_words, *model]
        run_command([*words, *option_words(settings), "--json", out], show)
        return Product()

    return Step(evaluation_step(name), inputs, run, (out,), needs=(DATASET, *([TRAIN] if judges_core else [])))


def _push(
    context: Context,
    what: str,
    target: Any,
    needs: tuple[str, ...],
    code: str,
    show: Callable[[str], None],
) -> Step:
    origin = DATASET if what == "dataset" else TRAIN
    results = context.place.evaluation("response_selection")
    has_results = what == "model" and bool(context.config.evaluate and context.config.evaluate.response_selection)

    def inputs() -> dict[str, str]:
        return {
            origin: context.stamps.digest(origin),
            **({"results": context.files.of(results)} if has_results else {}),
            **_values(f"push.{what}", target),
            "code": code,
        }

    def run() -> Product:
        words = ["dialogue-cube", "push", what, *_source_of(context, what), *option_words(target)]
        run_command([*words, *(["--results", results] if has_results else [])], show)
        return Product()

    return Step(push_step(what), inputs, run, needs=needs)


def _source_of(context: Context, what: str) -> list[object]:
    return ["--data", context.place.dataset] if what == "dataset" else ["--model", context.place.core]


def _rows_of(context: Context, *places: str) -> dict[str, str]:
    """Digests of the dataset's files that a step reads; changes of other files do not affect it."""
    report = load_report(context.place.dataset, f"delete {context.place.dataset} and run the pipeline again")
    return {
        f"dataset {name}": f"sha256:{digest}"
        for name, digest in report.get("files", {}).items()
        if name.startswith(places)
    }


def _values(section: str, settings: Any) -> Mapping[str, str]:
    return {f"{section}.{name}": json.dumps(value) for name, value in vars(settings).items() if value not in (None, ())}
