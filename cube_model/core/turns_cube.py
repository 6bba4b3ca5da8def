"""Turns in inputs: their texts, each distinct one once, and their tokens.

Uploaded with the weights, so it imports nothing from this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

Input = str | Mapping[str, Any] | Sequence[Any]
"""A text; or turns, oldest first and the question last, as texts or as messages with `role` and `content`."""


def turns_of(item: Input) -> list[str]:
    """Return the turns of an input, oldest first.

    Raises:
        ValueError: It is neither a text nor turns.
    """
    items = [item] if isinstance(item, str | Mapping) else list(item) if isinstance(item, Sequence) else []
    if not items:
        raise ValueError(f"{item!r}: expected a text, or turns with the question last")
    return [_text(turn) for turn in items]


def _text(turn: Any) -> str:
    content = turn.get("content") if isinstance(turn, Mapping) else turn
    if isinstance(content, list):  # parts of a message; only texts are read
        content = "\n".join(part["text"] for part in content if isinstance(part, Mapping) and "text" in part)
    if not isinstance(content, str):
        raise ValueError(f"{turn!r}: expected a text, or a message with `role` and `content`")
    return content


def distinct_turns(rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], torch.Tensor]:
    """Number the distinct texts of questions, so that each is encoded once.

    Args:
        rows: Turns of n questions: the question, then the turns before it, most recent first.
        width: Maximum number of turns to read.

    Returns:
        The distinct texts, and their numbers `[n, width]`; -1 for a missing turn.
    """
    numbers: dict[str, int] = {}
    turns = torch.full((len(rows), width), -1)
    for i, row in enumerate(rows):
        for position, text in enumerate(row[:width]):
            turns[i, position] = numbers.setdefault(text, len(numbers))
    return list(numbers), turns


def tokens_of(tokenizer: Any, texts: Sequence[str], max_length: int) -> dict[str, torch.Tensor]:
    """Tokenise texts, with padding on the right: real tokens of a causal model then never attend to it.

    Args:
        tokenizer: Tokenizer of the encoder.
        texts: m texts, with their prefix.
        max_length: Maximum number of tokens per text.

    Returns:
        `input_ids` and `attention_mask` `[m, width]`.
    """
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length, padding=False)["input_ids"]
    # a tokenizer without special tokens returns no tokens for "", but pooling needs at least one
    ids = [torch.tensor(tokens or [tokenizer.eos_token_id or 0]) for tokens in encoded]
    masks = [torch.ones_like(tokens) for tokens in ids]
    pad = nn.utils.rnn.pad_sequence
    return {"input_ids": pad(ids, True, tokenizer.pad_token_id or 0), "attention_mask": pad(masks, True)}
