"""A static encoder to start from: a table of token vectors, distilled from a transformer.

Without a transformer, an encoder is hundreds of times faster: a text is the mean of the vectors of its tokens.

References:
    Tulkens and van Dongen 2024, Model2Vec, https://github.com/MinishLab/model2vec. Its own distillation does not run
    with the versions of transformers that this project needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

from cube_model.errors import ModelError

_TOKENS_AT_ONCE = 1024
_SIF = 1e-4
"""Coefficient of smooth inverse frequency: Arora et al. 2017, https://openreview.net/forum?id=SyK00v5xx."""


def distilled(base: SentenceTransformer, dimension: int) -> SentenceTransformer:
    """Return a static encoder with the tokens of another encoder.

    Each token is encoded on its own. Of the vectors, the `dimension` principal components are kept; each is weighted by
    the inverse of the frequency that Zipf's law gives its token, as vocabularies are sorted by frequency.

    Args:
        base: A transformer with a fast tokenizer.
        dimension: Number of dimensions, at most that of `base`.

    Raises:
        ModelError: The base has fewer dimensions or no fast tokenizer.
    """
    own = int(base.get_embedding_dimension() or 0)
    if dimension > own:
        raise ModelError(f"static {dimension}: the base has only {own} dimensions; lower it")
    tokenizer = getattr(base.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise ModelError("static: the base has no fast tokenizer, or is a static encoder already; leave static out")
    from tokenizers import Tokenizer, processors

    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.post_processor = processors.Sequence([])
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vectors = _token_vectors(base, tokenizer.get_vocab_size())
    vectors -= vectors.mean(axis=0)
    _, axes = np.linalg.eigh(vectors.T @ vectors)  # columns, the last has the largest variance
    axes = axes[:, ::-1][:, :dimension]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dimension)])  # the sign of an axis is arbitrary
    table = (vectors @ axes) * _weights(len(vectors))[:, None]
    static = StaticEmbedding(tokenizer, embedding_weights=np.ascontiguousarray(table, dtype=np.float32))
    return SentenceTransformer(modules=[static, Normalize()], device=str(base.device))


def _token_vectors(base: SentenceTransformer, tokens: int) -> np.ndarray:
    """The embedding of each token as a text of its own, float64 `[tokens, dimension]`."""
    special = base.tokenizer("")["input_ids"]
    before, after = (special[:1], special[1:]) if len(special) > 1 else ([], special)
    rows = []
    with torch.inference_mode():
        for start in range(0, tokens, _TOKENS_AT_ONCE):
            stop = min(tokens, start + _TOKENS_AT_ONCE)
            ids = torch.tensor([[*before, token, *after] for token in range(start, stop)])
            features: dict[str, Any] = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            on_device = {name: value.to(base.device) for name, value in features.items()}
            rows.append(base(on_device)["sentence_embedding"].float().cpu().numpy())
    return np.concatenate(rows).astype(np.float64)


def _weights(tokens: int) -> np.ndarray:
    """Smooth inverse frequency of tokens in the order of their rank, by Zipf's law: float64 `[tokens]`."""
    frequency = 1 / np.arange(2, tokens + 2)
    return _SIF / (_SIF + frequency / frequency.sum())
