"""Does label smoothing help the core and the other contrastive maps? Accuracies on validation pairs, three seeds.

    python tests/benchmarks/bench_label_smoothing.py --data DATASET [--sources sgd multiwoz woz] [--pairs 10000]

Every method has its best learning rate and noise without smoothing, so smoothing starts with a handicap.
"""

import argparse
import statistics
import sys
import tempfile

import torch

from cube_model.evaluation.leaderboard.board import Leaderboard
from cube_model.evaluation.leaderboard.config import LeaderboardConfig

METHODS = ("core", "mlp_both", "low_rank", "monarch", "map_adamw")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--teacher", default="minilm")
    parser.add_argument("--sources", nargs="+", default=["sgd", "multiwoz", "woz"])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoothing", nargs="+", type=float, default=[0.0, 0.1])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write("source", "method", *arguments.smoothing)
    for source in arguments.sources:
        config = LeaderboardConfig(
            arguments.data, teacher=arguments.teacher, sources=[source], methods=list(METHODS), context_turns=2
        )
        board = Leaderboard(config, tempfile.mkdtemp())
        size = min(arguments.pairs, len(board.train))
        for baseline in board.baselines:
            best = baseline.tune(board.training_pairs(size, 0), board.validation, seed=0).best.settings
            cells = []
            for smoothing in arguments.smoothing:
                settings = {**best, "label_smoothing": smoothing}
                accuracies = [
                    baseline.fit(
                        board.training_pairs(size, seed), board.validation, seed=seed, settings=settings
                    ).accuracy
                    for seed in range(arguments.seeds)
                ]
                cells.append(f"{statistics.mean(accuracies):.4f} ({statistics.stdev(accuracies):.4f})")
            write(source, baseline.name, *cells)


def write(*cells: object) -> None:
    sys.stdout.write("\t".join(map(str, cells)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
