"""How fast raw files become rows, beside merely parsing the same bytes with the standard library.

    python tests/benchmarks/bench_sources.py --raw-dir shared/corpora [NAME...]

Each measurement runs in a process of its own: CPU seconds, MB of raw bytes a CPU second, peak memory. `floor` is
`json.loads` (or `csv.reader`) over the files that the builder reads; `rows` is `download_and_prepare` into a fresh cache,
that is reading, parsing, typing and writing arrow files; the ratio is what our work adds.
"""

import argparse
import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dataset_builders.sources.raw_files import RawFile
from dataset_builders.sources.registry import builders


def raw_files(name: str, raw_dir: Path) -> list[RawFile]:
    builder = builders()[name](data_dir=raw_dir / name, cache_dir=tempfile.mkdtemp())
    return sorted({f for files in builder.split_files.values() for f in files}, key=lambda f: f.name)


def floor(name: str, raw_dir: Path) -> None:
    for file in raw_files(name, raw_dir):
        content = file.read()
        if file.name.endswith(".jsonl"):
            for line in content.splitlines():
                json.loads(line)
        elif file.name.endswith(".csv"):
            list(csv.reader(io.StringIO(content.decode())))
        else:
            text = content.decode("utf-8", "replace")
            json.loads("\n".join(line for line in text.split("\n") if not line.startswith("#")))


def rows(name: str, raw_dir: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        builders()[name](data_dir=raw_dir / name, cache_dir=cache).download_and_prepare()


def measure(task: str, name: str, raw_dir: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of a fresh process."""
    command = [sys.executable, __file__, "--raw-dir", raw_dir, "--task", task, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--task", choices=["floor", "rows"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        started = time.process_time()
        {"floor": floor, "rows": rows}[args.task](args.names[0], args.raw_dir)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"{time.process_time() - started} {peak}\n")
        return
    sys.stdout.write(
        f"{'source':12} {'MB':>7} {'floor s':>8} {'rows s':>7} {'ratio':>6} {'MB/s':>6} {'floor MiB':>10} {'rows MiB':>9}\n"
    )
    total = [0.0, 0.0, 0.0]
    for name in args.names or [n for n in builders() if (args.raw_dir / n).is_dir()]:
        size = sum(len(f.read()) for f in raw_files(name, args.raw_dir)) / 1e6
        (bare, bare_peak), (ours, peak) = measure("floor", name, args.raw_dir), measure("rows", name, args.raw_dir)
        total = [t + x for t, x in zip(total, (size, bare, ours), strict=True)]
        sys.stdout.write(
            f"{name:12} {size:7.1f} {bare:8.2f} {ours:7.2f} {ours / bare:6.2f} {size / ours:6.1f} {bare_peak:10.0f} {peak:9.0f}\n"
        )
    size, bare, ours = total
    sys.stdout.write(f"{'all':12} {size:7.1f} {bare:8.2f} {ours:7.2f} {ours / bare:6.2f} {size / ours:6.1f}\n")


if __name__ == "__main__":
    main()
