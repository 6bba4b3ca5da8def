"""The pipeline's config; `example` prints every key with its meaning."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import MachineSettings
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
"""Entry point group with the options of the commands of `cube_model` and `push_scripts`, which are not imported."""


@dataclass(frozen=True)
class LaunchSettings(Options):
    """Launch of a training."""

    processes: int = option(
        1,
        "Number of processes of `accelerate launch`; several processes on the CPU also need `device: cpu`.",
        low=1,
    )


@dataclass(frozen=True)
class Repository(Options):
    """Target of a push. The token comes from `hf auth login` or HF_TOKEN, never from the config."""

    repo: str = option(help="Repository on the Hub.", example="org/name")


_SET_HERE = {
    "train": ("data", "output", "mode", "code_size", "resume", "overwrite", "progress", "cache_dir"),
    "evaluate.response_selection": ("data", "model", "encoder"),
    "evaluate.intents": ("data", "model", "encoder"),
    "evaluate.leaderboard": ("data", "teacher"),
}
"""Options of commands that the pipeline sets itself, and that its config therefore lacks."""

_MORE: dict[str, type[Options]] = {"train": LaunchSettings, "push": Repository}
"""Options that a section has in addition to those of its command."""


@functools.cache
def command_section(name: str) -> type:
    """The config section of a command: its options, where None means the command's own default.

    Args:
        name: Path of the section, which is also the name of the entry point.

    Raises:
        DataError: No installed package declares the command.
    """
    declarations = entry_points(group=COMMANDS, name=name)
    if not declarations:
        raise DataError(f"{name}: no installed package offers this step; install dialogue-cube again")
    kind = next(iter(declarations)).load()
    return section_of(kind, _SET_HERE.get(name, ()), _MORE.get(name))


def command_option(name: str, help: str) -> Any:
    """A config field for the section of a command."""
    return option(None, help, section=functools.partial(command_section, name))


@dataclass(frozen=True)
class EvaluateSettings(Options):
    """Evaluation of the trained core, or of an encoder if no core is trained."""

    encoder: str = option("minilm", "Encoder to evaluate if no core is trained.")
    response_selection: Any = command_option("evaluate.response_selection", "Find the true answer among others.")
    intents: Any = command_option("evaluate.intents", "Classify the intents of short utterances.")
    leaderboard: Any = command_option("evaluate.leaderboard", "Compare the core with baselines.")


@dataclass(frozen=True)
class PushSettings(Options):
    """Publication on the Hub; only what is named here is published."""

    dataset: Any = command_option("push", "The dataset.")
    model: Any = command_option("push", "The core.")


@dataclass(frozen=True)
class PipelineConfig(MachineSettings, Selection, RunSettings):
    """A pipeline run. Only the folders of the raw files and of the results have no default.

    On a Ray cluster of several machines, all of them must reach both folders.
    """

    sources: tuple[str, ...] = option(
        (), "Sources, see `dialogue-cube sources`: NAME or NAME:CONFIG.", none="all in raw_dir"
    )
    keep_going: bool = option(
        False,
        "Build the rest if a source fails; the exit code still reports the failure.",
        flags=("--keep-going/--stop",),
    )
    dataset: DatasetSettings = option(DatasetSettings, "The dataset, out/dataset, in the layout of the Hub repository.")
    own: OwnSettings | None = option(None, "Your own data, together with the sources or alone.")
    database: bool = option(True, "The database, out/corpus.duckdb, which the dashboard opens.")
    train: Any = command_option(
        "train", "The core, out/core: true, or a mapping of options of `python -m cube_model.train`."
    )
    evaluate: EvaluateSettings | None = option(
        None, "Evaluation of the trained core, or of an encoder if no core is trained, out/evaluation."
    )
    push: PushSettings | None = option(
        None, "Publication on the Hub. The token comes from `hf auth login` or HF_TOKEN."
    )

    @classmethod
    def load(cls, path: str | Path) -> PipelineConfig:
        """Read a YAML file; its relative paths start at the file's folder.

        Raises:
            DataError: The file cannot be read, or a key or value is wrong; names the file, the key and what is allowed.
        """
        path = Path(path)
        content = read_settings(path)
        _no_token(content, str(path))
        return _placed(from_values(cls, content, str(path)), path.parent)

    def with_values(self, assignments: Sequence[str]) -> PipelineConfig:
        """The config with changed values.

        Args:
            assignments: `KEY=VALUE`, with the value in YAML, such as `train.epochs=3`.

        Raises:
            DataError: An assignment has no `=`, an unknown key or a wrong value.
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
            except (yaml.YAMLError, ValueError, RecursionError) as error:
                raise DataError(f"--set {text}: the value is not YAML: {' '.join(str(error).split())}") from error
            _no_token(content, f"--set {key}")
            from_values(PipelineConfig, content, "--set")  # report the first wrong assignment
        return from_values(PipelineConfig, content, "--set")

    def to_yaml(self) -> str:
        """The values that differ from the defaults, as YAML for `load`."""
        import yaml

        return yaml.safe_dump(to_values(self), sort_keys=False, allow_unicode=True, default_flow_style=False)


def example() -> str:
    """A config in YAML with every key, its default and its meaning; optional sections are comments."""
    head = [
        "# dialogue-cube pipeline --config FILE",
        "# Every key with its default. Omit what you do not change. Relative paths start at this file's folder.",
        "# The command line overrides this file: names, --raw-dir, --out, --keep-going; --set KEY=VALUE sets any key.",
        "",
    ]
    return "\n".join([*head, *yaml_reference(PipelineConfig), ""])


def _placed(settings: Any, folder: Path) -> Any:
    """The settings with relative paths, also those of sections, resolved against a folder."""
    changes: dict[str, Any] = {}
    for f in fields(settings):
        value = getattr(settings, f.name)
        if isinstance(value, Path):
            changes[f.name] = folder / value
        elif isinstance(value, tuple) and any(isinstance(item, Path) for item in value):
            changes[f.name] = tuple(item if str(item).startswith("hf:") else folder / item for item in value)
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
