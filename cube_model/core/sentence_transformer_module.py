"""Last module of an exported sentence-transformers model: pooling, then the core's map for questions or answers.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from typing import Any

from sentence_transformers.base.modules import Module
from torch.nn import functional

from .modeling_cube import CubeModel
from .pooling import pool


class CubeSides(Module):
    """Turn token states into mapped question or answer embeddings.

    `encode_query` and `encode` return questions, `encode_document` returns answers. All embeddings have norm 1, so
    their dot product is the cosine. Questions are read without context.

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
        """Add `sentence_embedding`, float32 `[texts, d]`, to the features.

        Args:
            features: `token_embeddings` `[texts, tokens, d]` and `attention_mask` `[texts, tokens]`.
            task: `"document"` for answers; any other value for questions.
            kwargs: Ignored.
        """
        # the teacher may compute in bfloat16; pooling and normalisation use float32
        states, mask = features["token_embeddings"].float(), features["attention_mask"].bool()
        embeddings = pool(states, mask, self.pooling, self.normalize)
        encode = self.core.encode_answers if task == "document" else self.core.encode_questions
        features["sentence_embedding"] = functional.normalize(encode(embeddings.to(self.core.dtype)).float(), dim=-1)
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
