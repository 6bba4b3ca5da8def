import numpy as np
import pytest
import torch

from cube_model import CubeConfig, CubeModel, ModelError
from cube_model.inference.processor import EmbeddingProcessor


def vectors(*shape, seed=0):
    drawn = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def shaken(**options):
    torch.manual_seed(0)
    model = CubeModel(CubeConfig(embedding_dim=24, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def test_one_vector_and_many_agree_and_have_length_one():
    processor, given = EmbeddingProcessor(shaken(context_turns=1)), vectors(5, 24)
    many = processor.process_batch(given)
    np.testing.assert_allclose(np.linalg.norm(many, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(processor.process(given[2]), many[2], atol=1e-6)
    np.testing.assert_array_equal(processor.process_batch(torch.from_numpy(given)), many)
    assert not np.allclose(processor.process_batch(vectors(5, 2, 24)), processor.process_batch(vectors(5, 2, 24)[:, 0]))


def test_metrics_of_the_untrained_core_are_those_of_the_vectors():
    questions, answers = vectors(50, 24), vectors(50, 24, seed=1)
    figures = EmbeddingProcessor(CubeModel(CubeConfig(embedding_dim=24))).metrics(questions, answers)
    cosines = (questions * answers).sum(1)
    assert figures["mean_cosine"] == pytest.approx(cosines.mean(), abs=1e-6)
    assert figures["min_cosine"] == pytest.approx(cosines.min(), abs=1e-6)
    assert figures["mse"] == pytest.approx(((questions - answers) ** 2).mean(), rel=1e-4)
    found = (questions @ answers.T).argmax(1) == np.arange(50)
    assert figures["accuracy_1_of_n"] == pytest.approx(found.mean())


def test_variations_grow_with_the_temperature_around_the_answer():
    processor, given = EmbeddingProcessor(shaken(), "generator", seed=3), vectors(24)
    answer = processor.process(given)
    near, far = (processor.variations(given, 64, temperature=t) @ answer for t in (0.2, 1.0))
    assert 1 > near.mean() > far.mean()
    np.testing.assert_allclose(processor.variations(given, 3, temperature=0), np.tile(answer, (3, 1)), atol=1e-6)
    again = [EmbeddingProcessor(shaken(), seed=3).variations(given, 4) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_codes_of_an_autoencoder():
    processor, given = EmbeddingProcessor(shaken(mode="autoencoder", code_size=6)), vectors(7, 24)
    codes = processor.encode(given)
    assert codes.shape == (7, 6)
    np.testing.assert_allclose(processor.decode(codes), processor.process_batch(given), atol=1e-6)
    assert "accuracy_1_of_n" not in processor.metrics(given, given)


def test_what_does_not_fit_is_named_in_one_line(tmp_path):
    dialogue, autoencoder = shaken(), shaken(mode="autoencoder")
    calls = [
        (lambda: EmbeddingProcessor(dialogue, "autoencoder"), "made for mode dialogue"),
        (lambda: EmbeddingProcessor(autoencoder, "dialogue"), "made for mode autoencoder"),
        (lambda: EmbeddingProcessor(dialogue, "painter"), "expected one of"),
        (lambda: EmbeddingProcessor(dialogue).encode(vectors(2, 24)), "codes need a core of mode autoencoder"),
        (lambda: EmbeddingProcessor(autoencoder).variations(vectors(24)), "this one is an autoencoder"),
        (lambda: EmbeddingProcessor(dialogue).variations(vectors(24), temperature=-1), "temperature is -1"),
        (lambda: EmbeddingProcessor(dialogue).process(vectors(2, 24)), "expected an array of 1 dimensions"),
        (lambda: EmbeddingProcessor(dialogue).process(vectors(25)), "expected"),
        (lambda: EmbeddingProcessor(dialogue).metrics(vectors(2, 24), vectors(3, 24)), "2 vectors but 3 targets"),
        (lambda: EmbeddingProcessor.from_pretrained(tmp_path / "nowhere"), "no such folder"),
    ]
    for call, words in calls:
        with pytest.raises(ModelError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
