"""A static teacher: a table of token vectors, as `StaticEmbedding` of sentence-transformers saves it.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerFast
from transformers.modeling_outputs import BaseModelOutput

from .teacher_cube import is_static


class StaticEncoder(nn.Module):
    """Token states that depend on the token alone.

    Args:
        table: Token vectors, `[tokens, dimension]`.
    """

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.config = PretrainedConfig()
        self.config.hidden_size = table.shape[1]
        self.embedding = nn.Embedding.from_pretrained(table)

    @property
    def device(self) -> torch.device:
        """Device of the table."""
        return self.embedding.weight.device

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> BaseModelOutput:
        """Return the states `[texts, tokens, dimension]` of token ids `[texts, tokens]`."""
        return BaseModelOutput(last_hidden_state=self.embedding(input_ids))


def load_encoder(folder: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """Load a text encoder, a transformer or a static one, and its tokenizer; nothing is downloaded.

    Args:
        folder: Folder of the encoder.
        dtype: Precision of the weights.

    Raises:
        ValueError: The table of a static encoder is not one of sentence-transformers.
        OSError: A file is missing.
    """
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if not is_static(folder):
        model = AutoModel.from_pretrained(folder, **local, dtype=dtype)
        model = model.get_encoder() if model.config.is_encoder_decoder else model
        model.config.use_cache = False  # the cache speeds up generation only
        return model, AutoTokenizer.from_pretrained(folder, **local)
    from safetensors.torch import load_file
    from tokenizers import Tokenizer, processors

    weights = load_file(folder / "model.safetensors")
    if set(weights) != {"embedding.weight"}:
        raise ValueError(
            f"{folder}: a table with {', '.join(sorted(weights))} instead of embedding.weight: load it with "
            "StaticEmbedding.from_model2vec of sentence-transformers, and save it"
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.post_processor = processors.Sequence([])  # sentence-transformers adds no special tokens either
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return StaticEncoder(weights["embedding.weight"].to(dtype)), PreTrainedTokenizerFast(tokenizer_object=tokenizer)
