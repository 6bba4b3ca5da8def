"""How long one training of each kind of map takes, beside the core, on invented vectors of real sizes.

    python tests/benchmarks/bench_leaderboard.py [--pairs 20000] [--dimension 384] [--turns 3] [METHOD...]

Seconds of one fit with one setting, relative to the core's; microseconds to map one question; and MAP's whole grid of 20
settings. Vectors are random: nothing can be learned, so no run stops early for having learned it all.
"""

import argparse
import sys
import time

import numpy as np

from cube_model.evaluation.baselines import EmbeddedPairs, baselines
from cube_model.evaluation.baselines.core import Core
from cube_model.evaluation.leaderboard.board import microseconds_per_query
from cube_model.metrics.metrics import normalize


def pairs(n: int, turns: int, dimension: int, seed: int) -> EmbeddedPairs:
    generator = np.random.default_rng(seed)
    questions = normalize(generator.normal(size=(n, turns, dimension)).astype(np.float32))
    return EmbeddedPairs.of_arrays(questions, normalize(generator.normal(size=(n, dimension)).astype(np.float32)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    train = pairs(args.pairs, args.turns, args.dimension, 0)
    validation = pairs(2_000, args.turns, args.dimension, 1)
    budget = Core().parameters(args.dimension, args.turns)
    every = baselines(turns=args.turns, budget=budget)
    names = args.methods or [name for name in every if name not in ("bm25", "tfidf", "core")]
    sys.stdout.write(f"{'method':14} {'parameters':>10} {'fit s':>8} {'of core':>8} {'us/query':>9}\n")
    core_seconds = 0.0
    for name in ["core", *names]:
        fitted = every[name].fit(train, validation)
        core_seconds = core_seconds or fitted.seconds
        speed = microseconds_per_query(fitted.method, validation)
        ratio = fitted.seconds / core_seconds
        sys.stdout.write(f"{name:14} {fitted.method.parameters:10,} {fitted.seconds:8.1f} {ratio:8.2f} {speed:9.1f}\n")
        sys.stdout.flush()
    if "map" in names:
        started = time.monotonic()
        every["map"].tune(train, validation)
        sys.stdout.write(f"MAP's grid of 20: {time.monotonic() - started:.1f} s\n")


if __name__ == "__main__":
    main()
