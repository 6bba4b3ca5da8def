"""Texts in, vectors out: a core with its frozen teacher.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .modeling_cube import CubeModel
from .pooling import pool
from .static_cube import load_encoder
from .teacher_cube import teacher_folder
from .turns_cube import Input, distinct_turns, tokens_of, turns_of


class TextEncoder(nn.Module):
    """Encode questions, with earlier turns, and answers to vectors of norm 1 whose dot product is their cosine.

    Args:
        core: Trained core.
        teacher: Its frozen teacher.
        tokenizer: Tokenizer of the teacher.

    Raises:
        ValueError: The core does not record how its teacher reads texts.
    """

    def __init__(self, core: CubeModel, teacher: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        recorded = core.config.teacher or {}
        if missing := [key for key in ("pooling", "prefix", "normalize", "max_length") if recorded.get(key) is None]:
            raise ValueError(f"the core does not record {', '.join(missing)} of its teacher: it maps embeddings only")
        self.core, self.teacher, self.tokenizer = core.eval(), teacher.eval().requires_grad_(False), tokenizer
        self.pooling, self.normalize = str(recorded["pooling"]), bool(recorded["normalize"])
        self.prefix, self.lowercase = str(recorded["prefix"]), bool(recorded.get("lowercase"))
        self.max_length = int(recorded["max_length"])

    @classmethod
    def from_pretrained(cls, model: str, teacher: str | None = None, **hub: Any) -> TextEncoder:
        """Load a core and its teacher.

        Args:
            model: Folder or Hub repository of the core.
            teacher: Folder or Hub repository of the teacher. Default: the recorded repository and commit.
            hub: `revision` of the core's repository, `token`, `cache_dir` and `local_files_only`.

        Raises:
            ValueError: See `of`.
        """
        core = CubeModel.from_pretrained(model, **hub)
        return cls.of(core, teacher, **{key: value for key, value in hub.items() if key != "revision"})

    @classmethod
    def of(cls, core: CubeModel, teacher: str | None = None, **hub: Any) -> TextEncoder:
        """Load the teacher of a core.

        Args:
            core: Trained core.
            teacher: Folder or Hub repository of the teacher. Default: the recorded repository and commit.
            hub: `token`, `cache_dir` and `local_files_only`.

        Raises:
            ValueError: The teacher has no recorded repository or commit, or other weights than in the training.
        """
        recorded = core.config.teacher or {}
        folder = teacher_folder(recorded, teacher, **hub)
        dtype = getattr(torch, recorded.get("dtype") or "float32")
        return cls(core, *load_encoder(folder, dtype))

    def preprocess(
        self, inputs: Sequence[Input], task: str | None = None, prefix: str | None = None
    ) -> dict[str, torch.Tensor]:
        """Tokenise a batch; each distinct turn is encoded once.

        Args:
            inputs: n inputs.
            task: `"document"` for answers; any other value for questions.
            prefix: Text prepended to every turn. Default: that of the teacher.

        Returns:
            `input_ids` and `attention_mask` `[texts, tokens]`, and `turns` `[n, 1 + context_turns]`: the text of the
            question, then of the turns before it, most recent first; -1 for a missing turn.

        Raises:
            ValueError: An input is neither a text nor turns, or an answer has more than one turn.
        """
        rows = [list(reversed(turns_of(item))) for item in inputs]
        width = 1 + self.core.config.context_turns
        if task == "document":
            width = 1
            if any(len(row) > 1 for row in rows):
                raise ValueError("an answer is one text, not several turns")
        texts, turns = distinct_turns(rows, width)
        prefix = self.prefix if prefix is None else prefix
        texts = [prefix + (text.lower() if self.lowercase else text) for text in texts]
        return {**tokens_of(self.tokenizer, texts, self.max_length), "turns": turns}

    def forward(self, features: Mapping[str, torch.Tensor], task: str | None = None) -> torch.Tensor:
        """Encode a batch of `preprocess`.

        Args:
            features: The batch, on the device of the model.
            task: As for `preprocess`.

        Returns:
            Vectors, float32 `[n, embedding_dim]`, of norm 1.
        """
        ids, mask = features["input_ids"], features["attention_mask"]
        states = self.teacher(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        texts = pool(states, mask.bool(), self.pooling, self.normalize)
        texts = functional.pad(texts, (0, 0, 0, 1)).to(self.core.dtype)  # a last row of zeros, to which -1 points
        turns = texts[features["turns"]]
        mapped = self.core.encode_answers(turns[:, 0]) if task == "document" else self.core.encode_questions(turns)
        return functional.normalize(mapped.float(), dim=-1)

    @torch.inference_mode()
    def encode(self, inputs: Sequence[Input], task: str | None = None, batch_size: int = 32) -> torch.Tensor:
        """Encode n inputs.

        Args:
            inputs: As for `preprocess`.
            task: As for `preprocess`.
            batch_size: Number of inputs encoded at once.

        Returns:
            Vectors, float32 `[n, embedding_dim]`, of norm 1, on the processor.

        Raises:
            ValueError: See `preprocess`.
        """
        device, parts = self.core.device, [torch.empty(0, self.core.config.embedding_dim)]
        for start in range(0, len(inputs), batch_size):
            features = self.preprocess(inputs[start : start + batch_size], task)
            parts.append(self({name: value.to(device) for name, value in features.items()}, task).cpu())
        return torch.cat(parts)
