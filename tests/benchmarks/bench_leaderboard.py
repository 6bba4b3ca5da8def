"""Compare the training time of each kind of map with that of the core, on random vectors of realistic sizes.

    python tests/benchmarks/bench_leaderboard.py [--pairs 20000] [--dimension 384] [--turns 3] [METHOD...]

Prints the seconds of one fit with one setting, their ratio to the core's, the microseconds to map one question, and the
time of MAP's full grid of 20 settings. Since random vectors contain nothing to learn, no training stops early because
it has learned everything.
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
    methods = baselines(turns=args.turns, budget=budget)
    names = args.methods or [name for name in methods if name not in ("bm25", "tfidf", "core")]
    sys.stdout.write(f"{'method':14} {'parameters':>10} {'fit s':>8} {'of core':>8} {'us/query':>9}\n")
    core_seconds = 0.0
    for name in ["core", *names]:
        fitted = methods[name].fit(train, validation)
        core_seconds = core_seconds or fitted.seconds
        speed = microseconds_per_query(fitted.method, validation)
        ratio = fitted.seconds / core_seconds
        sys.stdout.write(f"{name:14} {fitted.method.parameters:10,} {fitted.seconds:8.1f} {ratio:8.2f} {speed:9.1f}\n")
        sys.stdout.flush()
    if "map" in names:
        start = time.monotonic()
        methods["map"].tune(train, validation)
        sys.stdout.write(f"MAP's grid of 20: {time.monotonic() - start:.1f} s\n")


if __name__ == "__main__":
    main()
