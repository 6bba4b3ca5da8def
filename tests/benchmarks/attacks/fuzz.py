"""Damaged and odd input: raw files of sources, own data, configs and outputs, mutated at random by hypothesis.

    python tests/benchmarks/attacks/fuzz.py 10000 --seed 0
    python tests/benchmarks/attacks/fuzz.py 300 --damage      # bit flips and truncations of outputs only

Every input must be read, or refused with one line, within 5 seconds of processor time and 1 GiB. Rows, vectors and
replies that are read from a damaged output must be those of the whole one. `test_fuzz.py` runs 300 inputs.
`fuzz_targets.py` lists the files.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from benchmarks.attacks.fuzz_targets import Target, make_targets  # noqa: E402
from dataset_builders.common.errors import DialogueCubeError  # noqa: E402

SECONDS, WAIT = 5, 120
"""Limits of processor time and of time, since other programs may use the processor."""

BYTES = 1 << 30

SHARES = {"own data": 6, "sources": 8, "configs": 2}
"""Inputs of a kind for each input of another one: they have many more files."""

NO_OUTPUTS = ("own data", "sources", "configs", "records")

TOKENS = [
    *(b"", b"\0", b"\n", b"\r", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b"\t", b"<", b"&", b"%", b": "),
    *(b"null", b"true", b"NaN", b"-1", b"1e999", b'""', b"{}", b"[]", b"[[]]", b'{"a": 1}', b"- x\n", b"!!python/x"),
    *(b"7" * 5_000, b"[" * 3_000, b'{"a":' * 3_000, b"a" * 20_000, b"(" * 5_000, b"=" * 99, b"- " * 999),
    *(b"\\ud83d", b"\\u0000", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u2028".encode(), "\u202e".encode()),
    *(b"9999-99-99", b"31.02.2026", b"1970-01-01T00:00:00Z", b"From ", b"__label__", b"system", b"user", b"\x1b[31m"),
]

JSON_VALUES = [
    None,
    True,
    0,
    -1,
    10**30,
    1e300,
    "",
    "x",
    "\u2028",
    "\ud83d",
    [],
    [[]],
    [None],
    {},
    {"a": None},
    [1, "x"],
]

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 7)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
        st.tuples(st.just("drop"), st.floats(0, 1), st.integers(1, 200)),
        st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 2_000)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.integers(0, len(TOKENS) - 1)),
        st.tuples(st.just("value"), st.floats(0, 1), st.integers(0, len(JSON_VALUES) - 1)),
    ),
    min_size=1,
    max_size=4,
)


@dataclass
class Result:
    """What happened to the inputs of one kind."""

    tried: int = 0
    refused: int = 0
    slowest: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)


class HangError(BaseException):
    """An input took longer than `SECONDS`, or `WAIT`; no handler of errors may catch it."""


def mutated(content: bytes, operations: list[tuple[str, float, int]]) -> bytes:
    """Apply operations to the content of a file, each at a relative position."""
    data = bytearray(content)
    for name, position, number in operations:
        at = int(position * len(data))
        if name == "flip" and data:
            data[min(at, len(data) - 1)] ^= 1 << number
        elif name == "cut":
            del data[at:]
        elif name == "drop":
            del data[at : at + number]
        elif name == "repeat":
            data[at:at] = data[at : at + number]
        elif name == "insert":
            data[at:at] = TOKENS[number]
        elif name == "value":
            data = bytearray(_with_value(bytes(data), position, JSON_VALUES[number]))
    return bytes(data)


def _with_value(content: bytes, position: float, value: Any) -> bytes:
    """Replace a value somewhere in a JSON document, or in one line of JSON lines; other files stay as they are."""
    lines = content.split(b"\n")
    number = int(position * len(lines)) % len(lines)
    for text, put in (
        (content, lambda new: new),
        (lines[number], lambda new: b"\n".join([*lines[:number], new, *lines[number + 1 :]])),
    ):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        places = list(_places(document))
        if not places:
            continue
        holder, key = places[int(position * len(places)) % len(places)]
        holder[key] = value
        return put(json.dumps(document).encode())
    return content


def _places(value: Any, depth: int = 8) -> Iterator[tuple[Any, Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(entries)[:50]:
        yield value, key
        if depth:
            yield from _places(inner, depth - 1)


@contextmanager
def limited() -> Iterator[None]:
    """Raise `HangError` after `SECONDS` of processor time, or after `WAIT`."""

    def stop(*_: object) -> None:
        raise HangError

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, SECONDS), signal.SIGALRM: (signal.ITIMER_REAL, WAIT)}
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def attempt(target: Target, content: bytes, result: Result) -> None:
    """Read one input, and count what happens."""
    target.file.write_bytes(content)
    begin = time.process_time()
    result.tried += 1
    try:
        with limited():
            rows = target.read()
        if rows is not None and rows != target.rows:
            result.failures[f"other rows by {target.file}"] += 1
    except (DialogueCubeError, OSError) as error:
        result.refused += 1
        if "\n" in str(error):
            result.failures[f"several lines: {str(error)[:80]!r}"] += 1
    except HangError:
        result.failures[f"longer than {SECONDS} s: {target.file.name}"] += 1
    except Exception as error:  # what the campaign looks for
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(ROOT) in frame.filename]
        place = f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno}"
        result.failures[f"{type(error).__name__}: {str(error)[:80]!r} at {place} by {target.file}"] += 1
    finally:
        result.slowest = max(result.slowest, time.process_time() - begin)
        target.file.write_bytes(target.whole)


def campaign(
    targets: list[Target],
    count: int,
    start: int = 0,
    operations: st.SearchStrategy[Any] = OPERATIONS,
    *,
    progress: bool = False,
) -> dict[str, Result]:
    """Read mutated inputs.

    Args:
        targets: The files; first a kind is chosen, then one of its files.
        count: Number of inputs.
        start: Random seed.
        operations: Strategy of the operations on a file.
        progress: Print what was done after each 500 inputs.

    Returns:
        What happened, by kind.
    """
    results: dict[str, Result] = {}
    by_kind: dict[str, list[Target]] = {}
    for target in targets:
        target.whole, target.rows = target.file.read_bytes(), target.read()
        results.setdefault(target.kind, Result())
        by_kind.setdefault(target.kind, []).append(target)

    kinds = [kind for kind in sorted(by_kind) for _ in range(SHARES.get(kind, 1))]

    @seed(start)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(kinds).flatmap(lambda kind: st.sampled_from(by_kind[kind])), operations)
    def run(target: Target, operations: list[tuple[str, float, int]]) -> None:
        attempt(target, mutated(target.whole, operations), results[target.kind])
        tried = sum(result.tried for result in results.values())
        if progress and tried % 500 == 0:
            failed = sum(result.failures.total() for result in results.values())
            print(f"{tried:,} of {count:,}, {failed} failed, {peak() / 1e6:,.0f} MB", file=sys.stderr, flush=True)

    run()
    return results


def peak() -> int:
    """Peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Run a campaign and print its table; exit with 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default=None)
    parser.add_argument("--damage", action="store_true", help="only bit flips and truncations, only of outputs")
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    import logging

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        os.environ["HF_DATASETS_CACHE"] = f"{name}/cache"
        targets = [t for t in make_targets(Path(name)) if arguments.kind in (None, t.kind)]
        operations = OPERATIONS
        if arguments.damage:
            targets = [target for target in targets if target.kind not in NO_OUTPUTS]
            flip = st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 7))
            operations = st.lists(flip | st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)), min_size=1, max_size=1)
        print(f"{len(targets):,} files of {len({target.kind for target in targets})} kinds", flush=True)
        before = peak()
        results = campaign(targets, arguments.count, arguments.seed, operations, progress=True)
    print(f"{'kind':10} {'tried':>7} {'read':>7} {'refused':>8} {'failed':>7} {'slowest':>9}")
    for kind, result in results.items():
        failed = result.failures.total()
        read = result.tried - result.refused - failed
        print(f"{kind:10} {result.tried:7,} {read:7,} {result.refused:8,} {failed:7,} {result.slowest:7.2f} s")
    print(f"peak memory {peak() / 1e6:,.0f} MB, {before / 1e6:,.0f} MB of them for libraries and models")
    failures = sum((result.failures for result in results.values()), Counter())
    for failure, number in failures.most_common(40):
        print(f"{number:6} {failure}")
    sys.exit(1 if failures or peak() > BYTES else 0)


if __name__ == "__main__":
    main()
