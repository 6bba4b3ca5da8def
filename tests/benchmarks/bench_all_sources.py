"""Build all sources in one dataset, and the eleven of the first release, and compare time, memory and leaks.

    python tests/benchmarks/bench_all_sources.py --raw-dir shared/corpora [--out DIR]

Each build runs in a process of its own, with a new cache. Prints the raw megabytes that the builders read, seconds and
processor seconds of all processes, raw megabytes per second, the peak memory of the largest process, the rows of each
kind, and what `tests/support/leak_check.py`, which shares no code with the build, finds in two splits.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # tests/ alone hides the packages

from dataset_builders.schema import CONFIGS
from dataset_builders.sources.registry import builders
from support.leak_check import leaks

FIRST = (
    *("camrest676", "multiwoz", "sgd", "smd", "taskmaster", "woz"),
    *("banking77", "clinc150", "massive", "minds14", "snips"),
)
"""The sources of the first release of which files are at hand."""


def raw_megabytes(names: list[str], raw_dir: Path) -> float:
    """Size of the raw files and archive members that the builders read."""
    total = 0
    for name in names:
        builder = builders()[name](data_dir=raw_dir / name, cache_dir=tempfile.mkdtemp())
        files = {file for files in builder.split_files.values() for file in files}
        total += sum(len(file.read()) for file in files)
    return total / 1e6


def build(names: list[str], raw_dir: Path, out: Path, cache: Path) -> tuple[float, float, float]:
    """Build a dataset in a process of its own; returns seconds, processor seconds and peak MiB of a process."""
    command = [sys.executable, "-m", "dialogue_cube", "build", *names, "--raw-dir", raw_dir, "--out", out]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "HF_DATASETS_CACHE": str(cache)})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        time.monotonic() - start,
        processor,
        after.ru_maxrss / 1024,
    )  # of the largest child so far: small builds first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="folder that keeps both datasets")
    args = parser.parse_args()
    present = [name for name in builders() if (args.raw_dir / name).is_dir()]
    peaks = []
    sys.stdout.write("sources   raw MB  seconds  CPU s  MB/CPU s  peak MiB  rows; keys in two splits\n")
    with tempfile.TemporaryDirectory() as scratch:
        # both before this process reads anything: the system counts its size as that of a child, too
        built = []
        for names in ([name for name in present if name in FIRST], present):
            folder = (args.out or Path(scratch)) / str(len(names))
            built.append((names, folder, *build(names, args.raw_dir, folder, Path(scratch) / f"cache-{len(names)}")))
        for names, folder, seconds, processor, peak in built:
            size = raw_megabytes(names, args.raw_dir)
            report = json.loads((folder / "quality" / "report.json").read_text())
            rows = {config: sum(tally["out"] for tally in report["rows"][config].values()) for config in CONFIGS}
            sys.stdout.write(
                f"{len(names):7} {size:8.1f} {seconds:8.0f} {processor:6.0f} {size / processor:9.2f} {peak:9.0f}  "
                f"{', '.join(f'{count:,} {config}' for config, count in rows.items())}; {leaks(folder)}\n"
            )
            sys.stdout.flush()
            peaks.append(peak)
    sys.stdout.write(f"memory of all sources: {peaks[1] / peaks[0]:.2f} x that of the first ones\n")


if __name__ == "__main__":
    main()
