"""Measure `dialogue-cube build --own`: processor time and memory, beside an earlier checkout and for a larger input.

    python tests/benchmarks/bench_own_build.py [--before CHECKOUT] [--pairs 200000] [--dialogues 100000 1000000]

Invents question-answer pairs (60 MB of JSON Lines for 200,000, a fifth of them Russian), which are built with the
default quality filters and without, and dialogues of two turns with ids, which are built without. Each build is a
separate process with an empty cache. Prints processor seconds (user and system, all processes), also for 1,000 rows;
wall seconds; and the peak memory of the largest process: all resident pages, and the anonymous ones, which do not
include memory-mapped files. The last column is the ratio of the processor time before to now for pairs, and of the
peak memory to that of the smallest input for dialogues. A machine that is busy with other work makes processor time up
to twice as long: run it before and now in turn.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

HERE = Path(__file__).parents[2]
VARIANTS = {"default": [], "without quality": ["--quality", "none"]}
BUILD = "from dialogue_cube import main; main()"

ENGLISH = (
    "the you what would that have are your please thank with this there can need order refund card ticket",
    "aeiou",
)
RUSSIAN = "что мне это есть или как вы если можно спасибо пожалуйста нужно для заказ возврат карта билет", "аеиоу"


class Speaker:
    """Says invented sentences of words with a frequency as in real texts."""

    def __init__(self, rng: random.Random, frequent: str, vowels: str) -> None:
        consonants = "бвгдзклмнпрст" if vowels == RUSSIAN[1] else "bcdfghlmnprstv"
        syllables = [c + v for c in consonants for v in vowels]
        more = ("".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(4000))
        self.rng, self.words = rng, [*frequent.split(), *more]
        self.weights = list(accumulate(1 / (rank + 8) for rank in range(len(self.words))))

    def say(self, low: int, high: int) -> str:
        """A sentence of `low` to `high` words; a few have a number, an address or markup in them."""
        words = self.rng.choices(self.words, cum_weights=self.weights, k=self.rng.randint(low, high))
        if self.rng.random() < 0.06:
            n = self.rng.randint(1, 10**6)
            words.insert(
                1, self.rng.choice([f"user{n}@example.org", f"+7 912 {n:07d}", "<br>", "&amp;", str(n), str(n)])
            )
        return " ".join(words).capitalize() + self.rng.choice("..?!")


def invent(path: Path, count: int, is_pairs: bool) -> None:
    rng = random.Random(0)
    speakers = [Speaker(rng, *language) for language in (ENGLISH, RUSSIAN)]
    earlier: list[list[str]] = []
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            speaker = speakers[rng.random() < 0.2]
            turns = [speaker.say(3, 20), speaker.say(5, 45)] if is_pairs else [speaker.say(4, 12), speaker.say(5, 16)]
            if earlier and rng.random() < 0.03:
                turns = rng.choice(earlier)
            elif len(earlier) < 3000:
                earlier.append(turns)
            record = (
                {"question": turns[0], "answer": turns[1]}
                if is_pairs
                else {
                    "id": number,
                    "messages": [{"role": r, "content": t} for r, t in zip(("user", "assistant"), turns, strict=True)],
                }
            )
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def measure(checkout: Path, own: Path, options: list[str]) -> tuple[float, float, float, float]:
    """Build in a new process; returns its processor and wall seconds, and its peak resident and anonymous MiB."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {"PYTHONPATH": str(checkout), "HF_HOME": folder, "HF_DATASETS_CACHE": f"{folder}/cache"}
        environment = {**os.environ, **paths, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", BUILD, "build", "--own", own, "--out", f"{folder}/out", *options]
        wall = time.perf_counter()
        with subprocess.Popen(command, cwd=checkout, env=environment, stdout=-3, stderr=-3) as process:
            anonymous = [0.0]
            watcher = threading.Thread(target=lambda: anonymous.append(max(watch(process.pid), default=0)))
            watcher.start()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            watcher.join()
        if process.returncode:
            raise SystemExit(f"{checkout}: the build of {own} failed")
        seconds = time.perf_counter() - wall
        return usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024, anonymous[-1]


def watch(pid: int) -> Iterator[float]:
    """Anonymous MiB of a process, several times a second, until it ends."""
    while True:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return
        sizes = [float(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")]
        if not sizes:  # it has ended, but was not waited for yet
            return
        yield sizes[0]
        time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="checkout of an earlier version")
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--dialogues", type=int, nargs="*", default=[100_000, 1_000_000])
    args = parser.parse_args()
    sys.stdout.write(
        f"{'input':32} {'version':7} {'CPU s':>7} {'ms/1000':>8} {'wall s':>7} {'peak MiB':>9} {'anonymous':>10}"
        f" {'ratio':>6}\n"
    )

    def show(count: int, what: str, version: str, figures: tuple[float, ...], ratio: float) -> None:
        cpu, wall, peak, anonymous = figures
        sys.stdout.write(
            f"{f'{count:,} {what}':32} {version:7} {cpu:7.1f} {1e6 * cpu / count:8.0f} {wall:7.1f} {peak:9.0f}"
            f" {anonymous:10.0f} {ratio:6.2f}\n"
        )
        sys.stdout.flush()

    folder = Path(tempfile.mkdtemp())
    try:
        if args.pairs:
            invent(folder / "pairs.jsonl", args.pairs, is_pairs=True)
        for variant, options in VARIANTS.items() if args.pairs else ():
            now = measure(HERE, folder / "pairs.jsonl", options)
            if args.before:
                before = measure(args.before.resolve(), folder / "pairs.jsonl", options)
                show(args.pairs, f"pairs, {variant}", "before", before, before[0] / now[0])
            show(args.pairs, f"pairs, {variant}", "now", now, 1)
        smallest = 0.0
        for count in args.dialogues:
            invent(folder / "dialogues.jsonl", count, is_pairs=False)
            figures = measure(HERE, folder / "dialogues.jsonl", VARIANTS["without quality"])
            smallest = smallest or figures[2]
            show(count, "dialogues, without quality", "now", figures, figures[2] / smallest)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
