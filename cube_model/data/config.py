"""Arguments of the datasets of embeddings, checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cube_model.errors import ModelError
from cube_model.teacher.teacher import DTYPES

Config = TypeVar("Config", bound="DatasetConfig")


@dataclass(kw_only=True)
class DatasetConfig:
    """How texts become vectors, and how many pairs are held out.

    Args:
        teacher_model: Short name, folder or Hub repository of the frozen encoder.
        fallback: Teachers to take, in this order, where `teacher_model` cannot be had; said loudly and recorded.
        teacher_dtype: `"auto"` (bfloat16 where the processor computes in it natively, else float32), `"float32"`,
            `"bfloat16"` or `"float16"`.
        device: Torch device of the teacher; the first accelerator when not given, else the processor.
        embedding_dim: Length of a vector; the teacher's when not given, else it must be the teacher's.
        normalize_embeddings: Vectors of length 1, which is what a core reads. Off: as the teacher or the file gives
            them.
        validation_split: Share of the dialogues (not of the pairs) that is held out, 0 to below 1; above 0 at least
            one. Files that are named after a validation split are held out instead.
        seed: Of that choice and of the order of batches.
        use_cache: Keep the vectors on disk and read them from there.
        cache_dir: Folder of that cache; `DIALOGUE_CUBE_CACHE` or its default when not given.
        progress: Show a progress bar while texts are encoded.

    Raises:
        ModelError: A value is not possible; the message names the field and what is expected.
    """

    teacher_model: str = "distilbert"
    fallback: Sequence[str] = ()
    teacher_dtype: str = "auto"
    device: str | None = None
    embedding_dim: int | None = None
    normalize_embeddings: bool = True
    validation_split: float = 0.2
    seed: int = 0
    use_cache: bool = True
    cache_dir: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        self.teacher_model = str(self.teacher_model)
        self._require("teacher_model", bool(self.teacher_model.strip()), "a short name, a folder or a Hub repository")
        named = not isinstance(self.fallback, str) and all(isinstance(name, str) and name for name in self.fallback)
        self._require("fallback", named, 'a list of teachers, for example ["minilm"]')
        self.fallback = tuple(self.fallback)
        self._require("teacher_dtype", self.teacher_dtype in DTYPES, f"one of {', '.join(DTYPES)}")
        self._require_whole("embedding_dim", 1, optional=True)
        self._require("validation_split", _is_number(self.validation_split), "a share from 0 to below 1")
        self._require("validation_split", 0 <= self.validation_split < 1, "a share from 0 to below 1")
        self._require_whole("seed", 0)
        for name, value in vars(self).items():
            if isinstance(getattr(type(self), name, None), bool):
                self._require(name, isinstance(value, bool), "True or False")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ModelError(f"{name} is {getattr(self, name)!r}: expected {expected}")

    def _require_whole(self, name: str, least: int, *, optional: bool = False) -> None:
        value = getattr(self, name)
        if value is None and optional:
            return
        whole = isinstance(value, int) and not isinstance(value, bool)
        self._require(name, whole and value >= least, f"a whole number, at least {least}")


@dataclass(kw_only=True)
class DialogueConfig(DatasetConfig):
    """Everything that a `DialogueDataset` depends on; see `DatasetConfig` for the teacher and the split.

    Args:
        enable_quality_filter: Look at the limits below and apply the quality filters of the corpora; `statistics()`
            counts drops and flags by reason. Off: only pairs without a question or an answer go.
        quality: Which of those filters do what: `"none"`, `"default"` (flags), `"strict"` (drops), or a YAML or JSON
            file as `dialogue-cube build --quality` takes it.
        min_question_length, max_question_length: Characters of a question.
        min_answer_length, max_answer_length: Characters of an answer.
        min_similarity, max_similarity: Cosine of question and answer before any training, -1 to 1; None: not looked
            at. A minimum drops answers to something else, a maximum answers that repeat the question. Cosines of
            different teachers do not compare: see `statistics()["cosine"]` first.
        support_multiturn: Use every exchange of a conversation. Off: the first one only, as the answers of later ones
            rest on what was said before.
        context_turns: Earlier turns that come with each question; needs `support_multiturn`.

    Raises:
        ModelError: A value is not possible; the message names the field and what is expected.

    Example:
        >>> DialogueConfig(teacher_model="minilm", min_answer_length=10, context_turns=2).validation_split
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
        for side in ("question", "answer"):
            least, most = f"min_{side}_length", f"max_{side}_length"
            self._require_whole(least, 1)
            self._require_whole(most, 1)
            self._require(most, getattr(self, most) >= getattr(self, least), f"at least {least}")
        for name in ("min_similarity", "max_similarity"):
            value = getattr(self, name)
            is_cosine = value is None or (_is_number(value) and -1 <= value <= 1)
            self._require(name, is_cosine, "a cosine from -1 to 1, or None")
        if self.min_similarity is not None and self.max_similarity is not None:
            self._require("max_similarity", self.max_similarity >= self.min_similarity, "at least min_similarity")
        self._require_whole("context_turns", 0)
        alone = "0, as support_multiturn is off: each question stands alone"
        self._require("context_turns", self.support_multiturn or self.context_turns == 0, alone)


def changed(config: Config, options: dict[str, Any]) -> Config:
    """A config with other values for some fields.

    Raises:
        ModelError: There is no such field, or a value is not possible.
    """
    fields = [field.name for field in dataclasses.fields(config)]
    if unknown := sorted(set(options) - set(fields)):
        raise ModelError(f"{type(config).__name__} has no field {unknown[0]}; there are {', '.join(fields)}")
    return dataclasses.replace(config, **options)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
