"""Compare the search for near-duplicate texts with datasketch, in speed and recall on real utterances.

    python tests/benchmarks/bench_near_duplicates.py --raw-dir shared/corpora [--texts 200000] [--source sgd]

Each method gets raw texts and returns verified pairs of distinct normalised texts with a Jaccard similarity of at least
0.7 over 5-character shingles, with 128 permutations. Each runs in a separate process on one thread. Prints CPU and wall
seconds, and the peak memory in addition to the imports and the input. Recall and precision refer to an exact join
(prefix filter, then sparse products, without MinHash). datasketch runs twice: as in its documentation, and with our bands
and a faster hash function.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

THRESHOLD, SHINGLE, PERMUTATIONS = 0.7, 5, 128


def write_texts(source: str, raw_dir: Path, count: int, path: Path) -> None:
    import datasets

    from dataset_builders.sources.registry import get_builder

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        builder = get_builder(source)(data_dir=raw_dir / source, cache_dir=cache)
        builder.download_and_prepare()
        chunks = [
            pc.struct_field(pc.list_flatten(rows.data.table["turns"]), "text") for rows in builder.as_dataset().values()
        ]
        texts = pa.concat_arrays([c for chunk in chunks for c in chunk.chunks])[:count]
        np.save(path, np.array(texts.to_pylist(), object), allow_pickle=True)


def shingles(text: str) -> set[str]:
    return {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}


def normalise(texts: list[str]) -> list[str]:
    from dataset_builders.text.normalize import normalize

    return pc.unique(normalize(pa.array(texts, pa.string()))).to_pylist()


def ours(texts: list[str]) -> np.ndarray:
    from dataset_builders.text.near_duplicates import similar_texts

    pairs = similar_texts(texts, THRESHOLD, shingle=SHINGLE, permutations=PERMUTATIONS)
    return np.stack([pairs.left, pairs.right], 1)


def datasketch(texts: list[str], **options) -> np.ndarray:
    from datasketch import MinHash, MinHashLSH

    params = options.pop("params", None)
    _, first = np.unique(np.array(normalised_codes(texts)), return_index=True)
    sets = [shingles(text) for text in normalise(texts)]
    sketches = list(MinHash.generator([[s.encode() for s in x] for x in sets], num_perm=PERMUTATIONS, **options))
    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS, params=params)
    pairs = []
    for row, sketch in enumerate(sketches):
        for other in index.query(sketch):
            common = len(sets[row] & sets[other])
            if common >= THRESHOLD * (len(sets[row]) + len(sets[other]) - common):
                pairs.append((other, row))
        index.insert(row, sketch, check_duplication=False)
    return first[np.array(pairs, np.int64).reshape(-1, 2)]


def datasketch_tuned(texts: list[str]) -> np.ndarray:
    import xxhash

    return datasketch(texts, params=(25, 5), hashfunc=xxhash.xxh32_intdigest)


def normalised_codes(texts: list[str]) -> list[int]:
    from dataset_builders.text.normalize import normalize

    return normalize(pa.array(texts, pa.string())).dictionary_encode().indices.to_pylist()


def exact(texts: list[str]) -> np.ndarray:
    """Find all pairs: two similar sets share one of the rarest shingles of each (Bayardo et al. 2007)."""
    from scipy import sparse

    _, first = np.unique(np.array(normalised_codes(texts)), return_index=True)
    vocabulary: dict[str, int] = {}
    rows = [[vocabulary.setdefault(s, len(vocabulary)) for s in shingles(text)] for text in normalise(texts)]
    sizes = np.array([len(row) for row in rows])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    values = np.concatenate(rows)
    rank = np.empty(len(vocabulary), np.int64)
    rank[np.argsort(np.bincount(values), kind="stable")] = np.arange(len(vocabulary))
    full = sparse.csr_matrix((np.ones(len(values), np.int32), rank[values], ends), (len(rows), len(vocabulary)))
    full.sort_indices()
    prefix = sizes - np.ceil(THRESHOLD * sizes - 1e-9).astype(int) + 1
    head = np.arange(len(values)) - np.repeat(ends[:-1], sizes) < np.repeat(prefix, sizes)
    heads = sparse.csr_matrix(
        (full.data[head], full.indices[head], np.concatenate([[0], np.cumsum(prefix)])), full.shape
    )
    columns = heads.T.tocsr()
    pairs = []
    for start in range(0, len(rows), 1000):
        candidates = (heads[start : start + 1000] @ columns).tocoo()
        left, right = candidates.row + start, candidates.col
        keep = (left < right) & (
            np.minimum(sizes[left], sizes[right]) >= THRESHOLD * np.maximum(sizes[left], sizes[right])
        )
        left, right = left[keep], right[keep]
        common = np.asarray(full[left].multiply(full[right]).sum(axis=1)).ravel()
        keep = common >= THRESHOLD * (sizes[left] + sizes[right] - common)
        pairs.append(np.stack([left[keep], right[keep]], 1))
    return first[np.concatenate(pairs)]


METHODS = {
    "exact join": exact,
    "datasketch": datasketch,
    "datasketch, our bands, xxhash": datasketch_tuned,
    "dataset_builders": ours,
}


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def task(*arguments: object) -> str:
    """Run a task in a new process on one thread and return its output.

    The parent needs little memory, since a process inherits the peak of its parent.
    """
    one_thread = dict.fromkeys(["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"], "1")
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, __file__, "--task", *map(str, arguments)]
    environment = {**os.environ, **one_thread, "PYTHONPATH": path}
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout


def run(method: str, texts_path: Path, pairs_path: Path) -> None:
    import datasketch  # noqa: F401
    import rensa  # noqa: F401
    import scipy.sparse  # noqa: F401

    import dataset_builders.text.near_duplicates  # noqa: F401

    texts = np.load(texts_path, allow_pickle=True).tolist()
    before, cpu, wall = peak(), time.process_time(), time.perf_counter()
    pairs = METHODS[method](texts)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    np.save(pairs_path, pairs)
    sys.stdout.write(f"{cpu} {wall} {peak() - before}\n")


def main() -> None:
    if sys.argv[1:2] == ["--task"]:
        if sys.argv[2] == "texts":
            write_texts(sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]), Path(sys.argv[6]))
        else:
            run(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--source", default="sgd")
    parser.add_argument("--texts", type=int, default=200_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        texts, results, times = Path(folder, "texts.npy"), {}, {}
        task("texts", args.source, args.raw_dir, args.texts, texts)
        for number, method in enumerate(METHODS):
            pairs = Path(folder, f"{number}.npy")
            times[method] = [float(number) for number in task(method, texts, pairs).split()[-3:]]
            results[method] = set(map(tuple, np.sort(np.load(pairs), axis=1).tolist()))
    truth, base = results["exact join"], times["datasketch"]
    sys.stdout.write(f"{args.texts:,} texts of {args.source}, {len(truth):,} pairs of similar, distinct texts\n")
    sys.stdout.write(
        f"{'method':30} {'CPU s':>7} {'wall s':>7} {'ratio':>6} {'recall':>7} {'precision':>9} {'peak MiB':>9}\n"
    )
    for method, (cpu, wall, memory) in times.items():
        pairs = results[method]
        recall, precision = len(pairs & truth) / max(len(truth), 1), len(pairs & truth) / max(len(pairs), 1)
        sys.stdout.write(
            f"{method:30} {cpu:7.1f} {wall:7.1f} {base[0] / cpu:6.2f} {recall:7.2%} {precision:9.2%} {memory:9.0f}\n"
        )


if __name__ == "__main__":
    main()
