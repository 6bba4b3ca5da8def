"""The contrastive loss: multiple negatives ranking with little padding, and targets from the similarity of labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.util import all_gather, all_gather_with_grad, get_rank
from torch.nn.functional import cross_entropy, normalize

from cube_model.embedder.distillation import SimilarityDistillation, load_distillation_teacher
from cube_model.embedder.streamed_data import StreamedEmbedderData
from cube_model.teacher.teacher import turn_separator

if TYPE_CHECKING:
    from cube_model.embedder.config import EmbedderConfig
    from cube_model.embedder.data import EmbedderData

_TEXTS_AT_ONCE = 32
"""Texts of similar length that are encoded together: fewer are slower, more need more padding."""


Embed = Callable[[SentenceTransformer, Iterable[dict[str, Any]]], list[torch.Tensor]]
"""Makes embeddings `[batch, dimension]` of anchors, positives and negatives from their tokens `[batch, width]`."""


def columns_by_length(model: SentenceTransformer, sentence_features: Iterable[dict[str, Any]]) -> list[torch.Tensor]:
    """Encode each column separately; see `Embed`."""
    features = list(sentence_features)
    padded = "attention_mask" in features[0]  # a static encoder pads no text
    return [texts_by_length(model, each) if padded else model(each)["sentence_embedding"] for each in features]


def texts_by_length(model: SentenceTransformer, tokens: dict[str, Any]) -> torch.Tensor:
    """Encode texts in groups of similar length, which takes less time.

    Turns have 16 tokens on average, but the longest of 128 has 40, to which all would be padded.

    Args:
        model: The encoder.
        tokens: Its input, `attention_mask` `[texts, width]` among it.

    Returns:
        Embeddings `[texts, dimension]`, in the order of the texts.
    """
    mask = tokens["attention_mask"]
    order = mask.sum(dim=1).argsort(stable=True)
    vectors = []
    for rows in order.split(_TEXTS_AT_ONCE):
        width = int(mask[rows].any(dim=0).nonzero().max()) + 1  # left padding stays
        part = {key: _cut(value, rows, mask.shape, width) for key, value in tokens.items()}
        vectors.append(model(part)["sentence_embedding"])
    return torch.cat(vectors)[order.argsort()]


class ByLengthRankingLoss(MultipleNegativesRankingLoss):
    """`MultipleNegativesRankingLoss` that encodes texts in groups of similar length: the same loss in less time.

    Args:
        model: The encoder.
        dimensions: Numbers of first dimensions that are to serve alone; the loss is the mean over them and all.
        embed: Makes the embeddings of a batch.
        distillation: What keeps the similarities of a teacher. The labels then have a second column, the numbers of
            the pairs.
        **options: Arguments of `MultipleNegativesRankingLoss`.

    References:
        Matryoshka representation learning: Kusupati et al. 2022, https://arxiv.org/abs/2205.13147.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        dimensions: Sequence[int] = (),
        embed: Embed = columns_by_length,
        distillation: SimilarityDistillation | None = None,
        **options: Any,
    ) -> None:
        super().__init__(model, **options)
        self._dimensions, self._embed, self._distillation = dimensions, embed, distillation

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: torch.Tensor) -> torch.Tensor:
        """Loss of a batch; `sentence_features`: tokens of anchors, positives and negatives, `[batch, width]` each."""
        embeddings = self._embed(self.model, sentence_features)
        rows = None
        if self._distillation:
            labels, rows = labels.unbind(dim=1)
        loss = self.of_embeddings(embeddings, labels)
        return loss if self._distillation is None or rows is None else loss + self._distillation(embeddings[0], rows)

    def of_embeddings(self, embeddings: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Loss of a batch whose texts are encoded, the mean over the numbers of dimensions.

        Args:
            embeddings: Anchors, positives, negatives: float `[batch, dimension]` each.
            labels: int64 `[batch]`, numbers of labels, or -1 in a batch without.
        """
        losses = [self.compute_loss_from_embeddings(embeddings, labels)]
        for dimension in self._dimensions:
            losses.append(self.compute_loss_from_embeddings([each[:, :dimension] for each in embeddings], labels))
        return torch.stack(losses).mean()


class LabelRankingLoss(ByLengthRankingLoss):
    """Contrasts texts that may share a label with each other as much as their labels differ.

    The target of an anchor is a distribution over the positives of its batch: the softmax of the cosines of its label
    with their labels; with temperature 0, equal labels share it. Pairs without a label have themselves as target. A
    part of the target may be uniform.

    Args:
        model: The encoder.
        label_vectors: Unit vectors of the labels, float32 `[labels, dimension]`.
        label_temperature: Temperature of that softmax: the lower, the less do similar labels count; at 0, not at all.
        smoothing: Share of the target that is uniform, 0 to below 1.
        symmetric: Contrast the anchors of a positive, too.
        **options: Arguments of `ByLengthRankingLoss`.

    References:
        Burdisso et al. 2024, Dialog2Flow, https://arxiv.org/abs/2410.18481, section 4.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        *,
        label_vectors: torch.Tensor,
        label_temperature: float,
        smoothing: float,
        symmetric: bool,
        **options: Any,
    ) -> None:
        super().__init__(model, **options)
        self._label_vectors = label_vectors
        self._temperature, self._smoothing, self._symmetric = label_temperature, smoothing, symmetric

    def compute_loss_from_embeddings(self, embeddings: list[torch.Tensor], labels: torch.Tensor) -> torch.Tensor:
        """Loss of a batch.

        Args:
            embeddings: Anchors, positives, negatives: float `[batch, dimension]` each.
            labels: int64 `[batch]`, numbers of labels, or -1 in a batch without.
        """
        anchors, *others = (normalize(each, dim=1) for each in embeddings)
        everyone = (others, anchors) if not self.gather_across_devices else _gathered(others, anchors)
        all_others, all_anchors = everyone
        all_labels = all_gather(labels) if self.gather_across_devices else labels
        rank = get_rank() if self.gather_across_devices else 0
        own = torch.arange(rank * len(anchors), (rank + 1) * len(anchors), device=anchors.device)
        target: torch.Tensor = own
        if int(labels[0]) >= 0:
            target = self._shares(labels, all_labels)
        scores = self.scale * anchors @ torch.cat(all_others).T
        loss = self._cross_entropy(scores, target)
        if not self._symmetric:
            return loss
        return (loss + self._cross_entropy(self.scale * others[0] @ all_anchors.T, target)) / 2

    def _shares(self, labels: torch.Tensor, all_labels: torch.Tensor) -> torch.Tensor:
        """The target of each label `[batch]` over all labels of the batches of all processes, float `[batch, all]`."""
        if not self._temperature:
            equal = (labels[:, None] == all_labels[None, :]).float()
            return equal / equal.sum(dim=1, keepdim=True)
        cosines = self._label_vectors[labels] @ self._label_vectors[all_labels].T
        return torch.softmax(cosines / self._temperature, dim=1)

    def _cross_entropy(self, scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if target.dim() == 2 and target.shape[1] < scores.shape[1]:  # hard negatives are right for nobody
            target = torch.nn.functional.pad(target, (0, scores.shape[1] - target.shape[1]))
        return cross_entropy(scores, target, label_smoothing=self._smoothing)


def _gathered(others: list[torch.Tensor], anchors: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The vectors of all processes, with gradients."""
    return [all_gather_with_grad(each) for each in others], all_gather_with_grad(anchors)


def contrastive_loss(
    config: EmbedderConfig,
    model: SentenceTransformer,
    data: EmbedderData | StreamedEmbedderData,
    processes: int,
    embed: Embed = columns_by_length,
) -> torch.nn.Module:
    """Multiple negatives ranking, with gradient caching where a batch is computed in parts.

    Args:
        config: The run.
        model: The encoder.
        data: The pairs, with the labels that they may have.
        processes: Number of processes, whose answers are each other's negatives.
        embed: Makes the embeddings of a batch that is not computed in parts.

    References:
        Henderson et al. 2017, https://arxiv.org/abs/1705.00652, section 4.4; Gao et al. 2021,
        https://arxiv.org/abs/2101.06983 (gradient caching).
    """
    options: dict[str, Any] = {"scale": config.scale, "gather_across_devices": processes > 1}
    ranking: dict[str, Any] = {"dimensions": config.matryoshka, "embed": embed}
    if config.distill and not isinstance(data, StreamedEmbedderData):
        teacher = load_distillation_teacher(config.distill, str(model.device))
        ranking["distillation"] = SimilarityDistillation(
            teacher,
            data.anchors,
            turn_separator(model.tokenizer),
            weight=config.distill_weight,
            scale=config.scale,
        )
    if config.has_labels or config.label_smoothing:
        return LabelRankingLoss(
            model,
            label_vectors=_label_vectors(model, getattr(data, "label_texts", []) if config.label_temperature else []),
            label_temperature=config.label_temperature,
            smoothing=config.label_smoothing,
            symmetric=config.symmetric,
            **ranking,
            **options,
        )
    if config.symmetric:
        options |= {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    if config.mini_batch_size < config.batch_size:
        return CachedMultipleNegativesRankingLoss(model, mini_batch_size=config.mini_batch_size, **options)
    return ByLengthRankingLoss(model, **ranking, **options)


def _label_vectors(model: SentenceTransformer, labels: list[str]) -> torch.Tensor:
    """Unit vectors of the labels by the encoder as it is before the training, float32 `[labels, dimension]`."""
    if not labels:
        return torch.zeros(1, 1)
    vectors = model.encode(labels, convert_to_tensor=True, normalize_embeddings=True, show_progress_bar=False)
    return vectors.float().clone().to(model.device)


def _cut(value: Any, rows: torch.Tensor, shape: torch.Size, width: int) -> Any:
    """`rows` of a tensor with a value per token, up to `width`; any other value unchanged."""
    if not isinstance(value, torch.Tensor) or value.shape[:2] != shape:
        return value
    return value[rows, :width]
