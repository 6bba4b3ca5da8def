"""The module with which sentence-transformers opens a core's folder: text in, mapped vector out.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sentence_transformers.base.modules import InputModule

from .text_cube import TextEncoder


class CubeText(InputModule):
    """Turn questions, with earlier turns, and answers into vectors of norm 1.

    `encode_query` and `encode` encode questions, `encode_document` answers. A question may be a conversation, oldest
    turn first and the question last: a list of messages with `role` and `content`, or within the list of inputs a list
    of texts. The core reads its last `context_turns` turns before the question.

    Args:
        encoder: Core with its teacher.
    """

    forward_kwargs: set[str] = {"task"}  # noqa: RUF012  (as the base class declares it)

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder, self.tokenizer = encoder, encoder.tokenizer

    @property
    def modalities(self) -> list[Any]:
        """Kinds of input: texts and conversations."""
        return ["text", "message"]

    @property
    def max_seq_length(self) -> int:
        """Maximum number of tokens per turn."""
        return self.encoder.max_length

    @max_seq_length.setter
    def max_seq_length(self, value: int) -> None:
        self.encoder.max_length = value

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, task: str | None = None, **kwargs: Any
    ) -> dict[str, torch.Tensor | Any]:
        """Tokenise inputs; see `TextEncoder.preprocess`. A prompt replaces the prefix of the teacher."""
        return dict(self.encoder.preprocess(inputs, task, prompt or None))

    def forward(self, features: dict[str, Any], task: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Add `sentence_embedding`, float32 `[n, d]`, to the features."""
        features["sentence_embedding"] = self.encoder(features, task)
        return features

    def get_embedding_dimension(self) -> int:
        """Dimension of the vectors."""
        return int(self.encoder.core.config.embedding_dim)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Save the core, with its code; the teacher stays in its own repository."""
        self.encoder.core.save_pretrained(output_path)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        init_defaults: dict[str, Any] | None = None,
        model_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> CubeText:
        """Load the core from a folder or Hub repository, and its teacher from its own.

        `model_kwargs={"teacher": ...}` names another folder or repository of the same teacher.
        """
        origin = {"token": token, "cache_dir": cache_folder, "local_files_only": local_files_only}
        teacher = (model_kwargs or {}).get("teacher")
        return cls(TextEncoder.from_pretrained(model_name_or_path, teacher, revision=revision or "main", **origin))
