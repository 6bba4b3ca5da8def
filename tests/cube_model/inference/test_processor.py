import numpy as np
import pytest
import torch

from cube_model import CubeConfig, CubeModel, ModelError
from cube_model.inference.processor import EmbeddingProcessor


def vectors(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def perturbed_core(**options):
    torch.manual_seed(0)
    model = CubeModel(CubeConfig(embedding_dim=24, **options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def test_single_and_batch_agree_and_have_norm_1():
    processor, questions = EmbeddingProcessor(perturbed_core(context_turns=1)), vectors(5, 24)
    batch = processor.process_batch(questions)
    np.testing.assert_allclose(np.linalg.norm(batch, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(processor.process(questions[2]), batch[2], atol=1e-6)
    np.testing.assert_array_equal(processor.process_batch(torch.from_numpy(questions)), batch)
    assert not np.allclose(processor.process_batch(vectors(5, 2, 24)), processor.process_batch(vectors(5, 2, 24)[:, 0]))


def test_metrics_of_an_untrained_core_equal_those_of_its_input():
    questions, answers = vectors(50, 24), vectors(50, 24, seed=1)
    figures = EmbeddingProcessor(CubeModel(CubeConfig(embedding_dim=24))).metrics(questions, answers)
    cosines = (questions * answers).sum(1)
    assert figures["mean_cosine"] == pytest.approx(cosines.mean(), abs=1e-6)
    assert figures["min_cosine"] == pytest.approx(cosines.min(), abs=1e-6)
    assert figures["mse"] == pytest.approx(((questions - answers) ** 2).mean(), rel=1e-4)
    correct = (questions @ answers.T).argmax(1) == np.arange(50)
    assert figures["accuracy_1_of_n"] == pytest.approx(correct.mean())


def test_variations_spread_around_the_answer_with_temperature():
    processor, question = EmbeddingProcessor(perturbed_core(), "generator", seed=3), vectors(24)
    answer = processor.process(question)
    near, far = (processor.variations(question, 64, temperature=t) @ answer for t in (0.2, 1.0))
    assert 1 > near.mean() > far.mean()
    np.testing.assert_allclose(processor.variations(question, 3, temperature=0), np.tile(answer, (3, 1)), atol=1e-6)
    first, second = (EmbeddingProcessor(perturbed_core(), seed=3).variations(question, 4) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_codes_of_an_autoencoder():
    processor, embeddings = EmbeddingProcessor(perturbed_core(mode="autoencoder", code_size=6)), vectors(7, 24)
    codes = processor.encode(embeddings)
    assert codes.shape == (7, 6)
    np.testing.assert_allclose(processor.decode(codes), processor.process_batch(embeddings), atol=1e-6)
    assert "accuracy_1_of_n" not in processor.metrics(embeddings, embeddings)


def test_errors_are_one_line(tmp_path):
    dialogue, autoencoder = perturbed_core(), perturbed_core(mode="autoencoder")
    calls = [
        (lambda: EmbeddingProcessor(dialogue, "autoencoder"), "this core has mode dialogue"),
        (lambda: EmbeddingProcessor(autoencoder, "dialogue"), "this core has mode autoencoder"),
        (lambda: EmbeddingProcessor(dialogue, "painter"), "expected one of"),
        (lambda: EmbeddingProcessor(dialogue).encode(vectors(2, 24)), "codes need a core of mode autoencoder"),
        (lambda: EmbeddingProcessor(autoencoder).variations(vectors(24)), "this one is an autoencoder"),
        (lambda: EmbeddingProcessor(dialogue).variations(vectors(24), temperature=-1), "temperature is -1"),
        (lambda: EmbeddingProcessor(dialogue).process(vectors(2, 24)), "expected an array with 1 axes"),
        (lambda: EmbeddingProcessor(dialogue).process(vectors(25)), "expected"),
        (lambda: EmbeddingProcessor(dialogue).metrics(vectors(2, 24), vectors(3, 24)), "2 vectors but 3 targets"),
        (lambda: EmbeddingProcessor.from_pretrained(tmp_path / "nowhere"), "no such folder"),
    ]
    for call, words in calls:
        with pytest.raises(ModelError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
