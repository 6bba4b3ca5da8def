"""Compare the reading of sources with only parsing the same bytes with the standard library.

    python tests/benchmarks/bench_sources.py --raw-dir shared/corpora [NAME...]

Each measurement runs in a separate process. Prints CPU seconds, MB of raw bytes per CPU second, and the peak memory.
`floor` is `json.loads` (or `csv.reader`) on the files that the builder reads; `rows` is `download_and_prepare` into a new
cache, which reads, parses, converts and writes arrow files.
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
    """Run a task in a new process and return its CPU seconds and peak MiB."""
    command = [sys.executable, __file__, "--raw-dir", raw_dir, "--task", task, name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, peak = result.stdout.split()[-2:]
    return float(seconds), float(peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--task", choices=["floor", "rows"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.task:
        start = time.process_time()
        {"floor": floor, "rows": rows}[args.task](args.names[0], args.raw_dir)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"{time.process_time() - start} {peak}\n")
        return
    sys.stdout.write(
        f"{'source':12} {'MB':>7} {'floor s':>8} {'rows s':>7} {'ratio':>6} {'MB/s':>6} {'floor MiB':>10} {'rows MiB':>9}\n"
    )
    total = [0.0, 0.0, 0.0]
    for name in args.names or [n for n in builders() if (args.raw_dir / n).is_dir()]:
        size = sum(len(f.read()) for f in raw_files(name, args.raw_dir)) / 1e6
        (floor_s, floor_peak), (rows_s, rows_peak) = (measure(task, name, args.raw_dir) for task in ("floor", "rows"))
        total = [t + x for t, x in zip(total, (size, floor_s, rows_s), strict=True)]
        sys.stdout.write(
            f"{name:12} {size:7.1f} {floor_s:8.2f} {rows_s:7.2f} {rows_s / floor_s:6.2f} {size / rows_s:6.1f} {floor_peak:10.0f} {rows_peak:9.0f}\n"
        )
    size, floor_s, rows_s = total
    sys.stdout.write(
        f"{'all':12} {size:7.1f} {floor_s:8.2f} {rows_s:7.2f} {rows_s / floor_s:6.2f} {size / rows_s:6.1f}\n"
    )


if __name__ == "__main__":
    main()
