"""A composer that is trained alone before its encoder is."""

import numpy as np
import pytest
import torch

from cube_model.errors import ModelError
from support.dialogue_turns import config, write_dialogues
from support.tiny_teacher import save_tiny_distilbert

pytest.importorskip("sentence_transformers", reason="install the extra `embedder`")


def test_a_composer_alone_learns_and_leaves_the_encoder_as_it_is(tmp_path):
    from safetensors.torch import load_file

    from cube_model.embedder.trainer import train_embedder

    data, output = write_dialogues(tmp_path / "corpus"), tmp_path / "encoder"
    base = save_tiny_distilbert(tmp_path / "tiny", dimension=32)
    record = train_embedder(config(data, base, output, max_steps=0, composer_steps=60))
    assert record["steps"] == 0
    assert [record["history"][0]["step"], record["history"][-1]["step"]] == [1, 60]
    assert record["loss_last"] < 0.9 * record["loss_first"]
    weights, own = load_file(output / "model.safetensors"), load_file(base / "model.safetensors")
    encoder = {name.removeprefix("encoder."): weight for name, weight in weights.items() if name.startswith("encoder.")}
    assert encoder
    assert all(torch.equal(weight, own[name]) for name, weight in encoder.items())
    assert "(cube) was trained alone, and the encoder is the base as it was." in (output / "README.md").read_text()
    with pytest.raises(ModelError, match=r"step \d of the composer alone: .*--composer-learning-rate"):
        train_embedder(config(data, base, tmp_path / "wild", max_steps=0, composer_learning_rate=1e30))
    assert not (tmp_path / "wild").exists()


def test_a_composer_alone_reads_whole_dialogues_and_no_more_of_them_than_its_steps_need():
    from cube_model.embedder.composer_first import _some_dialogues

    dialogues = np.repeat(np.arange(20), 5)
    rows = _some_dialogues(dialogues, 12, seed=0)
    assert len(rows) == 15
    assert len(set(dialogues[rows].tolist())) == 3
    assert (_some_dialogues(dialogues, 12, seed=1) != rows).any()
    assert (_some_dialogues(dialogues, 100, seed=0) == np.arange(100)).all()
