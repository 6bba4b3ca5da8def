"""The last module of an exported model: pooling, and the core's side for questions or for answers.

Copied beside the weights: it imports nothing of this project but the files that are copied with it.
"""

from __future__ import annotations

from typing import Any

from sentence_transformers.base.modules import Module
from torch.nn import functional

from .modeling_cube import CubeModel
from .pooling import pool


class CubeSides(Module):
    """Token states -> the vector of a question, mapped by the core, or of an answer.

    `encode_query` and `encode` give questions, `encode_document` gives answers. Both have length 1, so that their dot
    product is the cosine. A question is read without earlier turns.

    Args:
        core: The trained core.
        pooling: The teacher's: `"mean"`, `"cls"` or `"last"`.
        normalize: The teacher's vectors are scaled to length 1 before the core reads them.
    """

    config_file_name = "pooling.json"
    config_keys: list[str] = ["pooling", "normalize"]  # noqa: RUF012  (as the base class declares them)
    forward_kwargs: set[str] = {"task"}  # noqa: RUF012

    def __init__(self, core: CubeModel, pooling: str, normalize: bool) -> None:
        super().__init__()
        self.core, self.pooling, self.normalize = core.eval(), pooling, normalize

    def forward(self, features: dict[str, Any], task: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """Add `sentence_embedding` float32 `[texts, d]`.

        Args:
            features: `token_embeddings` `[texts, tokens, d]` and `attention_mask` `[texts, tokens]`.
            task: `"document"`: answers; anything else: questions.
            kwargs: Not used.
        """
        # the teacher may compute in bfloat16; what follows it does not
        states, mask = features["token_embeddings"].float(), features["attention_mask"].bool()
        given = pool(states, mask, self.pooling)
        if self.normalize:
            given = functional.normalize(given, dim=-1)
        side = self.core.encode_answers if task == "document" else self.core.encode_questions
        features["sentence_embedding"] = functional.normalize(side(given.to(self.core.dtype)).float(), dim=-1)
        return features

    def get_embedding_dimension(self) -> int:
        """Numbers of a vector."""
        return int(self.core.config.embedding_dim)

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write core and pooling to a folder."""
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
        """Read them from a folder or Hub repository."""
        place: dict[str, Any] = {"token": token, "revision": revision or "main", "local_files_only": local_files_only}
        config = cls.load_config(model_name_or_path, subfolder, cache_folder=cache_folder, **place)
        core = CubeModel.from_pretrained(model_name_or_path, subfolder=subfolder, cache_dir=cache_folder, **place)
        return cls(core, **config)
