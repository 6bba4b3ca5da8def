"""Kills: does an output survive SIGKILL at any moment while it is replaced?

    python tests/benchmarks/campaign.py 20 --only build,index

For each command: an earlier output lies in the place, a run that replaces it is killed at evenly spread moments, and then
the command runs again. The output must be the earlier or the new one as a whole after the kill, the new one after the
rerun, and nothing may lie beside it. Prints campaign -> tried / survived / failed, with how many kills found which output.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

FAQ = "question,answer\n" + "".join(
    f"Where do I find the {colour} {thing} of the shop?,The {colour} {thing} is in hall {number} near the door.\n"
    for number, colour in enumerate(("red", "blue", "green", "white", "old", "small", "round", "tall"))
    for thing in ("lamp", "chair", "kettle", "ladder", "table", "clock")
)


@dataclass(frozen=True)
class Campaign:
    """A command that replaces an output.

    Attributes:
        words: Command line by variant, 0 or 1, without the output.
        option: Option of the output.
        name: Name of the output.
        parts: Patterns of the files that tell the variants apart and are equal in every run.
        more: Words that replace an earlier output.
    """

    words: Callable[[int], list[str]]
    option: str
    name: str
    parts: tuple[str, ...]
    more: tuple[str, ...] = ()


CAMPAIGNS = {
    "build": Campaign(
        lambda i: ["build", "--own", f"faq{i}.csv", "--language", "en"], "--out", "built", ("*/*.parquet",)
    ),
    "database": Campaign(lambda i: ["database", "--data", f"data{i}"], "--out", "corpus.duckdb", ("",)),
    "embed": Campaign(
        lambda i: ["embed", "--data", f"data{i}", "--teacher", "tiny"], "--out", "vectors", ("*",), ("--overwrite",)
    ),
    "index": Campaign(
        lambda i: [
            *("ask", "--model", "core0", "--data", "data0", "--teacher", "tiny"),
            *("--max-answers", str(20 + i), "Where is it?"),
        ],
        *("--index", "index", ("answers.parquet", "vectors.safetensors"), ("--overwrite",)),
    ),
    "export": Campaign(
        lambda i: ["export", "--model", f"core{i}", "--teacher", "tiny"],
        *("--output", "exported", ("**/*.safetensors", "**/config.json", "modules.json"), ("--overwrite",)),
    ),
    "train": Campaign(
        lambda i: [
            *("train", "--data", "data0", "--teacher", "tiny", "--context-turns", str(i), "--epochs", "3", "--quiet"),
            *("--validation", "split"),
        ],
        *("--output", "core", ("model.safetensors", "config.json"), ("--overwrite",)),
    ),
}


def main() -> None:
    """Run the campaigns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", type=int, help="kills of each command")
    parser.add_argument("--only", default=",".join(CAMPAIGNS), help=f"some of {', '.join(CAMPAIGNS)}")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        print(f"{'campaign':10} {'tried':>6} {'survived':>9} {'failed':>7}  kept by the kill")
        for name in arguments.only.split(","):
            failures, kept = attack(folder, CAMPAIGNS[name], arguments.points)
            states = ", ".join(f"{state} {count}" for state, count in sorted(kept.items()))
            survived = arguments.points - len(failures)
            print(f"{name:10} {arguments.points:6} {survived:9} {len(failures):7}  {states}", flush=True)
            for failure in failures:
                print(f"    {failure}")


def prepare(folder: Path) -> None:
    """Write two variants of all inputs, from invented texts."""
    from support.tiny_teacher import save_tiny_distilbert

    save_tiny_distilbert(folder / "tiny", 16)
    for i in (0, 1):
        (folder / f"faq{i}.csv").write_text(FAQ.replace("hall", ("hall", "room")[i]))
        run(folder, ["build", "--own", f"faq{i}.csv", "--language", "en", "--out", f"data{i}"])
        train = [
            "train",
            "--data",
            f"data{i}",
            "--teacher",
            "tiny",
            "--epochs",
            "1",
            "--validation",
            "split",
            "--quiet",
        ]
        run(folder, [*train, "--context-turns", str(i), "--output", f"core{i}"])


def attack(folder: Path, campaign: Campaign, points: int) -> tuple[list[str], Counter[str]]:
    """Kill a command at `points` moments.

    Returns:
        What went wrong, a line for each kill; and which output the kills left.
    """
    place = folder / "work" / campaign.name
    words = [[*campaign.words(i), campaign.option, str(place)] for i in (0, 1)]
    digests, seconds = [], 0.0
    for variant in words:
        remove(place.parent)
        place.parent.mkdir()
        start = time.monotonic()
        run(folder, variant)
        seconds = time.monotonic() - start
        digests.append(digest(place, campaign))
    if digests[0] == digests[1]:
        raise SystemExit(f"{campaign.name}: both variants give the same output")
    names = dict(zip(digests, ("earlier", "new"), strict=True))
    failures, kept = [], Counter[str]()
    for point in range(points):
        remove(place.parent)
        place.parent.mkdir()
        run(folder, words[0])
        # the first fifth is the start of Python
        moment = seconds * (0.2 + (point + 0.5) / points)
        kill(folder, [*words[1], *campaign.more], moment)
        state = names.get(digest(place, campaign), "damaged")
        kept[state] += 1
        problem = "" if state != "damaged" else "neither the earlier nor the new output"
        code, printed = finish(folder, [*words[1], *campaign.more])
        if code:
            problem = f"the rerun ends with {code}: {printed.strip().splitlines()[-1:]}"
        elif names.get(digest(place, campaign)) != "new":
            problem = "the rerun gives another output"
        elif beside := [path.name for path in place.parent.iterdir() if path != place and "lock" not in path.name]:
            problem = f"left beside the output: {beside}"
        if problem:
            failures.append(f"killed after {moment:.2f} s: {problem}")
    return failures, kept


def digest(place: Path, campaign: Campaign) -> str:
    """Digest of an output, of the contents of a database; empty if it is not there."""
    if not place.exists():
        return ""
    if place.is_file():
        return database_digest(place)
    files = sorted({path for part in campaign.parts for path in place.glob(part) if path.is_file()})
    contents = [(path.relative_to(place).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    # embed and build record the time of writing nowhere, but the names of other files count, too
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    return hashlib.sha256(repr((contents, names)).encode()).hexdigest()


def database_digest(file: Path) -> str:
    """Digest of the pairs in a database: DuckDB's files differ in every run."""
    import duckdb

    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            return repr(connection.execute("SELECT count(*), sum(hash(p)) FROM pairs AS p").fetchone())
    except duckdb.Error:
        return "damaged"


def kill(folder: Path, words: list[str], moment: float) -> None:
    """Start a command, and kill it if it still runs at that moment."""
    process = subprocess.Popen(command(words), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def finish(folder: Path, words: list[str]) -> tuple[int, str]:
    """Run a command to its end: exit code and what it printed."""
    result = subprocess.run(command(words), cwd=folder, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def run(folder: Path, words: list[str]) -> None:
    """Run a command that must succeed."""
    code, printed = finish(folder, words)
    if code:
        raise SystemExit(f"{' '.join(words)}: {printed[-2000:]}")


def command(words: list[str]) -> list[str]:
    """The command line of this checkout."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import dialogue_cube; dialogue_cube.main()"
    return [sys.executable, "-c", code, *words]


def remove(folder: Path) -> None:
    """Remove a folder, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
