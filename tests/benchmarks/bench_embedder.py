"""Measure the training step of the embedder, and what its optimizations save.

    python tests/benchmarks/bench_embedder.py [--base minilm] [--pairs 128] [--tokens 36] [--steps 5] [--threads 1]

Prints the median CPU seconds of a step (bfloat16 if the processor supports it, frozen token embeddings, gradient, no
optimizer) on texts of 8 to `--tokens` random tokens: with the dropout and attention of the base, without dropout, and as
`cube_model.embedder` trains. They take turns, so that other load slows all of them.
"""

import argparse
import sys
import time
from contextlib import nullcontext
from statistics import median

import torch

from cube_model.embedder.config import EmbedderConfig
from cube_model.embedder.loss import contrastive_loss
from cube_model.embedder.trainer import fast_cpu_training, load_base
from cube_model.machine import has_native_bfloat16


def texts(pairs: int, longest: int, seed: int) -> dict[str, torch.Tensor]:
    """Make random tokens and their mask, int64 [pairs, longest]."""
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(8, longest + 1, (pairs, 1), generator=random)
    mask = (torch.arange(longest) < lengths).long()
    return {"input_ids": torch.randint(1000, 20_000, mask.shape, generator=random) * mask, "attention_mask": mask}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="minilm")
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=36)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    run = EmbedderConfig(data="none", output="none", base=arguments.base, batch_size=arguments.pairs)
    model, _ = load_base(run)
    model.train()[0].auto_model.get_input_embeddings().requires_grad_(False)
    loss = contrastive_loss(run, model, [], 1)
    batch = [texts(arguments.pairs, arguments.tokens, seed) for seed in (0, 1)]

    def step() -> float:
        start = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=has_native_bfloat16("cpu")):
            value = loss([dict(part) for part in batch], None)
        value.backward()
        model.zero_grad()
        return time.process_time() - start

    kinds = {
        "dropout and attention of the base": nullcontext,
        "without dropout": lambda: fast_cpu_training(model, 0.0, on_processor=False),
        "without dropout, plain attention": lambda: fast_cpu_training(model, 0.0, on_processor=True),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(arguments.steps + 1):
        for name, context in kinds.items():
            with context():
                seconds = step()
            if turn:  # the first turn warms up
                times[name].append(seconds)
    first = median(next(iter(times.values())))
    for name, values in times.items():
        sys.stdout.write(f"{name:34} {median(values):6.2f} CPU s, {median(values) / first:.2f} of the first\n")


if __name__ == "__main__":
    main()
