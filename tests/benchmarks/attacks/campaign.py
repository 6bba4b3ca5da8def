"""Kills: does an output survive SIGKILL at any moment while it is replaced?

    python tests/benchmarks/attacks/campaign.py 25 --only build,index

For each command: an earlier output lies in the place, a run that replaces or changes it is killed at evenly spread moments,
and then the command runs again. The output must be the earlier or the new one as a whole after the kill, the new one after
the rerun, and nothing may lie beside it. A pipeline has several outputs, so it only has to end with all of them new. A
server that is killed while it answers must leave its assistant as it was, a log of whole lines, and a free port. Prints
campaign -> tried / survived / failed, with how many kills found which output.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.attacks.campaign_digests import calibration_digest, database_digest, entries_digest, sha256  # noqa: E402
from benchmarks.attacks.forked import Run, finish, kill, must, preload  # noqa: E402

FAQ = "question,answer\n" + "".join(
    f"Where do I find the {colour} {thing} of the shop?,The {colour} {thing} is in hall {number} near the door.\n"
    for number, colour in enumerate(("red", "blue", "green", "white", "old", "small", "round", "tall"))
    for thing in ("lamp", "chair", "kettle", "ladder", "table", "clock")
)


@dataclass(frozen=True)
class Campaign:
    """A command that replaces or changes an output.

    Attributes:
        first: Command line of the earlier output, without the place.
        then: Command line of the run that is killed, without the place.
        option: Option of the output.
        name: Name of the output.
        parts: Patterns of the files that tell the outputs apart and are equal in every run; a database by its rows.
        is_whole: Whether the output changes as a whole, rather than part by part.
    """

    first: list[str]
    then: list[str]
    option: str
    name: str
    parts: tuple[str, ...]
    is_whole: bool = True


def _variants(*words: str, more: tuple[str, ...] = ("--overwrite",)) -> tuple[list[str], list[str]]:
    """The command lines of both variants: `#` is the number of the variant."""
    first, then = ([word.replace("#", str(i)) for word in words] for i in (0, 1))
    return first, [*then, *more]


_TRAIN = ("--teacher", "tiny", "--context-turns", "#", "--quiet", "--validation", "split")
_ASSISTANT = ("encoder/*", "calibration.json", "topics.safetensors")
_CALIBRATED = ("encoder/*", "topics.safetensors")
"""Without the calibration, whose file has another name whenever it is made again: see `calibration_digest`."""

CAMPAIGNS = {
    "build": Campaign(
        *_variants("build", "--own", "faq#.csv", "--language", "en", more=()), "--out", "built", ("*/*.parquet",)
    ),
    "pipeline": Campaign(
        *_variants("pipeline", "--config", "pipeline#.yaml", more=()),
        *("--out", "out", ("dataset/*/*.parquet", "corpus.duckdb")),
        is_whole=False,
    ),
    "pipeline-core": Campaign(
        *_variants("pipeline", "--config", "pipeline-core#.yaml", more=()),
        *("--out", "out", ("dataset/*/*.parquet", "core/model.safetensors", "core/config.json", "corpus.duckdb")),
        is_whole=False,
    ),
    "database": Campaign(*_variants("database", "--data", "data#", more=()), "--out", "corpus.duckdb", ("",)),
    "export": Campaign(
        *_variants("export", "--model", "core#", "--teacher", "tiny"),
        *("--output", "exported", ("**/*.safetensors", "**/config.json", "modules.json")),
    ),
    "index": Campaign(
        *_variants(
            *("ask", "--model", "core0", "--data", "data0", "--teacher", "tiny", "--max-answers", "2#", "Where is it?")
        ),
        *("--index", "index", ("answers.parquet", "vectors.safetensors")),
    ),
    "embed": Campaign(*_variants("embed", "--data", "data#", "--teacher", "tiny"), "--out", "vectors", ("*",)),
    "train": Campaign(
        *_variants("train", "--data", "data0", "--epochs", "3", *_TRAIN),
        *("--output", "core", ("model.safetensors", "config.json")),
    ),
    "encoder": Campaign(
        *_variants(
            "train-encoder", "--data", "data0", "--base", "tiny", "--epochs", "1", "--batch-size", "8", "--seed", "#"
        ),
        *("--output", "encoder", ("**/*.safetensors", "modules.json")),
    ),
    "intents": Campaign(
        *_variants("train-intents", "--own", "intents#.csv", "--encoder", "tiny"),
        *("--out", "intents", ("intents.safetensors",)),
    ),
    "flow": Campaign(
        *_variants("flow", "--data", "data0", "--encoder", "tiny", "--seed", "#", more=()), "--out", "flow", ("*.json",)
    ),
    "map": Campaign(
        *_variants("map", "--data", "data0", "--encoder", "tiny", "--seed", "#", more=()),
        *("--database", "corpus.duckdb", ("",)),
    ),
    "assistant": Campaign(
        *_variants("assistant", "build", "--own", "faq#.csv", "--language", "en", "--encoder", "tiny"),
        *("--out", "assistant", _ASSISTANT),
    ),
    "add": Campaign(
        ["assistant", "build", "--own", "faq0.csv", "--language", "en", "--encoder", "tiny", "--out"],
        ["assistant", "add", "faq1.csv", "--language", "en", "--assistant"],
        *("", "assistant", _ASSISTANT),
    ),
    "calibrate": Campaign(
        ["assistant", "build", "--own", "faq0.csv", "--language", "en", "--encoder", "tiny", "--out"],
        ["assistant", "calibrate", "--max-refused", "0.3", "--assistant"],
        *("", "assistant", _CALIBRATED),
    ),
}


def main() -> None:
    """Run the campaigns and print the table; exit with 1 if a kill did harm."""
    names = [*CAMPAIGNS, "serve"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", type=int, help="kills of each command")
    parser.add_argument("--only", default=",".join(names), help=f"some of {', '.join(names)}")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ |= {"HF_HUB_OFFLINE": "1", "DIALOGUE_CUBE_CACHE": str(folder / "cache")}
        preload()
        prepare(folder)
        print(f"{'campaign':13} {'tried':>6} {'survived':>9} {'failed':>7}  kept by the kill")
        for name in arguments.only.split(","):
            run = attack_server if name == "serve" else partial(attack, campaign=CAMPAIGNS[name])
            failures, kept = run(folder, points=arguments.points)
            failed += len(failures)
            states = ", ".join(f"{state} {count}" for state, count in sorted(kept.items()))
            survived = arguments.points - len(failures)
            print(f"{name:13} {arguments.points:6} {survived:9} {len(failures):7}  {states}", flush=True)
            for failure in failures:
                print(f"    {failure}", flush=True)
    sys.exit(1 if failed else 0)


def prepare(folder: Path) -> None:
    """Write two variants of all inputs, from invented texts."""
    from support.tiny_teacher import save_tiny_distilbert

    save_tiny_distilbert(folder / "tiny", 16)
    for i in (0, 1):
        (folder / f"faq{i}.csv").write_text(FAQ.replace("hall", ("hall", "room")[i]))
        labels = "".join(f"{line.partition(',')[0]},{line.split()[5]}\n" for line in FAQ.splitlines()[1:])
        (folder / f"intents{i}.csv").write_text("text,intent\n" + labels.replace("shop", ("shop", "market")[i]))
        train = f"{{teacher: {folder / 'tiny'}, epochs: 1, validation: split, context_turns: {i}}}"
        data = f"own: {{path: faq{i}.csv, language: en}}\n"
        (folder / f"pipeline{i}.yaml").write_text(data)
        (folder / f"pipeline-core{i}.yaml").write_text(f"{data}train: {train}\n")
        must(folder, ["build", "--own", f"faq{i}.csv", "--language", "en", "--out", f"data{i}"])
        words = [word.replace("#", str(i)) for word in _TRAIN]
        must(folder, ["train", "--data", f"data{i}", "--epochs", "1", *words, "--output", f"core{i}"])


def attack(folder: Path, campaign: Campaign, points: int) -> tuple[list[str], Counter[str]]:
    """Kill a command at `points` moments.

    Returns:
        What went wrong, a line for each kill; and which output the kills left.
    """
    place, earlier = folder / "work" / campaign.name, folder / "earlier"
    target = [word for word in (campaign.option, str(place)) if word]
    first, then = [*campaign.first, *target], [*campaign.then, *target]
    for used in (place.parent, earlier):
        remove(used)
    place.parent.mkdir()
    must(folder, first)
    shutil.copytree(place.parent, earlier)
    digests = [digest(place, campaign)]
    start = time.monotonic()
    must(folder, then)
    seconds = time.monotonic() - start
    digests.append(digest(place, campaign))
    if digests[0] == digests[1]:
        raise SystemExit(f"{campaign.name}: both variants give the same output")
    names = dict(zip(digests, ("earlier", "new"), strict=True))
    failures, kept = [], Counter[str]()
    for point in range(points):
        remove(place.parent)
        shutil.copytree(earlier, place.parent)
        # the first fifth is the start of Python
        moment = seconds * (0.2 + 0.9 * (point + 0.5) / points)
        kill(folder, then, moment)
        state = names.get(digest(place, campaign), "damaged" if campaign.is_whole else "between")
        kept[state] += 1
        problem = "" if state != "damaged" else "neither the earlier nor the new output"
        code, printed = finish(folder, then)
        if code:
            problem = f"the rerun ends with {code}: {printed.strip().splitlines()[-1:]}"
        elif names.get(digest(place, campaign)) != "new":
            problem = "the rerun gives another output"
        elif beside := [path.name for path in left(place) if "lock" not in path.name]:
            problem = f"left beside or in the output: {beside}"
        if problem:
            failures.append(f"killed after {moment:.2f} s: {problem}")
    return failures, kept


def left(place: Path) -> list[Path]:
    """What lies beside an output, and working folders in it."""
    return [*(path for path in place.parent.iterdir() if path != place), *place.rglob(".*.part")]


def attack_server(folder: Path, points: int) -> tuple[list[str], Counter[str]]:
    """Kill a server at `points` moments, from its start until it has answered for a while.

    Returns:
        What went wrong, a line for each kill; and whether the server answered when it was killed.
    """
    place, log = folder / "served" / "assistant", folder / "served" / "unanswered.jsonl"
    remove(place.parent)
    place.parent.mkdir()
    must(folder, [*CAMPAIGNS["assistant"].first, "--out", str(place)])
    before, failures, kept = digest(place, CAMPAIGNS["assistant"]), [], Counter[str]()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["serve", "--assistant", str(place), "--port", str(port), "--unanswered", str(log)]
    start = time.monotonic()
    with started(folder, words, port):
        seconds = time.monotonic() - start
    for point in range(points):
        # a third of the kills while it starts; the server answers four clients from when it is up
        moment = seconds * (0.3 + 1.7 * (point + 0.5) / points)
        process = Run(folder, words)
        answered = Counter[int]()
        clients = [threading.Thread(target=ask, args=(port, process, answered)) for _ in range(4)]
        for client in clients:
            client.start()
        time.sleep(moment)
        process.kill()
        process.wait()
        for client in clients:
            client.join()
        kept["answering" if answered[200] else "starting"] += 1
        problem = ""
        if wrong := sorted(set(answered) - {0, 200}):
            problem = f"answered with {wrong}"
        elif digest(place, CAMPAIGNS["assistant"]) != before:
            problem = "the assistant has changed"
        elif bad := [line for line in log.read_bytes().splitlines() if not is_json(line)] if log.exists() else []:
            problem = f"{len(bad)} damaged lines in the log"
        elif beside := {path.name for path in place.parent.iterdir()} - {place.name, log.name}:
            problem = f"left beside the assistant: {sorted(beside)}"
        else:
            try:
                with started(folder, words, port):
                    pass
            except OSError as error:
                problem = f"it does not start again: {error}"
        if problem:
            failures.append(f"killed after {moment:.2f} s: {problem}")
    return failures, kept


@contextmanager
def started(folder: Path, words: list[str], port: int) -> Iterator[None]:
    """Run a server that answers a question, and end it as a terminal does."""
    process = Run(folder, words)
    try:
        answered = Counter[int]()
        while process.poll() is None and not answered[200]:
            answered[reply(port)] += 1
            time.sleep(0.05)
        if not answered[200]:
            raise OSError(f"the server ended with {process.returncode}")
        yield
    finally:
        process.kill(signal.SIGTERM)
        if process.wait(30) not in (0, 128 + signal.SIGTERM):
            raise OSError(f"the server ended with {process.returncode} after SIGTERM")


def ask(port: int, process: Run, answered: Counter[int]) -> None:
    """Ask until the server has ended; counts the statuses, 0 for none."""
    while process.poll() is None:
        status = reply(port)
        answered[status] += 1
        time.sleep(0.05 if not status else 0)


def reply(port: int) -> int:
    """Ask one question: the status, or 0 without a whole answer."""
    question = json.dumps({"text": "Who won the regatta on the lake?"}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/reply", question, headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
            json.load(response)
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError, http.client.HTTPException):
        return 0


def is_json(line: bytes) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def digest(place: Path, campaign: Campaign) -> str:
    """Digest of an output, of the contents of a database or an assistant; empty if it is not there."""
    if not place.exists():
        return ""
    if place.is_file():
        return database_digest(place)
    files = sorted({path for part in campaign.parts for path in place.glob(part) if path.is_file()})
    contents = [
        (path.relative_to(place).as_posix(), database_digest(path) if path.suffix == ".duckdb" else sha256(path))
        for path in files
    ]
    if campaign.parts == _ASSISTANT:
        # segments that no manifest names are swept by the next writer
        return repr((sorted(contents), entries_digest(place)))
    if campaign.parts == _CALIBRATED:
        return repr((sorted(contents), entries_digest(place), calibration_digest(place)))
    # embed and build record the time of writing nowhere, but the names of other files count, too
    names = sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    return hashlib.sha256(repr((contents, names)).encode()).hexdigest()


def remove(folder: Path) -> None:
    """Remove a folder, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
