"""Modules of an exported sentence-transformers model: the teacher of each turn, then pooling and the core's map.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentence_transformers.base.modules import Module
from sentence_transformers.base.modules.transformer import Transformer
from torch.nn import functional

from .modeling_cube import CubeModel
from .pooling import pool
from .turns_cube import distinct_turns, turns_of


class TurnsTransformer(Transformer):
    """The teacher, which encodes each distinct turn of a batch once.

    A question is a text; or, within the list of inputs, a list of texts or of messages with `role` and `content`, the
    oldest first and the question last.
    """

    turns = 1
    """Number of turns that the core reads, including the question."""

    @property
    def modalities(self) -> list[Any]:
        """Kinds of input: texts and conversations."""
        return ["text", "message"]

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, processing_kwargs: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Tokenise a batch.

        Args:
            inputs: n questions or answers.
            prompt: Text prepended to every turn.
            processing_kwargs: As for `Transformer`.
            kwargs: `task`: `"document"` for answers, any other value for questions; others as for `Transformer`.

        Returns:
            Tokens of the distinct texts, and `turns` `[n, turns]`: rows of the texts of each question, then of the
            turns before it, most recent first; -1 for a missing turn.

        Raises:
            ValueError: An input is neither a text nor turns, or an answer has more than one turn.
        """
        rows = [turns_of(item)[::-1] for item in inputs]
        answers = kwargs.get("task") == "document"
        if answers and any(len(row) > 1 for row in rows):
            raise ValueError("an answer is one text, not several turns")
        texts, turns = distinct_turns(rows, 1 if answers else self.turns)
        return {**super().preprocess(texts, prompt, processing_kwargs, **kwargs), "turns": turns}

    @classmethod
    def load(cls, model_name_or_path: str, *args: Any, **kwargs: Any) -> TurnsTransformer:
        """Load the module from a folder or Hub repository."""
        module = super().load(model_name_or_path, *args, **kwargs)
        origin = {
            name: kwargs[name] for name in ("token", "cache_folder", "revision", "local_files_only") if name in kwargs
        }
        core = cls.load_config(model_name_or_path, f"1_{CubeSides.__name__}", "config.json", **origin)
        module.turns = 1 + core["context_turns"]
        return module


class CubeSides(Module):
    """Turn token states into mapped question or answer embeddings.

    `encode_query` and `encode` return questions, `encode_document` returns answers. All embeddings have norm 1, so
    their dot product is the cosine.

    Args:
        core: Trained core.
        pooling: Pooling of the teacher: `"mean"`, `"cls"` or `"last"`.
        normalize: Whether to scale the teacher's embeddings to norm 1 before the core reads them.
    """

    config_file_name = "pooling.json"
    config_keys: list[str] = ["pooling", "normalize"]  # noqa: RUF012  (as the base class declares them)
    forward_kwargs: set[str] = {"task"}  # noqa: RUF012

    def __init__(self, core: CubeModel, pooling: str, normalize: bool) -> None:
        super().__init__()
        self.core, self.pooling, self.normalize = core.eval(), pooling, normalize

    def forward(self, features: dict[str, Any], task: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Add `sentence_embedding`, float32 `[n, d]`, to the features.

        Args:
            features: `token_embeddings` `[texts, tokens, d]` and `attention_mask` `[texts, tokens]` of the texts, and
                `turns` `[n, turns]`, their rows.
            task: `"document"` for answers; any other value for questions.
            kwargs: Ignored.
        """
        # the teacher may compute in bfloat16; pooling and normalisation use float32
        states, mask = features["token_embeddings"].float(), features["attention_mask"].bool()
        texts = pool(states, mask, self.pooling, self.normalize).to(self.core.dtype)
        turns = functional.pad(texts, (0, 0, 0, 1))[features["turns"]]  # a last row of zeros, to which -1 points
        mapped = self.core.encode_answers(turns[:, 0]) if task == "document" else self.core.encode_questions(turns)
        features["sentence_embedding"] = functional.normalize(mapped.float(), dim=-1)
        return features

    def get_embedding_dimension(self) -> int:
        """Dimension of the embeddings."""
        return int(self.core.config.embedding_dim)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Save the core and the pooling settings to a folder."""
        self.core.save_pretrained(output_path)
        self.save_config(output_path)

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
        **kwargs: Any,
    ) -> CubeSides:
        """Load the module from a folder or Hub repository."""
        origin: dict[str, Any] = {"token": token, "revision": revision or "main", "local_files_only": local_files_only}
        config = cls.load_config(model_name_or_path, subfolder, cache_folder=cache_folder, **origin)
        core = CubeModel.from_pretrained(model_name_or_path, subfolder=subfolder, cache_dir=cache_folder, **origin)
        return cls(core, **config)
