"""Everything that a pipeline run can be set to; `example` shows each key with its meaning."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from dataset_builders.common.choices import Split
from dataset_builders.common.errors import DataError
from dataset_builders.common.options import (
    Options,
    from_values,
    option,
    read_settings,
    section_of,
    to_values,
    yaml_reference,
)
from dataset_builders.corpus.settings import DatasetSettings, RunSettings, Selection
from dataset_builders.own_data.settings import OwnSettings

COMMANDS = "dialogue_cube.options"
"""Entry points that name the options of the model side's commands, which this package does not import."""


@dataclass(frozen=True)
class LaunchSettings(Options):
    """How a training is launched."""

    processes: int = option(
        1,
        "Processes of `accelerate launch`; several without graphics cards also need `device: cpu`.",
        low=1,
    )


_SET_HERE = {"train": ("data", "output", "mode", "code_size", "resume", "overwrite", "progress", "cache_dir")}
"""Options of a command that the pipeline sets itself."""


@functools.cache
def command_section(name: str) -> type:
    """The section of a command of the model side: its options, in which None is the command's own default.

    Args:
        name: Path of the section, which is the name of the entry point.

    Raises:
        DataError: No installed package declares the command.
    """
    declared = entry_points(group=COMMANDS, name=name)
    if not declared:
        raise DataError(f"{name}: no installed package offers this step; install dialogue-cube again")
    kind = next(iter(declared)).load()
    return section_of(kind, _SET_HERE.get(name, ()), LaunchSettings if name == "train" else None)


def command_option(name: str, help: str) -> Any:
    """A field for the section of a command of the model side."""
    return option(None, help, section=functools.partial(command_section, name))


@dataclass(frozen=True)
class ResponseSelectionSettings(Options):
    """Options of `dialogue-cube evaluate response-selection`."""

    sources: tuple[str, ...] = option((), "Sources to judge on; empty: all.")
    split: Split = option("test", "Split to judge on.")
    context_turns: int | None = option(
        None, "Highest number of earlier turns to judge with.", low=0, none="as many as the core reads"
    )
    max_pairs: int | None = option(None, "Maximum number of pairs.", low=2)
    seed: int | None = option(None, "Seed of batches and bootstrap.", low=0)
    draws: int | None = option(None, "Shuffles that are averaged.", low=1)


@dataclass(frozen=True)
class IntentsSettings(Options):
    """Options of `dialogue-cube evaluate intents`."""

    sources: tuple[str, ...] = option((), "Intent sets; empty: all.")
    protocol: tuple[str, ...] = option(
        (), "mteb, 5-shot, 10-shot, knn, prototype, linear, oos, clustering; empty: all."
    )
    language: tuple[str, ...] = option((), "Languages: en is also en-US; empty: all.")
    labels: tuple[str, ...] = option((), "What is predicted: intent, scenario; empty: both.")
    seeds: int | None = option(None, "Number of seeds.", low=1)
    dtype: Literal["float32", "bfloat16", "float16", "auto"] | None = option(None, "Precision of the encoder.")


@dataclass(frozen=True)
class LeaderboardSettings(Options):
    """Options of `dialogue-cube leaderboard`."""

    sources: tuple[str, ...] = option((), "Sources; empty: all.")
    leave_out: str | None = option(None, "Zero-shot: train on the other sources, test on this one.")
    context_turns: int | None = option(None, "Number of earlier turns that the methods read.", low=0)
    train_sizes: tuple[int | Literal["all"], ...] = option((), "Numbers of training pairs: [1000, 10000, all].")
    seeds: int | None = option(None, "Number of seeds.", low=1)
    methods: tuple[str, ...] = option((), "Methods; empty: all.")
    budget: int | None = option(None, "Parameters of maps of free size.", low=1, none="those of the core")
    draws: int | None = option(None, "Shuffles of the test pairs that are averaged.", low=1)
    max_test_pairs: int | None = option(None, "Maximum number of test pairs.", low=2)
    max_validation_pairs: int | None = option(None, "Maximum number of validation pairs.", low=2)


@dataclass(frozen=True)
class EvaluateSettings(Options):
    """What is judged: the trained core, or the encoder alone where nothing is trained."""

    encoder: str = option("minilm", "Encoder to judge where nothing is trained.")
    response_selection: ResponseSelectionSettings | None = option(None, "The true answer among others.")
    intents: IntentsSettings | None = option(None, "Intents of short utterances.")
    leaderboard: LeaderboardSettings | None = option(None, "The core among baselines.")


@dataclass(frozen=True)
class PushTarget(Options):
    """Options of `dialogue-cube push`; the token is never here: `hf auth login` or HF_TOKEN."""

    repo: str = option(help="Repository on the Hub.", example="org/name")
    private: bool = option(False, "Make the repository private.")
    create_pr: bool = option(False, "Open a pull request instead of committing.")
    tag: str | None = option(None, "Name of this version, for example v1.0.")
    revision: str | None = option(None, "Branch to commit to, made when missing.", none="the main branch")
    message: str | None = option(None, "Title of the commit.")
    dry_run: bool = option(False, "List what would be uploaded; no server is contacted.")


@dataclass(frozen=True)
class PushSettings(Options):
    """What is published; nothing that is not named here."""

    dataset: PushTarget | None = option(None, "The dataset.")
    model: PushTarget | None = option(None, "The core.")


@dataclass(frozen=True)
class PipelineConfig(Selection, RunSettings):
    """A pipeline run. Only the places of the raw files and of the results have no default."""

    sources: tuple[str, ...] = option(
        (), "Sources, see `dialogue-cube sources`: NAME or NAME:CONFIG.", none="all that raw_dir holds"
    )
    keep_going: bool = option(
        False,
        "Build the rest when a source fails; the exit code still says that one failed.",
        flags=("--keep-going/--stop",),
    )
    dataset: DatasetSettings = option(DatasetSettings, "The dataset, out/dataset, laid out as the Hub repository.")
    own: OwnSettings | None = option(None, "Your own data, beside the sources or instead of them.")
    database: bool = option(True, "The database, out/corpus.duckdb, which the dashboard opens.")
    train: Any = command_option(
        "train", "The core, out/core: true, or a mapping of options of `python -m cube_model.train`."
    )
    evaluate: EvaluateSettings | None = option(
        None, "Evaluation, out/evaluation: of the trained core, or of an encoder where nothing is trained."
    )
    push: PushSettings | None = option(
        None, "The Hub: what is published. The token comes from `hf auth login` or HF_TOKEN."
    )

    @classmethod
    def load(cls, path: str | Path) -> PipelineConfig:
        """Read a YAML file; relative paths in it start at the file's folder.

        Raises:
            DataError: It names file, key, what was found and what is allowed.
        """
        path = Path(path)
        content = read_settings(path)
        _no_token(content, str(path))
        return _placed(from_values(cls, content, str(path)), path.parent)

    def with_values(self, assignments: Sequence[str]) -> PipelineConfig:
        """The config with `KEY=VALUE` of the command line, the value in YAML: `train.epochs=3`.

        Raises:
            DataError: An assignment without `=`, an unknown key or a value that does not fit.
        """
        import yaml

        content = to_values(self)
        for text in assignments:
            key, equals, value = text.partition("=")
            where = content
            *sections, name = key.strip().split(".")
            for section in sections:
                inner = where.get(section)
                where[section] = where = inner if isinstance(inner, dict) else {}
            if not equals or not name:
                raise DataError(f"--set {text}: expected KEY=VALUE, for example train.epochs=3")
            try:
                where[name] = yaml.safe_load(value)
            except yaml.YAMLError as error:
                raise DataError(f"--set {text}: the value is not YAML: {' '.join(str(error).split())}") from error
            _no_token(content, f"--set {key}")
            from_values(PipelineConfig, content, "--set")  # here the message can name the one assignment
        return from_values(PipelineConfig, content, "--set")

    def to_yaml(self) -> str:
        """What differs from the defaults, as a file that `load` reads back."""
        import yaml

        return yaml.safe_dump(to_values(self), sort_keys=False, allow_unicode=True, default_flow_style=False)


def example() -> str:
    """A config with every key, its default and what it means; optional sections are comments."""
    head = [
        "# dialogue-cube pipeline --config FILE",
        "# Every key with its default. Omit what you do not change. Relative paths start at this file's folder.",
        "# The command line overrides this file: names, --raw-dir, --out, --keep-going; --set KEY=VALUE sets any key.",
        "",
    ]
    return "\n".join([*head, *yaml_reference(PipelineConfig), ""])


def _placed(settings: Any, folder: Path) -> Any:
    """The settings with their paths below a folder, sections too."""
    changes: dict[str, Any] = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        if isinstance(value, Path):
            changes[f.name] = folder / value
        elif is_dataclass(value):
            changes[f.name] = _placed(value, folder)
        elif f.name == "quality" and value not in ("none", "default", "strict") and isinstance(value, str):
            changes[f.name] = str(folder / value)
    return replace(settings, **changes)


def _no_token(content: Mapping[str, Any], where: str) -> None:
    for key, value in content.items():
        if "token" in str(key).lower():
            raise DataError(f"{where}: {key}: a token does not belong in a file; use `hf auth login` or HF_TOKEN")
        if isinstance(value, dict):
            _no_token(value, where)
