"""Compare the core as an autoencoder with PCA: how well does a short code restore a vector?

    python tests/benchmarks/bench_autoencoder.py --data DATASET [--sources sgd] [--codes 48,96,128] [--seeds 3]

Trains on the texts of the train split and tests on texts of the test split that are not in the train split. Prints the
mean cosine between the restored vector and the teacher's, with a 95 % interval (bootstrap over texts). PCA is fitted on
the same vectors; an untrained core equals that PCA.
"""

import argparse
import sys

import numpy as np
import torch
from sklearn.decomposition import PCA

from cube_model import AutoencoderDataset, CubeTrainer, TrainingConfig
from cube_model.data.pairs import load_pairs
from cube_model.metrics.metrics import bootstrap_interval, cosines
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache


def say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def texts(data: str, split: str, sources: list[str] | None) -> list[str]:
    return load_pairs(data, split, sources=sources).texts


def figure(restored: np.ndarray, vectors: np.ndarray) -> str:
    value, low, high = bootstrap_interval(cosines(restored, vectors), np.arange(len(vectors)))
    return f"{value:.4f} ({low:.4f}-{high:.4f})"


def core(dataset: AutoencoderDataset, code: int, seed: int, vectors: np.ndarray) -> tuple[np.ndarray, int]:
    config = TrainingConfig(mode="autoencoder", code_size=code, seed=seed, device="cpu", progress=False)
    trainer = CubeTrainer(config)
    trainer.train(dataset)
    with torch.inference_mode():
        restored = trainer.model.eval()(torch.from_numpy(vectors)).embeddings.numpy()
    return restored, sum(weight.numel() for weight in trainer.model.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--sources", default=None)
    parser.add_argument("--teacher", default="minilm")
    parser.add_argument("--codes", default="48,96,128")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    sources = options.sources.split(",") if options.sources else None
    teacher, cache = Teacher.load(options.teacher, "auto"), EmbeddingCache()
    train = texts(options.data, "train", sources)
    test = sorted(set(texts(options.data, "test", sources)) - set(train))
    vectors = {name: cache.embed(teacher, part) for name, part in (("train", train), ("test", test))}
    dataset = AutoencoderDataset.from_embeddings(vectors["train"], teacher=teacher)
    say(f"{teacher.name}, {len(train):,} training texts, {len(test):,} test texts; mean cosine (95 %)")
    for code in map(int, options.codes.split(",")):
        pca = PCA(code).fit(vectors["train"])
        restored = pca.inverse_transform(pca.transform(vectors["test"])).astype(np.float32)
        say(f"code {code:4}  PCA           {figure(restored, vectors['test'])}")
        for seed in range(options.seeds):
            restored, parameters = core(dataset, code, seed, vectors["test"])
            say(f"code {code:4}  core, seed {seed}  {figure(restored, vectors['test'])}  {parameters:,} parameters")


if __name__ == "__main__":
    main()
