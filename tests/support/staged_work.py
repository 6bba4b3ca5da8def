"""Jobs that run on any executor, as a process of their own:

    python -m support.staged_work JOB --scratch URL [--executor ray] [--workers 2] [--ray-address HOST:PORT] [--trace DIR]

Prints one line of JSON for each job: a fingerprint of all files, or the error. A new job is a function in `JOBS`.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import ExecutionSettings, open_executor
from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage

PARSED, MERGED = 10, 3


def parse(storage, trace, number):
    """Write numbers to a file; be killed if the trace asks for it."""
    time.sleep(0.3)  # the test kills nodes meanwhile
    if (trace / f"kill-{number}").exists():
        (trace / f"kill-{number}").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    with storage.create(f"parse/{number}.txt") as path:
        path.write_text("\n".join(str(number * k % 97) for k in range(1000)))
    with (trace / f"parse-{number}").open("a") as file:
        file.write("x")
    return {"rows": 1000}


def merge(storage, trace, part):
    """Read the numbers of one part from all files."""
    texts = storage.read([f"parse/{number}.txt" for number in range(PARSED)]).values()
    numbers = sorted(int(line) for text in texts for line in text.split() if int(line) % MERGED == part)
    with storage.create(f"merge/{part}.txt") as path:
        path.write_text("\n".join(map(str, numbers)))
    return len(numbers)


def toy(storage, executor, trace):
    """Two stages with an exchange between them."""
    stages = Stages(storage, executor)
    rows = stages.run("parse", functools.partial(parse, storage, trace), PARSED)
    counts = stages.run("merge", functools.partial(merge, storage, trace), MERGED)
    assert sum(counts) == sum(each["rows"] for each in rows)


def fail(kind, trace, number):
    """Fail in task 2."""
    if number == 2 and kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2 and kind == "wrong file":
        raise DataError("raw/2.json, line 7: no text; add one")
    if number == 2 and kind == "error":
        raise KeyError("speaker")
    if number == 2 and kind == "full disk":
        with Storage(str(trace)).create("x"):
            os.write(os.open("/dev/full", os.O_WRONLY), b"x")


def failing(kind):
    """A stage with a task that fails."""

    def run(storage, executor, trace):
        label = "raw/{}.json".format
        Stages(storage, executor).run(kind.replace(" ", "-"), functools.partial(fail, kind, trace), 4, label=label)

    return run


def build(storage, executor, trace):
    """The dataset folder of an invented source, in `TRACE/dataset`."""
    from dataset_builders.corpus.build import build_dataset

    kind = "local" if isinstance(executor, LocalExecutor) else "ray"
    execution = ExecutionSettings(executor=kind, scratch=storage.below("build").root)
    out, cache = trace / "dataset", trace / "cache"
    raw = os.environ["SAMPLE_RAW"]
    build_dataset(["camrest676"], raw, out, num_proc=executor.workers, cache_dir=cache, execution=execution)


JOBS = {"toy": toy, "build": build, **{kind: failing(kind) for kind in ("killed", "wrong file", "error", "full disk")}}


def fingerprint(storage):
    """A hash of the names and contents of all files of the toy job."""
    contents = storage.read([name for folder in ("parse", "merge") for name in storage.names(folder)])
    return hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jobs", nargs="+", choices=JOBS)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--executor", default="ray")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--ray-address")
    parser.add_argument("--trace", type=Path, required=True)
    options = parser.parse_args()
    storage = Storage(options.scratch, kept=True)
    try:
        with open_executor(options.executor, options.workers, options.ray_address, storage) as executor:
            for job in options.jobs:
                try:
                    JOBS[job](storage, executor, options.trace)
                    answer = {"files": fingerprint(storage)}
                except Exception as error:
                    answer = {"error": str(error), "type": type(error).__name__, "cause": str(error.__cause__)}
                print(json.dumps(answer), flush=True)
    except DataError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
