"""Similarities of a teacher that an encoder keeps while it learns something else.

Answers pull an encoder away from what it knows about texts like each other: after training on dialogues alone, it is
worse on intents. Here, the similarities of the anchors of a batch are held near those that a frozen encoder sees.
Anchors with earlier turns are left alone: an encoder that was not trained on dialogues finds them alike whenever
the earlier turns are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import kl_div, normalize

from cube_model.errors import ModelError
from cube_model.machine import has_native_bfloat16
from cube_model.teacher.find import find_teacher, first_line
from cube_model.teacher.quiet import quiet_transformers

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SimilarityDistillation:
    """The difference of an encoder's similarities of texts to those of a teacher.

    Args:
        teacher: The frozen encoder, of any dimension and vocabulary.
        texts: The texts that the encoder is trained on.
        separator: Separator of a text and its earlier turns.
        weight: What the difference counts in the loss.
        scale: Factor on the cosines: 1 / temperature.

    References:
        Fang et al. 2021, SEED: Self-supervised distillation for visual representation,
        https://arxiv.org/abs/2101.04731, equation 4.
    """

    def __init__(
        self, teacher: SentenceTransformer, texts: Sequence[str], separator: str, *, weight: float, scale: float
    ) -> None:
        self._teacher, self._texts, self._separator = teacher, texts, separator
        self._weight, self._scale = weight, scale

    def __call__(self, embeddings: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return the weighted divergence of the similarities of a batch, a scalar.

        Args:
            embeddings: The encoder's vectors of some texts, float `[batch, dimension]`.
            rows: Which texts these are, int64 `[batch]`.
        """
        texts = [self._texts[row] for row in rows.tolist()]
        single = [i for i, text in enumerate(texts) if self._separator not in text]
        if len(single) < 2:
            return embeddings.new_zeros(())
        texts, embeddings = [texts[i] for i in single], embeddings[single]
        with torch.no_grad():
            targets = self._teacher.encode(texts, convert_to_tensor=True, show_progress_bar=False)
        return self._weight * similarity_divergence(embeddings.float(), targets.float(), self._scale)


def similarity_divergence(vectors: torch.Tensor, targets: torch.Tensor, scale: float) -> torch.Tensor:
    """Return how far the similarities of vectors are from those of their targets, a scalar of at least 0.

    The similarities of a vector to all others are a distribution, the softmax of their cosines; the divergence is that
    of Kullback and Leibler from the targets' distribution, its mean over the vectors.

    Args:
        vectors: Float `[n, d]`, n at least 2.
        targets: Float `[n, any]`.
        scale: Factor on the cosines.

    >>> import torch
    >>> vectors = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> turned = vectors @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    >>> round(similarity_divergence(vectors, turned, 20.0).item(), 6)
    0.0
    >>> similarity_divergence(vectors, vectors.flip(0)[[1, 0, 2]], 20.0).item() > 0.1
    True
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    logs = []
    for each in (vectors, targets):
        unit = normalize(each, dim=1)
        logs.append((scale * unit @ unit.T).masked_fill(itself, -1e4).log_softmax(dim=1))
    return kl_div(logs[0], logs[1], reduction="batchmean", log_target=True)


def load_distillation_teacher(name: str, device: str) -> SentenceTransformer:
    """Load the frozen encoder, in bfloat16 where the hardware computes in it natively.

    Args:
        name: Short name of a teacher, folder or Hub repository.
        device: Where it computes.

    Raises:
        ModelError: It is unavailable or unreadable.
    """
    from sentence_transformers import SentenceTransformer

    folder, _, _ = find_teacher(name, None)
    try:
        with quiet_transformers():
            teacher = SentenceTransformer(str(folder), device=device, local_files_only=True)
    except Exception as error:  # an unreadable folder raises one of a dozen types
        raise ModelError(f"--distill {name}: cannot read {folder}: {first_line(error)}") from error
    teacher.requires_grad_(False)
    return teacher.eval().to(dtype=torch.bfloat16 if has_native_bfloat16(device) else torch.float32)
