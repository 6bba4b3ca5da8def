"""Keeping the similarities of a teacher while an encoder is fine-tuned."""

import pytest
import torch

from cube_model.embedder.config import EmbedderConfig
from cube_model.errors import ModelError
from support.annotated_dialogues import write_annotated
from support.tiny_teacher import save_tiny_distilbert

pytest.importorskip("sentence_transformers", reason="install the extra `embedder`")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_distilbert(tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_annotated(tmp_path_factory.mktemp("data") / "corpus")


def trained(data, base, output, **options):
    from cube_model.embedder.trainer import train_embedder

    common = {"batch_size": 8, "learning_rate": 3e-3, "max_steps": 20, "threads": 1, "progress": False}
    config = EmbedderConfig(str(data), str(output), str(base), max_pairs=0, same_action=100, **common, **options)
    train_embedder(config)
    return output


def divergence(encoder, base) -> float:
    from sentence_transformers import SentenceTransformer

    from cube_model.embedder.distillation import similarity_divergence

    texts = ["Which bar is cheap?", "Book a room for two nights.", "The bar is in the north.", "Goodbye and thanks!"]
    after, before = (
        torch.tensor(SentenceTransformer(str(folder), device="cpu").encode(texts)) for folder in (encoder, base)
    )
    return similarity_divergence(after, before, 20.0).item()


def test_the_encoder_stays_nearer_to_the_teacher(data, base, tmp_path):
    alone = trained(data, base, tmp_path / "alone")
    held = trained(data, base, tmp_path / "held", distill=str(base), distill_weight=5.0)
    again = trained(data, base, tmp_path / "again", distill=str(base), distill_weight=5.0)
    assert divergence(held, base) < 0.6 * divergence(alone, base)
    assert (held / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()


def test_a_teacher_that_cannot_be_read_is_named(data, base, tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        trained(data, base, tmp_path / "out", distill=str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=r"mini_batch_size 4 .*distill"):
        trained(data, base, tmp_path / "out", distill=str(base), mini_batch_size=4)
