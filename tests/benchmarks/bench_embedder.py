"""What a training step of the embedder costs, and what its parts save.

    python tests/benchmarks/bench_embedder.py [--base minilm] [--pairs 128] [--tokens 36] [--steps 5] [--threads 1]

Median CPU seconds of a step (bfloat16 where the processor has it, token embeddings frozen, gradient, no optimizer) on
invented tokens of 8 to `--tokens` a text: with the base's own dropout and attention, without dropout, and as
`cube_model.embedder` trains. Measured in turns, so that a busy machine slows all of them.
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
    """Tokens `[pairs, longest]` of invented texts."""
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
    loss = contrastive_loss(run, model, 1)
    batch = [texts(arguments.pairs, arguments.tokens, seed) for seed in (0, 1)]

    def step() -> float:
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=has_native_bfloat16("cpu")):
            value = loss([dict(part) for part in batch], None)
        value.backward()
        model.zero_grad()
        return time.process_time() - started

    kinds = {
        "base's own dropout and attention": nullcontext,
        "without dropout": lambda: fast_cpu_training(model, 0.0, on_processor=False),
        "without dropout, plain attention": lambda: fast_cpu_training(model, 0.0, on_processor=True),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(arguments.steps + 1):
        for name, made in kinds.items():
            with made():
                seconds = step()
            if turn:  # the first ones warm up
                taken[name].append(seconds)
    first = median(next(iter(taken.values())))
    for name, seconds in taken.items():
        sys.stdout.write(f"{name:34} {median(seconds):6.2f} CPU s, {median(seconds) / first:.2f} of the first\n")


if __name__ == "__main__":
    main()
