"""Validated options of `DialogueDataset` and `AutoencoderDataset`."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.teacher.teacher import DTYPES

Config = TypeVar("Config", bound="DatasetConfig")

_TEACHER_ALIAS = "teacher_model"
"""Also accepted for `teacher`: the name in the predecessor's examples."""


def _accept_teacher_alias(config_class: type[Config]) -> type[Config]:
    """Let the constructor of a config take `teacher_model` for `teacher`; where both are passed, the alias counts."""
    init = config_class.__init__

    @functools.wraps(init)
    def init_with_alias(self: Config, **options: Any) -> None:
        if _TEACHER_ALIAS in options:
            options["teacher"] = options.pop(_TEACHER_ALIAS)
        init(self, **options)

    config_class.__init__ = init_with_alias  # type: ignore[method-assign, assignment]
    return config_class


@_accept_teacher_alias
@dataclass(kw_only=True)
class DatasetConfig:
    """How texts are encoded, and how many pairs are held out for validation.

    Args:
        teacher: Short name, folder or Hub repository of the frozen encoder. `teacher_model` is an alias.
        fallback: Teachers to try, in this order, if `teacher` is unavailable. A fallback raises a warning and is
            recorded.
        teacher_dtype: `"auto"` (bfloat16 where the processor has native support, else float32), `"float32"`,
            `"bfloat16"` or `"float16"`.
        device: Torch device of the teacher. Default: the first accelerator, else the CPU.
        embedding_dim: Dimension that the embeddings must have. Default: any.
        normalize_embeddings: Scale embeddings to norm 1, as a core requires. If False, they stay as the teacher or
            the file gives them.
        validation_split: Share of the dialogues (not of the pairs) held out for validation, from 0 to below 1; above
            0, at least one dialogue. Ignored if files named after a validation split are held out instead.
        seed: Random seed of the validation split and of the batch order, at least 0.
        use_cache: Cache embeddings on disk.
        cache_dir: Folder of the embedding cache. Default: `cube_model.vectors.cache.default_folder()`.
        vectors: Folder of vectors written by `dialogue-cube embed`, read in place of encoding. Needs the cache.
        progress: Show a progress bar while texts are encoded.

    Raises:
        ModelError: A value is invalid; the message names the field and what is expected.

    Example:
        >>> DatasetConfig(teacher="minilm", validation_split=0.1, use_cache=False).seed
        0
    """

    teacher: str = DEFAULT_TEACHER
    fallback: Sequence[str] = ()
    teacher_dtype: str = "auto"
    device: str | None = None
    embedding_dim: int | None = None
    normalize_embeddings: bool = True
    validation_split: float = 0.2
    seed: int = 0
    use_cache: bool = True
    cache_dir: str | None = None
    vectors: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        self.teacher = str(self.teacher)
        self._require("teacher", bool(self.teacher.strip()), "a short name, a folder or a Hub repository")
        are_names = not isinstance(self.fallback, str) and all(isinstance(name, str) and name for name in self.fallback)
        self._require("fallback", are_names, f'a list of teachers, for example ["{DEFAULT_TEACHER}"]')
        self.fallback = tuple(self.fallback)
        self._require("teacher_dtype", self.teacher_dtype in DTYPES, f"one of {', '.join(DTYPES)}")
        self._require_integer("embedding_dim", 1, optional=True)
        is_share = _is_number(self.validation_split) and 0 <= self.validation_split < 1
        self._require("validation_split", is_share, "a share from 0 to below 1")
        self._require_integer("seed", 0)
        self._require("use_cache", self.use_cache or self.vectors is None, "True, since vectors are read through it")
        for name, value in vars(self).items():
            if isinstance(getattr(type(self), name, None), bool):
                self._require(name, isinstance(value, bool), "True or False")

    @property
    def teacher_model(self) -> str:
        """Alias of `teacher`."""
        return self.teacher

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ModelError(f"{name} is {getattr(self, name)!r}: expected {expected}")

    def _require_integer(self, name: str, minimum: int, *, optional: bool = False) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        self._require(name, is_integer and value >= minimum, f"a whole number, at least {minimum}")


@_accept_teacher_alias
@dataclass(kw_only=True)
class DialogueConfig(DatasetConfig):
    """Options of a `DialogueDataset`; `DatasetConfig` documents those of the teacher and the split.

    Args:
        enable_quality_filter: Apply the limits below and the quality filters of the corpora; `statistics()` counts
            drops and flags by reason. If False, only pairs without a question or an answer are dropped.
        quality: Quality filters to apply: `"none"`, `"default"` (flags), `"strict"` (drops), or a YAML or JSON file
            as for `dialogue-cube build --quality`.
        min_question_length, max_question_length: Length limits of a question in characters.
        min_answer_length, max_answer_length: Length limits of an answer in characters.
        min_similarity, max_similarity: Limits of the teacher's cosine of question and answer, -1 to 1; None for no
            limit. The minimum drops unrelated answers, the maximum answers that repeat the question. Cosines of
            different teachers are not comparable: see `statistics()["cosine"]` first.
        support_multiturn: Use every exchange of a conversation. If False, use the first one only, as the answers of
            later ones depend on their context.
        context_turns: Number of turns before each question to include; requires `support_multiturn`.

    Raises:
        ModelError: A value is invalid; the message names the field and what is expected.

    Example:
        >>> DialogueConfig(teacher="minilm", min_answer_length=10, context_turns=2).validation_split
        0.2
    """

    enable_quality_filter: bool = True
    quality: str = "default"
    min_question_length: int = 2
    max_question_length: int = 2000
    min_answer_length: int = 1
    max_answer_length: int = 4000
    min_similarity: float | None = None
    max_similarity: float | None = None
    support_multiturn: bool = True
    context_turns: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in ("question", "answer"):
            minimum, maximum = f"min_{part}_length", f"max_{part}_length"
            self._require_integer(minimum, 1)
            self._require_integer(maximum, 1)
            self._require(maximum, getattr(self, maximum) >= getattr(self, minimum), f"at least {minimum}")
        for name in ("min_similarity", "max_similarity"):
            value = getattr(self, name)
            is_cosine = value is None or (_is_number(value) and -1 <= value <= 1)
            self._require(name, is_cosine, "a cosine from -1 to 1, or None")
        if self.min_similarity is not None and self.max_similarity is not None:
            self._require("max_similarity", self.max_similarity >= self.min_similarity, "at least min_similarity")
        self._require_integer("context_turns", 0)
        without_context = "0, as support_multiturn is off: questions are then read without their context"
        self._require("context_turns", self.support_multiturn or self.context_turns == 0, without_context)


class DatasetOptions(TypedDict, total=False):
    """Fields of `DatasetConfig` as keywords, for type checkers; see `keywords_of`."""

    teacher_model: str
    fallback: Sequence[str]
    teacher_dtype: str
    device: str | None
    embedding_dim: int | None
    normalize_embeddings: bool
    seed: int
    use_cache: bool
    cache_dir: str | None
    progress: bool
    vectors: str | None


class DialogueOptions(DatasetOptions, total=False):
    """Fields of `DialogueConfig` as keywords, for type checkers; see `keywords_of`."""

    enable_quality_filter: bool
    quality: str
    min_question_length: int
    max_question_length: int
    min_answer_length: int
    max_answer_length: int
    min_similarity: float | None
    max_similarity: float | None
    support_multiturn: bool


def with_options(config: Config, options: dict[str, Any], **arguments: Any) -> Config:
    """Return a copy of a config with some fields replaced.

    Args:
        config: Config to copy.
        options: New values by field name.
        arguments: The same; None leaves a field as it is.

    Raises:
        ModelError: A field does not exist, or a value is invalid.
    """
    fields = [field.name for field in dataclasses.fields(config)]
    if unknown := sorted(set(options) - {*fields, _TEACHER_ALIAS}):
        raise ModelError(f"{type(config).__name__} has no field {unknown[0]}; choose from {', '.join(fields)}")
    return dataclasses.replace(config, **{name: v for name, v in arguments.items() if v is not None}, **options)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
