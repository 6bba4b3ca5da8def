"""An encoder of turns: it encodes each turn separately, and a composer combines their vectors into one.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.utils import ModelOutput

from .composers import initialize, make_composer
from .configuration_turns import TurnsConfig
from .pooling import pool


@dataclass
class TurnsOutput(ModelOutput):
    """Output of `TurnsModel`.

    Args:
        embeddings: Vectors of questions or answers `[n, embedding_dim]`, of norm 1.
        text_embeddings: Vectors of the texts, which `compose` reads, `[texts, embedding_dim]`.
    """

    embeddings: torch.Tensor | None = None
    text_embeddings: torch.Tensor | None = None


class TurnsModel(PreTrainedModel):
    """Encode questions with earlier turns, and answers, to vectors of norm 1 whose dot product is their cosine.

    A chat needs one pass of the encoder per new utterance: keep the vectors of `encode_texts`, and `compose` them.

    Args:
        config: Shape of the model.
    """

    config_class = TurnsConfig
    base_model_prefix = "turns"
    main_input_name = "input_ids"
    _keep_in_fp32_modules_strict = ["composer"]  # noqa: RUF012  small, and reads float32 vectors

    def __init__(self, config: TurnsConfig) -> None:
        from transformers import AutoConfig, AutoModel  # whose import may register this class

        super().__init__(config)
        encoder = dict(config.encoder or {})
        text_config = AutoConfig.for_model(encoder.pop("model_type"), **encoder)
        # the precision in which this model is loaded, not the one that the encoder's own configuration records
        self.encoder: Any = AutoModel.from_config(text_config, dtype=torch.get_default_dtype())
        self.composer: Any = make_composer(config.composer, config.embedding_dim, config.context_turns, config.core)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        initialize(module)

    def encode_texts(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Encode texts one by one.

        Args:
            input_ids: Tokens `[texts, width]`.
            attention_mask: Their mask `[texts, width]`.

        Returns:
            Vectors, float32 `[texts, embedding_dim]`: what `compose` reads.
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        return pool(states, attention_mask.bool(), self.config.pooling, self.config.normalize)

    def compose(self, vectors: torch.Tensor) -> torch.Tensor:
        """Compose the vectors of turns into those of questions.

        Args:
            vectors: Vectors of `encode_texts`, `[n, 1 + k, embedding_dim]`: the question, then at most `context_turns`
                turns before it, most recent first. A row of zeros marks a missing turn.

        Returns:
            Vectors of norm 1, `[n, embedding_dim]`.
        """
        compose = self.composer.encode_questions if self.config.composer == "cube" else self.composer
        return functional.normalize(compose(vectors).float(), dim=-1)

    def answers(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the vectors of answers, of norm 1, from those of `encode_texts`, `[n, embedding_dim]`."""
        mapped = self.composer.encode_answers(vectors) if self.config.composer == "cube" else vectors
        return functional.normalize(mapped.float(), dim=-1)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        turns: torch.Tensor | None = None,
        return_dict: bool = True,
    ) -> TurnsOutput | tuple[torch.Tensor, ...]:
        """Encode texts, and compose some of them.

        Args:
            input_ids: Tokens of distinct texts `[texts, width]`.
            attention_mask: Their mask `[texts, width]`.
            turns: Rows of the texts of each question, `[n, 1 + k]`, as for `compose`; -1 marks a missing turn. Default:
                the texts are answers.
            return_dict: Whether to return a `TurnsOutput`; otherwise a tuple.
        """
        texts = self.encode_texts(input_ids, attention_mask)
        embeddings = self.answers(texts) if turns is None else self.compose(rows_of(texts, turns))
        output = TurnsOutput(embeddings=embeddings, text_embeddings=texts)
        return output if return_dict else output.to_tuple()


def rows_of(vectors: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Return `vectors` `[m, d]` at `turns` `[n, k]`, `[n, k, d]`, zeros where a turn is -1."""
    return functional.pad(vectors, (0, 0, 0, 1))[turns]


# makes `save_pretrained` copy the code next to the weights: `trust_remote_code=True` then works without this package
TurnsConfig.register_for_auto_class()
TurnsModel.register_for_auto_class("AutoModel")
