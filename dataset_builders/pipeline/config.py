"""Everything that a pipeline run may be told; `example.yaml` shows each key with its meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from dataset_builders.common.errors import DataError
from dataset_builders.common.settings import bounded, fill, plain, read_settings

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class DatasetSettings:
    """What `dialogue-cube build` is told; `quality` is a preset, a file, or the filters themselves."""

    seed: int = 0
    split_policy: Literal["leak-free", "official", "original"] = "leak-free"
    quality: str | dict = "default"
    min_words: int | None = bounded(None, 0)
    context_turns: int = bounded(50, 0)
    directions: tuple[str, ...] = ()
    same_intent: int = bounded(0, 0)
    encoder: str | None = None
    hard_negatives: int = bounded(0, 0)


@dataclass(frozen=True)
class OwnSettings:
    """A user's own data, beside the sources or instead of them."""

    path: Path
    name: str | None = None
    language: str = "und"
    license: str = "LicenseRef-private"
    question_column: str | None = None
    answer_column: str | None = None
    text_column: str | None = None
    label_column: str | None = None
    encoding: str | None = None
    max_bad_share: float = bounded(0.1, 0, 1)


@dataclass(frozen=True)
class TrainSettings:
    """Options of `python -m cube_model.train`; `processes` are those of `accelerate launch`."""

    teacher: str = "minilm"
    processes: int = bounded(1, 1)
    sources: tuple[str, ...] = ()
    max_pairs: int | None = bounded(None, 2)
    max_validation_pairs: int | None = bounded(None, 1)
    context_turns: int | None = bounded(None, 0)
    hard_negatives: int | None = bounded(None, 0)
    epochs: int | None = bounded(None, 1)
    patience: int | None = bounded(None, 1)
    batch_size: int | None = bounded(None, 2)
    gradient_accumulation: int | None = bounded(None, 1)
    learning_rate: float | None = bounded(None, 0)
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] | None = None
    weight_decay: float | None = bounded(None, 0)
    mixed_precision: Literal["bf16", "no"] | None = None
    cosine_weight: float | None = bounded(None, 0, 1)
    noise: float | None = bounded(None, 0)
    seed: int | None = bounded(None, 0)
    global_units: int | None = bounded(None, 0)
    plane_units: int | None = bounded(None, 0)
    cell_channels: int | None = bounded(None, 0)
    steps: int | None = bounded(None, 0)
    map_answers: bool | None = None
    teacher_dtype: Literal["auto", "float32", "bfloat16"] | None = None
    tracker: str | None = None
    device: str | None = None
    threads: int | None = bounded(None, 0)


@dataclass(frozen=True)
class ResponseSelectionSettings:
    """Options of `dialogue-cube evaluate response-selection`."""

    sources: tuple[str, ...] = ()
    split: Split = "test"
    context_turns: int | None = bounded(None, 0)
    max_pairs: int | None = bounded(None, 2)
    seed: int | None = bounded(None, 0)
    draws: int | None = bounded(None, 1)


@dataclass(frozen=True)
class IntentsSettings:
    """Options of `dialogue-cube evaluate intents`."""

    sources: tuple[str, ...] = ()
    protocol: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    seeds: int | None = bounded(None, 1)
    dtype: Literal["float32", "bfloat16", "float16", "auto"] | None = None


@dataclass(frozen=True)
class LeaderboardSettings:
    """Options of `dialogue-cube leaderboard`."""

    sources: tuple[str, ...] = ()
    leave_out: str | None = None
    context_turns: int | None = bounded(None, 0)
    train_sizes: tuple[int | Literal["all"], ...] = ()
    seeds: int | None = bounded(None, 1)
    methods: tuple[str, ...] = ()
    budget: int | None = bounded(None, 1)
    draws: int | None = bounded(None, 1)
    max_test_pairs: int | None = bounded(None, 2)
    max_validation_pairs: int | None = bounded(None, 2)


@dataclass(frozen=True)
class EvaluateSettings:
    """What is judged: the trained core, or the encoder alone where nothing is trained."""

    encoder: str = "minilm"
    response_selection: ResponseSelectionSettings | None = None
    intents: IntentsSettings | None = None
    leaderboard: LeaderboardSettings | None = None


@dataclass(frozen=True)
class PushTarget:
    """Options of `dialogue-cube push`; the token is never here: `hf auth login` or HF_TOKEN."""

    repo: str
    private: bool = False
    create_pr: bool = False
    tag: str | None = None
    revision: str | None = None
    message: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class PushSettings:
    """What is published; nothing that is not named here."""

    dataset: PushTarget | None = None
    model: PushTarget | None = None


@dataclass(frozen=True)
class PipelineConfig:
    """A pipeline run. Everything has a default but where the raw files are and where the results go.

    Attributes:
        raw_dir: Folder with one folder of raw files a source; None to download the named sources.
        out: Folder of the results.
        sources: `NAME` or `NAME:CONFIG`; every source in `raw_dir` when empty.
        languages: Rows of these languages only, BCP 47; `en` is also `en-US`.
        splits: Rows of these splits only; duplicates and leaks are judged over all of them.
        licenses: Sources under these licences only: `commercial`, or licence ids.
        keep_going: Build what can be built when a source fails.
        num_proc: Processes that parse the raw files of a source and make its rows.
        dataset, own, train, evaluate, push: Sections.
        database: Make `corpus.duckdb`.
    """

    raw_dir: Path | None = None
    out: Path | None = None
    sources: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    splits: tuple[Split, ...] = SPLITS
    licenses: tuple[str, ...] = ()
    keep_going: bool = False
    num_proc: int | None = bounded(None, 1)
    dataset: DatasetSettings = DatasetSettings()
    own: OwnSettings | None = None
    database: bool = True
    train: TrainSettings | None = None
    evaluate: EvaluateSettings | None = None
    push: PushSettings | None = None

    @classmethod
    def load(cls, path: str | Path) -> PipelineConfig:
        """Read a YAML file; relative paths in it start at the file's folder.

        Raises:
            DataError: It names file, key, what was found and what is allowed.
        """
        path = Path(path)
        content = read_settings(path)
        _no_token(content, str(path))
        return _placed(fill(cls, content, str(path)), path.parent)

    def with_values(self, assignments: Sequence[str]) -> PipelineConfig:
        """The config with `KEY=VALUE` of the command line, the value in YAML: `train.epochs=3`.

        Raises:
            DataError: An assignment without `=`, an unknown key or a value that does not fit.
        """
        import yaml

        content = plain(self)
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
            fill(PipelineConfig, content, "--set")  # here the message can name the one assignment
        return fill(PipelineConfig, content, "--set")

    def to_yaml(self) -> str:
        """What differs from the defaults, as a file that `load` reads back."""
        import yaml

        return yaml.safe_dump(plain(self), sort_keys=False, allow_unicode=True, default_flow_style=False)


def example() -> str:
    """The example file: every key with its default and what it means."""
    return files("dataset_builders.pipeline").joinpath("example.yaml").read_text(encoding="utf-8")


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
