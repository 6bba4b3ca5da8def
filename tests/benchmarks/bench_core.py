"""How much time the core takes, beside a perceptron of as many parameters that reads and maps the same vectors.

    python tests/benchmarks/bench_core.py [--dimension 384] [--turns 3] [--steps 30] [--threads 1]

Prints CPU seconds to train once on 100,000 pairs (batches of 512, noise, contrastive loss, AdamW), their ratio, and the
time of one question through the untouched model. The two are measured in turns, so that a busy machine slows both.
"""

import argparse
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from cube_model import CubeConfig, CubeModel
from cube_model.evaluation.baselines import baselines
from cube_model.evaluation.baselines.contrastive import in_batch_loss
from cube_model.training.losses import DialogueLoss, noisy

PAIRS, BATCH = 100_000, 512


class Perceptron(nn.Module):
    """The baseline `mlp_both` with the loss it is trained by."""

    def __init__(self, dimension: int, turns: int, budget: int) -> None:
        super().__init__()
        self.maps = baselines(turns=turns, budget=budget)["mlp_both"].maps(dimension, turns)
        self.log_temperature = nn.Parameter(torch.tensor(3.0))

    def forward(self, questions: torch.Tensor, answers: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        asked, answered = noisy(questions, 0.3), noisy(answers, 0.3)
        return in_batch_loss(self.maps.questions(asked), self.maps.answers(answered), labels, self.log_temperature)


def step_seconds(modules: dict[str, nn.Module], batch: tuple[torch.Tensor, ...], steps: int) -> dict[str, float]:
    """Median CPU seconds of a training step of each."""
    optimizers = {name: torch.optim.AdamW(module.parameters(), lr=1e-3) for name, module in modules.items()}
    taken: dict[str, list[float]] = {name: [] for name in modules}
    for step in range(steps + 3):
        for name, module in modules.items():
            start = time.process_time()
            optimizers[name].zero_grad()
            module.train()(*batch).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizers[name].step()
            if step >= 3:  # the first ones warm up
                taken[name].append(time.process_time() - start)
    return {name: float(np.median(times)) for name, times in taken.items()}


def question_milliseconds(model: CubeModel, question: torch.Tensor, repeats: int = 300) -> tuple[float, float]:
    """Median and least wall-clock milliseconds of one question."""
    taken = []
    with torch.inference_mode():
        for _ in range(repeats):
            start = time.perf_counter()
            model.encode_questions(question)
            taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken)), min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
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
    for name, each in seconds.items():
        count = sum(parameter.numel() for parameter in modules[name].parameters())
        sys.stdout.write(
            f"{name:10} {count:8,} parameters: {each * PAIRS / BATCH:6.1f} CPU s for {PAIRS:,} pairs once\n"
        )
    sys.stdout.write(f"core / perceptron: {seconds['core'] / seconds['perceptron']:.2f}\n")
    middle, least = question_milliseconds(model.eval(), batch[0][:1])
    sys.stdout.write(f"one question: {middle:.2f} ms (median), {least:.2f} ms (least)\n")


if __name__ == "__main__":
    main()
