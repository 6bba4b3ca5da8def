"""Memory and processor time of a build of invented chats (`chats.py`) by their number.

    python tests/benchmarks/bench_scale.py FOLDER --sizes 30000 300000 1000000 [--quality none] [--num-proc 2]
    python tests/benchmarks/bench_scale.py FOLDER --sizes 5000 100000 --templates 1   # all are near-duplicates

For each size, a process of its own builds the dataset. Its peak memory is that of the largest process, its processor
time that of all, by stage from the events of progress. Prints one line of JSON for each size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))  # tests/ alone hides the packages

STAGES = {"reading": "parse", "writing rows": "rows, pairs and files"}


def seconds() -> float:
    """Processor time of this process and its ended children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def build(folder: Path, size: int, quality: str, processes: int, templates: int) -> dict:
    """Build once, and measure."""
    from benchmarks.chats import write_chats
    from dataset_builders.corpus.build import build_dataset
    from dataset_builders.corpus.options import BuildOptions
    from dataset_builders.own_data import load, own_builders
    from dataset_builders.quality.config import QualityConfig

    name = f"{size}-{templates}" if templates else str(size)
    file = folder / f"chats-{name}.jsonl"
    if not file.exists():
        write_chats(size, file, templates=templates)
    spent: dict[str, float] = {}
    last = [seconds(), "parse"]

    def progress(step: str, done: int, total: int) -> None:
        now, (before, stage) = seconds(), last
        spent[stage] = spent.get(stage, 0.0) + now - before
        name = next((name for word, name in STAGES.items() if step.startswith(word)), "survey")
        last[:] = [now, name]

    begin = seconds()
    own = own_builders(load(file), cache_dir=folder / f"cache-{name}")
    options = BuildOptions(quality=QualityConfig.preset(quality))
    counts = build_dataset([], None, folder / f"out-{name}", options, own, processes, progress=progress)
    progress("end", 0, 0)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "dialogues": size,
        "utterances": sum(split["utterances"] for split in counts[0].original.values()),
        "pairs": counts[0].rows["pairs"].rows_out,
        "quality": quality,
        "templates": templates,
        "processes": processes,
        "MiB": {"parent": usages[0].ru_maxrss // 1024, "largest child": usages[1].ru_maxrss // 1024},
        "cpu s": round(seconds() - begin, 1),
        "by stage": {stage: round(value, 1) for stage, value in spent.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30_000, 300_000, 1_000_000])
    parser.add_argument("--quality", default="default")
    parser.add_argument("--num-proc", type=int, default=2)
    parser.add_argument("--templates", type=int, default=0, help="near-duplicates of so many scripts")
    parser.add_argument("--one", action="store_true", help="measure in this process")
    settings = parser.parse_args()
    settings.folder.mkdir(parents=True, exist_ok=True)
    for size in settings.sizes:
        if settings.one:
            print(
                json.dumps(build(settings.folder, size, settings.quality, settings.num_proc, settings.templates)),
                flush=True,
            )
        else:
            options = ["--quality", settings.quality, "--num-proc", str(settings.num_proc), "--one"]
            options += ["--templates", str(settings.templates)]
            command = [sys.executable, __file__, str(settings.folder), "--sizes", str(size), *options]
            subprocess.run(command, check=True)
