"""The losses of the embedder, against their formulas in NumPy."""

import numpy as np
import pytest
import torch

pytest.importorskip("sentence_transformers", reason="install the extra `embedder`")

from cube_model.embedder.loss import ByLengthRankingLoss, LabelRankingLoss

SCALE = 20.0


def vectors(seed: int, rows: int = 6, dimension: int = 8) -> torch.Tensor:
    return torch.randn(rows, dimension, generator=torch.Generator().manual_seed(seed))


def label_loss(label_vectors: torch.Tensor | None = None, temperature: float = 0.35, **options) -> LabelRankingLoss:
    fixed = {"smoothing": 0.0, "symmetric": True, "scale": SCALE}
    labels = torch.eye(6) if label_vectors is None else label_vectors
    return LabelRankingLoss(None, label_vectors=labels, label_temperature=temperature, **{**fixed, **options})


def softmax(scores: np.ndarray) -> np.ndarray:
    values = np.exp(scores - scores.max(1, keepdims=True))
    return values / values.sum(1, keepdims=True)


def by_hand(anchors, positives, label_vectors, labels, temperature, smoothing) -> float:
    a, p = (np.asarray(torch.nn.functional.normalize(each, dim=1)) for each in (anchors, positives))
    chosen = np.asarray(label_vectors)[labels]
    target = softmax(chosen @ chosen.T / temperature)
    target = (1 - smoothing) * target + smoothing / len(a)
    losses = [-(target * np.log(softmax(SCALE * s))).sum(1).mean() for s in (a @ p.T, p @ a.T)]
    return float(np.mean(losses))


def test_at_temperature_zero_equal_labels_share_the_target():
    labels, batch = torch.tensor([0, 1, 2, 0, 3, 1]), [vectors(1), vectors(2)]
    hard = label_loss(temperature=0.0).compute_loss_from_embeddings(batch, labels)
    cold = label_loss(temperature=0.01).compute_loss_from_embeddings(batch, labels)  # the labels are orthogonal
    assert float(hard) == pytest.approx(float(cold), abs=1e-5)
    other = label_loss(temperature=0.0).compute_loss_from_embeddings(batch, torch.arange(6) % 4)
    assert float(hard) != pytest.approx(float(other), abs=1e-3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_targets_follow_the_similarity_of_the_labels(smoothing):
    labels = torch.tensor([0, 1, 2, 0, 3, 1])
    of_labels = torch.nn.functional.normalize(vectors(3, 4), dim=1)
    loss = label_loss(of_labels, smoothing=smoothing)
    value = loss.compute_loss_from_embeddings([vectors(1), vectors(2)], labels)
    assert float(value) == pytest.approx(by_hand(vectors(1), vectors(2), of_labels, labels, 0.35, smoothing), abs=1e-5)


def test_without_labels_it_is_the_plain_loss():
    plain = ByLengthRankingLoss(
        None, scale=SCALE, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    batch, nothing = [vectors(1), vectors(2)], torch.full((6,), -1)
    expected = plain.compute_loss_from_embeddings(batch, nothing)
    assert float(label_loss().compute_loss_from_embeddings(batch, nothing)) == pytest.approx(float(expected), abs=1e-5)
    cold = label_loss(temperature=0.01).compute_loss_from_embeddings(batch, torch.arange(6))
    assert float(cold) == pytest.approx(float(expected), abs=1e-5)


def test_hard_negatives_take_part_and_are_right_for_nobody():
    batch = [vectors(1), vectors(2), vectors(4)]
    with_wrong = label_loss(symmetric=False).compute_loss_from_embeddings(batch, torch.arange(6))
    without = label_loss(symmetric=False).compute_loss_from_embeddings(batch[:2], torch.arange(6))
    assert float(with_wrong) > float(without)


class Embeds(torch.nn.Module):
    """Takes the tokens for the embeddings."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"][:, 0]}


def test_first_dimensions_serve_alone():
    features = [{"attention_mask": torch.ones(6, 1, dtype=torch.int64), "vectors": vectors(n)[:, None]} for n in (1, 2)]
    labels = torch.full((6,), -1)
    plain, nested = ByLengthRankingLoss(Embeds()), ByLengthRankingLoss(Embeds(), dimensions=[2, 4])
    first = [plain.compute_loss_from_embeddings([vectors(n)[:, :d] for n in (1, 2)], labels) for d in (8, 2, 4)]
    assert float(nested(features, labels)) == pytest.approx(float(sum(first)) / 3, abs=1e-5)
