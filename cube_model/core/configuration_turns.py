"""Configuration of an encoder of turns: a text encoder, and how the vectors of turns become one.

Uploaded with the weights, so it imports nothing else from this project.
"""

from __future__ import annotations

from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

COMPOSERS = ("cube", "attention", "gru", "mean")
"""What composes the vectors of turns; all but the mean have about `embedding_dim` squared parameters."""


@strict
class TurnsConfig(PreTrainedConfig):
    """Shape of an encoder of turns.

    Args:
        encoder: Configuration of the text encoder, with its `model_type`.
        embedding_dim: Dimension of its vectors.
        composer: One of `COMPOSERS`.
        core: For the composer `"cube"`, arguments of `CubeConfig` other than dimension and number of turns.
        context_turns: Maximum number of turns before the question that the composer reads.
        pooling: Pooling of the encoder: `"mean"`, `"cls"` or `"last"`.
        normalize: Whether the vector of a turn is scaled to norm 1.
        prefix: Text prepended to every turn.
        lowercase: Whether turns are converted to lower case first.
        max_length: Maximum number of tokens per turn.
        turn_separator: Text between the turns of a question that comes as one text, most recent turn first.
    """

    model_type = "dialogue-turns"

    encoder: dict[str, Any] | None = None
    embedding_dim: int = 384
    composer: str = "cube"
    core: dict[str, Any] | None = None
    context_turns: int = 2
    pooling: str = "mean"
    normalize: bool = True
    prefix: str = ""
    lowercase: bool = False
    max_length: int = 128
    turn_separator: str = "\n"

    def validate_composer(self) -> None:
        """Check that the composer exists and has turns to compose."""
        if self.composer not in COMPOSERS:
            raise ValueError(f"composer is {self.composer!r}: expected one of {', '.join(COMPOSERS)}")
        if self.context_turns < 1:
            raise ValueError(f"context_turns is {self.context_turns}: expected at least 1, else nothing is composed")
