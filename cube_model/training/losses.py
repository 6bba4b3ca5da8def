"""Losses of a core. Only training needs them, so they are not uploaded with the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

_HIGHEST_TEMPERATURE = 100.0
"""As in CLIP (arXiv:2103.00020); beyond it, training becomes unstable."""


class DialogueLoss(nn.Module):
    """(1 - w) x contrastive loss + w x cosine distance to the teacher's answer.

    The contrastive part is the cross-entropy of the true answer among the answers of all processes' batches, scored by
    cosine times a learned temperature. Answers equal to the true one are excluded; the mined negatives of a question
    are wrong answers for that question alone. The cosine part compares with the teacher's embedding of the answer, not
    with the mapped answer: if both could move, all would meet in a single point.

    Args:
        model: Core; a part of this module, so that everything learned is wrapped together.
        noise: Expected norm of the Gaussian noise added to embeddings of norm 1 in training, missing turns included.
        temperature: Factor on the cosine before training.
        cosine_weight: w, 0 to 1.
        label_smoothing: Share of the contrastive target that all answers have in common, 0 to below 1.
    """

    def __init__(
        self,
        model: CubeModel,
        *,
        noise: float,
        temperature: float,
        cosine_weight: float,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.model, self.noise, self.cosine_weight = model, noise, cosine_weight
        self.label_smoothing = label_smoothing
        # without the contrastive part it gets no gradient, which DDP expects of every trained parameter
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=cosine_weight < 1)

    def forward(
        self,
        questions: torch.Tensor,
        answers: torch.Tensor,
        labels: torch.Tensor,
        negatives: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss of a batch.

        Args:
            questions: Embeddings `[batch, turns, dimension]`, see `CubeModel.encode_questions`.
            answers: Embeddings `[batch, dimension]`; row i answers question i.
            labels: Int `[batch]`, equal for equal answers.
            negatives: Embeddings of wrong answers `[batch, k, dimension]`, rows of zeros where there are fewer than k.
        """
        mapped = self.model.encode_questions(self._noisy(questions))
        loss = questions.new_zeros(())
        if self.cosine_weight < 1:
            mapped_answers = self.model.encode_answers(self._noisy(answers))
            wrong = None if negatives is None else self._encode_negatives(negatives)
            loss = (1 - self.cosine_weight) * contrastive_loss(
                mapped, mapped_answers, labels, self.log_temperature, wrong, self.label_smoothing
            )
        if self.cosine_weight > 0:
            loss = loss + self.cosine_weight * cosine_distance(mapped, answers)
        return loss

    def _encode_negatives(self, negatives: torch.Tensor) -> torch.Tensor:
        """Map negatives to norm 1; missing ones remain rows of zeros."""
        exist = (negatives.abs().sum(-1, keepdim=True) > 0).to(negatives.dtype)
        flat = self.model.encode_answers(self._noisy(negatives).flatten(0, 1))
        return functional.normalize(flat.float(), dim=-1).view_as(negatives) * exist

    def _noisy(self, vectors: torch.Tensor) -> torch.Tensor:
        return noisy(vectors, self.noise) if self.training else vectors


class AutoencoderLoss(nn.Module):
    """Cosine distance between restored and original embedding.

    Args:
        model: Core in mode `"autoencoder"`.
        noise: Expected norm of the Gaussian noise added to the input, not to the original that it is compared with.
    """

    def __init__(self, model: CubeModel, *, noise: float) -> None:
        super().__init__()
        self.model, self.noise = model, noise

    def forward(
        self, questions: torch.Tensor, answers: torch.Tensor, labels: Any = None, negatives: Any = None
    ) -> torch.Tensor:
        """Return the loss of a batch, see `DialogueLoss`: the first turns are encoded, `answers` are the originals."""
        inputs = noisy(questions[:, 0], self.noise) if self.training else questions[:, 0]
        return cosine_distance(self.model(inputs).embeddings, answers)


def noisy(vectors: torch.Tensor, norm: float) -> torch.Tensor:
    """Add Gaussian noise of an expected norm to each vector."""
    if not norm:
        return vectors
    return torch.add(vectors, torch.randn_like(vectors), alpha=norm / math.sqrt(vectors.shape[-1]))


def cosine_distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the mean of 1 - cosine over the rows of `[batch, dimension]`, in float32."""
    return 1 - functional.cosine_similarity(one.float(), other.float(), dim=-1).mean()


def contrastive_loss(
    questions: torch.Tensor,
    answers: torch.Tensor,
    labels: torch.Tensor,
    log_temperature: torch.Tensor,
    negatives: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the cross-entropy of the true answer among the answers of all processes, in float32.

    The answers of other processes keep their gradients, so n processes with b pairs learn exactly like one with n x b.

    Args:
        questions: Mapped questions `[batch, dimension]`, of any norm.
        answers: Mapped answers `[batch, dimension]`, of any norm; row i answers question i.
        labels: Int `[batch]`, equal for equal answers.
        log_temperature: Scalar.
        negatives: Mapped wrong answers `[batch, k, dimension]` of norm 1, zeros where missing.
        label_smoothing: Share of the target that all answers have in common.
    """
    with torch.autocast(questions.device.type, enabled=False):
        questions = functional.normalize(questions.float(), dim=-1)
        everyones, all_labels, first = gather_answers(functional.normalize(answers.float(), dim=-1), labels)
        scores = questions @ everyones.T
        own = first + torch.arange(len(scores), device=scores.device)
        equal = labels[:, None] == all_labels[None, :]
        equal = equal & (own[:, None] != torch.arange(len(everyones), device=scores.device)[None, :])
        if negatives is not None:
            scores = torch.cat([scores, torch.einsum("bd,bkd->bk", questions, negatives)], dim=1)
            equal = torch.cat([equal, (negatives == 0).all(-1)], dim=1)
        # masked after scaling: -inf times the temperature would give the temperature a gradient of nan
        scores = scores * log_temperature.float().clamp(max=math.log(_HIGHEST_TEMPERATURE)).exp()
        return answer_loss(scores, own, equal, label_smoothing)


def answer_loss(
    scores: torch.Tensor, own: torch.Tensor, excluded: torch.Tensor, label_smoothing: float = 0.0
) -> torch.Tensor:
    """Return the cross-entropy of the true answer, a scalar.

    Args:
        scores: Float `[batch, answers]`.
        own: Number of the true answer of each row, int64 `[batch]`.
        excluded: Answers that are neither right nor wrong, bool `[batch, answers]`.
        label_smoothing: Share of the target that is the same for all answers that are not excluded, 0 to below 1
            (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7).

    >>> scores, none = torch.zeros(1, 4), torch.zeros(1, 4, dtype=torch.bool)
    >>> round(answer_loss(scores, torch.tensor([0]), none, 0.1).item(), 3)  # log 4
    1.386
    """
    masked = scores.masked_fill(excluded, float("-inf"))
    loss = functional.cross_entropy(masked, own)
    if not label_smoothing:
        return loss
    # `cross_entropy` would smooth over the excluded answers, too, whose logarithm is -inf
    logs = masked.log_softmax(dim=1).masked_fill(excluded, 0)
    uniform = -(logs.sum(dim=1) / (~excluded).sum(dim=1)).mean()
    return (1 - label_smoothing) * loss + label_smoothing * uniform


def gather_answers(answers: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return answers and labels of all processes, in their order, and the position of this process's first row.

    The batches of all processes have the same size, as Accelerate fills up the last one.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return answers, labels, 0
    # torch's documented successor of `torch.distributed.nn.functional.all_gather`; it passes the gradient on
    from torch.distributed._functional_collectives import all_gather_single

    everyone: Any = torch.distributed.group.WORLD
    first = torch.distributed.get_rank() * len(answers)
    return all_gather_single(answers, 0, everyone), all_gather_single(labels, 0, everyone), first
