"""What a core is trained by. Only training needs it: nothing here is uploaded with the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from cube_model.core.modeling_cube import CubeModel

_HIGHEST_TEMPERATURE = 100.0
"""As in CLIP (arXiv:2103.00020): beyond it training becomes unstable."""


class DialogueLoss(nn.Module):
    """(1 - w) x contrastive loss + w x cosine distance to the teacher's answer.

    The contrastive part is the cross-entropy of the true answer among all answers of the batch, of every process, on
    cosine times a learned temperature; an answer equal to the true one is left out, mined negatives of a question are
    further wrong answers of that question alone. The cosine part compares with the answer's own vector, not with the
    mapped one: two sides that may both move would meet in a single point.

    Args:
        model: The core; it is a part of this module, so that one `accelerator.prepare` wraps all that learns.
        noise: Length of the Gaussian noise put on vectors of length 1 while training; missing turns get it too.
        temperature: Factor on the cosine before training.
        cosine_weight: w.
    """

    def __init__(self, model: CubeModel, *, noise: float, temperature: float, cosine_weight: float) -> None:
        super().__init__()
        self.model, self.noise, self.cosine_weight = model, noise, cosine_weight
        # a run without the contrastive part has no use for it, and DDP wants a gradient of every parameter
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)), requires_grad=cosine_weight < 1)

    def forward(
        self,
        questions: torch.Tensor,
        answers: torch.Tensor,
        labels: torch.Tensor,
        negatives: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss of one batch.

        Args:
            questions: `[batch, turns, dimension]`, see `CubeModel.encode_questions`.
            answers: `[batch, dimension]`; row i answers question i.
            labels: int `[batch]`, equal for equal answers.
            negatives: `[batch, k, dimension]`; a missing one is a row of zeros.
        """
        mapped = self.model.encode_questions(self._noisy(questions))
        loss = questions.new_zeros(())
        if self.cosine_weight < 1:
            mapped_answers = self.model.encode_answers(self._noisy(answers))
            wrong = None if negatives is None else self._encode_negatives(negatives)
            loss = (1 - self.cosine_weight) * contrastive_loss(
                mapped, mapped_answers, labels, self.log_temperature, wrong
            )
        if self.cosine_weight > 0:
            loss = loss + self.cosine_weight * cosine_distance(mapped, answers)
        return loss

    def _encode_negatives(self, negatives: torch.Tensor) -> torch.Tensor:
        """Mapped negatives of length 1; rows of zeros stay zero, by which they are known as missing."""
        there = (negatives.abs().sum(-1, keepdim=True) > 0).to(negatives.dtype)
        flat = self.model.encode_answers(self._noisy(negatives).flatten(0, 1))
        return functional.normalize(flat.float(), dim=-1).view_as(negatives) * there

    def _noisy(self, vectors: torch.Tensor) -> torch.Tensor:
        return noisy(vectors, self.noise) if self.training else vectors


class AutoencoderLoss(nn.Module):
    """Cosine distance of the restored vector to the true one.

    Args:
        model: A core in mode `"autoencoder"`.
        noise: Length of the Gaussian noise put on what is encoded, not on what it is compared with.
    """

    def __init__(self, model: CubeModel, *, noise: float) -> None:
        super().__init__()
        self.model, self.noise = model, noise

    def forward(
        self,
        questions: torch.Tensor,
        answers: torch.Tensor,
        labels: torch.Tensor,
        negatives: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss of one batch; takes the first of the turns, and `answers` as what to restore."""
        given = noisy(questions[:, 0], self.noise) if self.training else questions[:, 0]
        return cosine_distance(self.model(given).embeddings, answers)


def noisy(vectors: torch.Tensor, length: float) -> torch.Tensor:
    """`vectors` with Gaussian noise of that expected length on each."""
    if not length:
        return vectors
    return torch.add(vectors, torch.randn_like(vectors), alpha=length / math.sqrt(vectors.shape[-1]))


def cosine_distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mean of 1 - cosine over the rows of `[batch, dimension]`, in float32."""
    return 1 - functional.cosine_similarity(one.float(), other.float(), dim=-1).mean()


def contrastive_loss(
    questions: torch.Tensor,
    answers: torch.Tensor,
    labels: torch.Tensor,
    log_temperature: torch.Tensor,
    negatives: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross-entropy of the true answer among the answers of all processes, in float32 whatever the weights are.

    Answers of other processes come with their gradient: n processes of b pairs learn exactly as one of n x b.

    Args:
        questions: `[batch, dimension]`, mapped, of any length.
        answers: `[batch, dimension]`, likewise; row i answers question i.
        labels: int `[batch]`, equal for equal answers.
        log_temperature: Scalar.
        negatives: `[batch, k, dimension]` of length 1, mapped; zeros where missing.
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
        # masked after scaling: -inf times a temperature would give it no gradient but nan
        scores = scores * log_temperature.float().clamp(max=math.log(_HIGHEST_TEMPERATURE)).exp()
        return functional.cross_entropy(scores.masked_fill(equal, float("-inf")), own)


def gather_answers(answers: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Answers and labels of all processes, in their order, and the place of this process's first row.

    All processes have batches of one size (Accelerate fills the last one up).
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return answers, labels, 0
    # torch's documented successor of `torch.distributed.nn.functional.all_gather`; it passes the gradient on
    from torch.distributed._functional_collectives import all_gather_single

    everyone: Any = torch.distributed.group.WORLD
    first = torch.distributed.get_rank() * len(answers)
    return all_gather_single(answers, 0, everyone), all_gather_single(labels, 0, everyone), first
