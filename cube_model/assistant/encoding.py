"""Vectors of questions with the turns before them, and of answers: what an assistant compares.

How the turns before a question count depends on the encoder, which records it:

| encoder | a question with its turns |
|---|---|
| trained without context | the question alone |
| trained with `train-encoder --context-turns` | one text, the question first, then the most recent turn, joined |
| trained with `--context-turns` and `--composer` | the vectors of the turns, composed |
| any, with a core (`assistant build --core`) | the vectors of the turns, composed by the core, which maps answers too |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

CONTEXT_TURNS = 2
"""Maximum number of turns before a question that are kept with an entry and read."""

_CHUNK = 4096

Encode = Callable[[list[str]], np.ndarray]
"""Function of n texts that returns the encoder's vectors, float32 `[n, dimension]`."""


@dataclass(frozen=True)
class Encoding:
    """How questions and answers become vectors of length 1.

    Attributes:
        teacher: The encoder.
        encode: Its function of texts, such as that of a cache. Default: the encoder itself.
        joined: Number of turns before a question that are joined to it.
        core: Core that composes turns and maps answers; None: none.
    """

    teacher: Teacher
    encode: Encode
    joined: int = 0
    core: CubeModel | None = None

    @property
    def context_turns(self) -> int:
        """Number of turns before a question that change its vector."""
        models = (self.core, self.teacher.composed)
        read = next((model.config.context_turns for model in models if model is not None), self.joined)
        return min(int(read), CONTEXT_TURNS)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Encode n texts, each alone, to float32 `[n, dimension]`."""
        return unit(self.encode(list(texts)))

    def questions(self, texts: Sequence[str], contexts: Sequence[Sequence[str] | None]) -> np.ndarray:
        """Encode n questions.

        Args:
            texts: n questions.
            contexts: The turns before each, oldest first.

        Returns:
            float32 `[n, dimension]`.
        """
        width = 1 + self.context_turns
        turns = [[text, *reversed(before or ())][:width] for text, before in zip(texts, contexts, strict=True)]
        turns = [[turn for turn in line if turn.strip()] for line in turns]
        if self.core is None and self.teacher.composed is None:
            separator = self.teacher.turn_separator
            return self.texts([separator.join(line) for line in turns])
        flat = self.encode([turn for line in turns for turn in line])
        vectors = np.zeros((len(turns), width, flat.shape[1]), np.float32)
        start = 0
        for number, line in enumerate(turns):
            vectors[number, : len(line)] = flat[start : start + len(line)]
            start += len(line)
        return self._mapped(vectors, is_answer=False)

    def answers(self, texts: Sequence[str]) -> np.ndarray:
        """Encode n answers to float32 `[n, dimension]`."""
        if self.core is None and self.teacher.composed is None:
            return self.texts(texts)
        return self._mapped(self.encode(list(texts)), is_answer=True)

    def _mapped(self, vectors: np.ndarray, *, is_answer: bool) -> np.ndarray:
        import torch

        run: Callable[[torch.Tensor], torch.Tensor]
        if self.core is not None:
            run = self.core.encode_answers if is_answer else self.core.encode_questions
        else:
            assert self.teacher.composed is not None
            run = self.teacher.composed.answers if is_answer else self.teacher.composed.compose
        result = np.empty((len(vectors), vectors.shape[-1]), np.float32)
        with torch.inference_mode():
            for start in range(0, len(vectors), _CHUNK):
                part = torch.from_numpy(np.ascontiguousarray(vectors[start : start + _CHUNK]))
                result[start : start + _CHUNK] = run(part).float().cpu().numpy()
        return unit(result)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale vectors to length 1, float32 `[n, d]`."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def joined_turns(folder: Path) -> int:
    """Return how many turns before a question an encoder's training has joined to it; 0 if that is not recorded.

    Raises:
        ModelError: The record is damaged.
    """
    from cube_model.inference.loading import training_record

    if not (folder / "training.json").is_file():
        return 0
    arguments: Any = training_record(folder).get("arguments")
    turns = arguments.get("context_turns", 0) if isinstance(arguments, dict) else 0
    if not isinstance(turns, int) or turns < 0:
        raise ModelError(f"{folder / 'training.json'}: context_turns is {turns!r}: expected a whole number")
    return min(turns, CONTEXT_TURNS)


def open_core(core: str) -> CubeModel:
    """Load a core that maps questions to answers.

    Args:
        core: Folder or Hub repository.

    Raises:
        ModelError: It is no core, is one of another mode, or records no encoder.
    """
    from cube_model.inference.loading import load_core

    model = load_core(core)
    if model.config.mode != "dialogue":
        raise ModelError(f"--core {core}: a core of mode {model.config.mode}; expected one trained on dialogues")
    if not model.config.teacher:
        raise ModelError(f"--core {core}: the core does not record its encoder; train it with `dialogue-cube train`")
    return model
