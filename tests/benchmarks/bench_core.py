"""Compare the speed of the core with that of a perceptron with as many parameters on the same embeddings.

    python tests/benchmarks/bench_core.py [--dimension 384] [--turns 3] [--steps 30] [--threads 1]

Prints the CPU seconds of one epoch on 100,000 pairs (batches of 512, noise, contrastive loss, AdamW), their ratio, the
CPU seconds of `CubeTrainer` for the same with everything between the steps, and the time of one question through the
untrained model. Core and perceptron take turns, so that other load slows both.

To compare two versions of `CubeTrainer`, also with another batch size:

    python tests/benchmarks/bench_core.py --only-trainer --batch 64 --steps 300

The loop of its own that `CubeTrainer` had before it trained with `transformers.Trainer`, and its successor, in turns on
one busy machine: 104.7 and 100.6 CPU ms per step at batches of 512 (means of six runs each), 29.2 and 29.3 at 64 (seven).
Around the steps, a training takes 0.05 s longer, and the first one of a process imports the library.
"""

import argparse
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from cube_model import CubeConfig, CubeModel, CubeTrainer, TrainingConfig
from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.data.training_data import TrainingData
from cube_model.evaluation.baselines import baselines
from cube_model.evaluation.baselines.contrastive import in_batch_loss
from cube_model.training.losses import DialogueLoss, noisy

PAIRS, BATCH = 100_000, 512


class Perceptron(nn.Module):
    """The baseline `mlp_both` with its training loss."""

    def __init__(self, dimension: int, turns: int, budget: int) -> None:
        super().__init__()
        self.maps = baselines(turns=turns, budget=budget)["mlp_both"].maps(dimension, turns)
        self.log_temperature = nn.Parameter(torch.tensor(3.0))

    def forward(self, questions: torch.Tensor, answers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        questions, answers = self.maps.questions(noisy(questions, 0.3)), self.maps.answers(noisy(answers, 0.3))
        return in_batch_loss(questions, answers, labels, self.log_temperature)


def step_seconds(modules: dict[str, nn.Module], batch: tuple[torch.Tensor, ...], steps: int) -> dict[str, float]:
    """Measure the median CPU seconds of a training step of each module."""
    optimizers = {name: torch.optim.AdamW(module.parameters(), lr=1e-3) for name, module in modules.items()}
    seconds: dict[str, list[float]] = {name: [] for name in modules}
    for step in range(steps + 3):
        for name, module in modules.items():
            start = time.process_time()
            optimizers[name].zero_grad()
            module.train()(*batch).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizers[name].step()
            if step >= 3:  # the first steps warm up
                seconds[name].append(time.process_time() - start)
    return {name: float(np.median(times)) for name, times in seconds.items()}


def random_pairs(count: int, dimension: int, turns: int, seed: int) -> tuple[QuestionAnswerPairs, np.ndarray]:
    """Make pairs with random embeddings; return pairs and embeddings."""
    vectors = np.random.default_rng(seed).normal(size=(count * (turns + 1) + 1, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[-1] = 0
    rows = np.arange(count, dtype=np.int32)
    return QuestionAnswerPairs(
        texts=[""] * (len(vectors) - 1),
        questions=np.stack([rows + turn * count for turn in range(turns)], axis=1),
        answers=rows + turns * count,
        labels=rows.astype(np.int64),
        dialogues=rows.astype(np.int64),
        sources=["random"] * count,
        licenses=["CC0-1.0"] * count,
        languages=["und"] * count,
        fingerprint=f"{count}-{seed}",
    ), vectors


class RandomPairs:
    """A dataset for `CubeTrainer.train`, with 100 validation pairs."""

    def __init__(self, count: int, dimension: int, turns: int) -> None:
        train, validation = random_pairs(count, dimension, turns, 1), random_pairs(100, dimension, turns, 2)
        teacher = {"name": "random", "fingerprint": "0" * 64, "dimension": dimension}
        self.data = TrainingData(*train, *validation, teacher)

    def training_data(self) -> TrainingData:
        return self.data


def trainer_step_seconds(dimension: int, turns: int, batch: int, steps: int, threads: int) -> float:
    """Measure the CPU seconds of a step of `CubeTrainer`, as the difference between trainings of two epochs and of one."""
    pairs = RandomPairs(batch * steps, dimension, turns)
    seconds = {}
    for epochs in (1, 1, 2):  # the first training warms up
        config = TrainingConfig(
            epochs=epochs, batch_size=batch, learning_rate=1e-3, device="cpu", threads=threads, progress=False
        )
        start = time.process_time()
        CubeTrainer(config).train(pairs)
        seconds[epochs] = time.process_time() - start
    return (seconds[2] - seconds[1]) / steps


def question_milliseconds(model: CubeModel, question: torch.Tensor, repeats: int = 300) -> tuple[float, float]:
    """Measure the median and the minimum of the wall-clock milliseconds of one question."""
    times = []
    with torch.inference_mode():
        for _ in range(repeats):
            start = time.perf_counter()
            model.encode_questions(question)
            times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times)), min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-trainer", action="store_true", help="measure CubeTrainer only")
    parser.add_argument("--batch", type=int, default=BATCH, help="pairs per batch of CubeTrainer")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    step_time = trainer_step_seconds(
        arguments.dimension, arguments.turns, arguments.batch, arguments.steps, arguments.threads
    )
    sys.stdout.write(
        f"CubeTrainer: {1000 * step_time:.2f} CPU ms per step, {step_time * PAIRS / arguments.batch:.1f} CPU s for an "
        f"epoch of {PAIRS:,} pairs\n"
    )
    if arguments.only_trainer:
        return
    model = CubeModel(CubeConfig(embedding_dim=arguments.dimension, context_turns=arguments.turns - 1))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    modules = {
        "core": DialogueLoss(model, noise=0.3, temperature=20.0, cosine_weight=0.0),
        "perceptron": Perceptron(arguments.dimension, arguments.turns, parameters),
    }
    batch = (
        normalize(torch.randn(BATCH, arguments.turns, arguments.dimension), dim=-1),
        normalize(torch.randn(BATCH, arguments.dimension), dim=-1),
        torch.arange(BATCH),
    )
    seconds = step_seconds(modules, batch, arguments.steps)
    for name, step_time in seconds.items():
        count = sum(parameter.numel() for parameter in modules[name].parameters())
        sys.stdout.write(
            f"{name:10} {count:8,} parameters: {step_time * PAIRS / BATCH:6.1f} CPU s for an epoch of {PAIRS:,} pairs\n"
        )
    sys.stdout.write(f"core / perceptron: {seconds['core'] / seconds['perceptron']:.2f}\n")
    median, minimum = question_milliseconds(model.eval(), batch[0][:1])
    sys.stdout.write(f"one question: {median:.2f} ms (median), {minimum:.2f} ms (minimum)\n")


if __name__ == "__main__":
    main()
