"""Teacher and core as one function of token ids, to be exported, and its tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cube_model.core.pooling import pool
from cube_model.errors import ModelError

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.teacher.teacher import Teacher

INPUTS = ("input_ids", "attention_mask")
SIDES = ("question", "answer")
"""Names of the outputs."""

Row = Sequence["str | None"]
"""An answer, or a question with the turns before it, most recent first; None is a missing turn."""


class TextGraph(nn.Module):
    """Map token ids to question and answer embeddings of norm 1, in float32.

    Args:
        teacher: Teacher on the processor; its weights are converted to float32.
        core: Core of this teacher.
    """

    def __init__(self, teacher: Teacher, core: CubeModel) -> None:
        super().__init__()
        self.encoder, self.core = teacher._model.float(), core.float()
        self.pooling, self.normalize = teacher.pooling, teacher.normalize
        self.turns = 1 + core.config.context_turns
        self.eval().requires_grad_(False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map a batch to both sides; whoever calls the graph uses the one that fits its texts.

        Args:
            input_ids: Token ids `[batch, length]`, or `[batch, turns, length]` if the core reads context: the
                question, then the turns before it, most recent first.
            attention_mask: 1 for tokens and 0 for padding, in the same shape; a missing turn has no token.

        Returns:
            The texts (the first turns) as questions with their context, and as answers: both `[batch, dimension]`.
        """
        if input_ids.dim() == 2:
            input_ids, attention_mask = input_ids[:, None], attention_mask[:, None]
        batch, turns, length = input_ids.shape
        mask = attention_mask.flatten(0, 1) > 0
        missing = ~mask.any(1, keepdim=True)
        # attention over no token at all is not a number
        mask = mask | (missing & (torch.arange(length, device=mask.device) == 0))
        states = self.encoder(input_ids=input_ids.flatten(0, 1), attention_mask=mask.long()).last_hidden_state
        vectors = pool(states, mask, self.pooling, self.normalize)
        vectors = torch.where(missing, 0.0, vectors).unflatten(0, (batch, turns))
        question, answer = self.core.encode_questions(vectors), self.core.encode_answers(vectors[:, 0])
        return functional.normalize(question, dim=-1), functional.normalize(answer, dim=-1)

    def example(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return token ids and a mask with padding and a missing turn, from which exporters trace the graph."""
        shape = (3, self.turns, 5) if self.turns > 1 else (3, 5)
        ids, mask = torch.ones(shape, dtype=torch.long), torch.ones(shape, dtype=torch.long)
        mask[0, ..., 3:] = 0
        if self.turns > 1:
            mask[1, -1] = 0
        return ids, mask


class GraphTokenizer:
    """The teacher's tokenizer as one file, with the teacher's truncation and padding.

    Args:
        teacher: Teacher with a tokenizer of the library `tokenizers`.
        turns: Number of turns that the graph reads; 1 without context.

    Raises:
        ModelError: The tokenizer is of another kind.
    """

    def __init__(self, teacher: Teacher, turns: int) -> None:
        backend = getattr(teacher._tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelError(
                f"teacher {teacher.name}: its tokenizer has no tokenizer.json; use --format sentence-transformers"
            )
        self._turns, self._prefix, self._lowercase = turns, teacher.prefix, teacher.lowercase
        self._tokenizer: Any = type(backend).from_str(backend.to_str())
        self._tokenizer.enable_truncation(teacher.max_length)
        pad = teacher._tokenizer.pad_token or teacher._tokenizer.eos_token
        self._tokenizer.enable_padding(direction="right", pad_token=pad, pad_id=self._tokenizer.token_to_id(pad) or 0)

    def __call__(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
        """Tokenise rows with equal numbers of turns: int64 token ids and mask, as `TextGraph.forward` reads them."""
        texts = [text or "" for row in rows for text in row]
        encoded = self._tokenizer.encode_batch(
            [self._prefix + (text.lower() if self._lowercase else text) for text in texts]
        )
        shape = (len(rows), *([len(rows[0])] if self._turns > 1 else []), -1)
        ids, mask = (
            np.array([getattr(text, name) for text in encoded], dtype=np.int64).reshape(shape)
            for name in ("ids", "attention_mask")
        )
        if self._turns > 1:
            mask[np.array([[not text for text in row] for row in rows])] = 0
        return ids, mask

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`; the prefix and lower case are left to its user."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
