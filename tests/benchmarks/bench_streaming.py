"""Compare trainings on streamed pairs and on pairs in memory: peak memory and processor time by number of pairs.

    python tests/benchmarks/bench_streaming.py WORK [--pairs 20000,200000] [--dimension 64] [--buffer 10000]

The pairs are invented, a question and an answer of twenty words each with an earlier turn, in row groups of 5,000 rows.
The core reads random vectors of their texts with `--vectors` and trains for one epoch; the encoder is a tiny DistilBERT
with random weights, trained for 100 steps. Each training is a new process. Memory is the peak of what the process
allocates; pages of mapped files, which the system may drop, are counted apart. With 20,000 and 200,000 pairs, MB:

                      in memory       streamed
    core              460   1,227     443   443    (1,000,000 pairs: 475)
    encoder           579   1,001     573   569

The libraries are included. Processor time differs by less than a tenth.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # tests/ alone hides the packages

from benchmarks.peak import Peak, say

WORDS, GROUP_ROWS, PART = 20, 5_000, 50_000


def text(rng: np.random.Generator) -> str:
    return " ".join(f"w{number}" for number in rng.integers(5_000, size=WORDS))


def rows(start: int, count: int, rng: np.random.Generator) -> pa.Table:
    numbers = range(start, start + count)
    answers = [text(rng) for _ in numbers]
    context = pa.list_(pa.struct([("speaker", pa.string()), ("text", pa.string())]))
    constant = {"source": "invented", "language": "en", "license": "CC0-1.0", "pair_type": "consecutive"}
    constant |= {"anchor_speaker": "user", "positive_speaker": "system"}
    columns = {
        "dialogue_id": pa.array([f"invented/{number // 3}" for number in numbers]),
        "anchor": pa.array([text(rng) for _ in numbers]),
        "positive": pa.array(answers),
        "answer_id": pa.array(answers),
        "context": pa.array([[{"speaker": "system", "text": text(rng)}] for _ in numbers], context),
        "flags": pa.array([[] for _ in numbers], pa.list_(pa.string())),
    }
    return pa.table({**columns, **{name: pa.repeat(pa.scalar(value), count) for name, value in constant.items()}})


def make_data(work: Path, pairs: int, dimension: int) -> Path:
    """Write the dataset, the teacher and the vectors of all texts."""
    from cube_model import Teacher
    from cube_model.vectors.folder import FORMAT, RECORD, shard_name, write_shard
    from cube_model.vectors.keys import cache_keys

    teacher_folder, data, vectors = work / "teacher", work / f"data-{pairs}", work / f"vectors-{pairs}"
    if not teacher_folder.exists():
        from support.tiny_teacher import save_tiny_distilbert

        save_tiny_distilbert(teacher_folder, dimension)
    if vectors.exists():
        return data
    (data / "pairs").mkdir(parents=True)
    vectors.mkdir()
    rng, keys = np.random.default_rng(0), set[bytes]()
    files = "".join(f"  - split: {split}\n    path: pairs/{split}-*\n" for split in ("train", "validation"))
    (data / "README.md").write_text(f"---\nconfigs:\n- config_name: pairs\n  data_files:\n{files}---\n")
    for split, count in (("train", pairs), ("validation", 2_000)):
        for number, start in enumerate(range(0, count, PART)):
            table = rows(start, min(PART, count - start), rng)
            pq.write_table(table, data / "pairs" / f"{split}-{number:05d}.parquet", row_group_size=GROUP_ROWS)
            texts = [*table["anchor"].to_pylist(), *table["positive"].to_pylist()]
            keys.update(cache_keys([*texts, *(turns[0]["text"] for turns in table["context"].to_pylist())]))
    values = rng.standard_normal((len(keys), dimension), dtype=np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    write_shard(vectors / shard_name(0, 1), sorted(keys), values, "float32")
    teacher = Teacher.load(teacher_folder, "float32", "cpu").describe()
    record = {"format": FORMAT, "texts": len(keys), "dimension": dimension, "precision": "float32", "teacher": teacher}
    record |= {"shards": [{"file": shard_name(0, 1), "texts": len(keys)}], "data": {"folder": data.name, "configs": []}}
    (vectors / RECORD).write_text(json.dumps(record))
    return data


def train(options: argparse.Namespace) -> None:
    """Train in this process and print a JSON object."""
    peak, started = Peak(), time.process_time()
    pairs, work = int(options.pairs), options.work
    streaming = {"streaming": True, "shuffle_buffer": options.buffer} if options.streaming else {}
    common = {"data": str(work / f"data-{pairs}"), "device": "cpu", "threads": 1, "progress": False, **streaming}
    if options.run == "core":
        from cube_model import CubeTrainer, TrainingConfig

        shape = {"global_units": 8, "plane_units": 2, "context_turns": 1, "epochs": 1, "validation": "split"}
        teacher = {"teacher": str(work / "teacher"), "teacher_dtype": "float32", "cache_dir": str(work / "cache")}
        vectors = str(work / f"vectors-{pairs}")
        CubeTrainer(TrainingConfig(**common, **shape, **teacher, vectors=vectors)).train()
    else:
        from cube_model.embedder.config import EmbedderConfig
        from cube_model.embedder.trainer import train_embedder

        steps = {"max_steps": 100, "batch_size": 64, "context_turns": 1, "mixed_precision": "no", "overwrite": True}
        train_embedder(EmbedderConfig(**common, **steps, base=str(work / "teacher"), output=str(work / "encoder")))
    seconds = time.process_time() - started
    say(json.dumps({"anonymous": peak.anonymous, "mapped": peak.mapped, "seconds": seconds}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--pairs", default="20000,200000")
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--buffer", type=int, default=10_000)
    parser.add_argument("--run", choices=["core", "encoder"])
    parser.add_argument("--streaming", action="store_true")
    options = parser.parse_args()
    if options.run:
        train(options)
        return
    say("| training | pairs | memory, MB | mapped files, MB | processor, s |\n|---|---|---|---|---|")
    for pairs in map(int, options.pairs.split(",")):
        make_data(options.work, pairs, options.dimension)
        for run in ("core", "encoder"):
            for streaming in ([], ["--streaming"]):
                words = [sys.executable, __file__, options.work, "--run", run, "--pairs", pairs, *streaming]
                command = [str(word) for word in (*words, "--buffer", options.buffer)]
                done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
                if done.returncode:
                    raise SystemExit(done.stderr[-3000:])
                result = json.loads(done.stdout.splitlines()[-1])
                figures = (f"{result[name]:,.0f}" for name in ("anonymous", "mapped", "seconds"))
                say(f"| {run}, {'streamed' if streaming else 'in memory'} | {pairs:,} |", " | ".join(figures), "|")


if __name__ == "__main__":
    main()
