"""Damaged and odd input: raw files of sources, own data, configs and outputs, mutated at random by hypothesis.

    python tests/benchmarks/fuzz.py 10000 --seed 0

Every input must be read, or refused with one line, within 5 seconds and 1 GiB. `test_fuzz.py` runs 300 of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from dataset_builders.common.errors import DialogueCubeError  # noqa: E402

SECONDS = 5
BYTES = 1 << 30

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
class Target:
    """A file to mutate, and what reads it.

    Attributes:
        kind: Kind of input, for the table.
        file: The file; it is restored after each input.
        read: Reads everything that depends on it.
    """

    kind: str
    file: Path
    read: Callable[[], object]
    whole: bytes = b""


@dataclass
class Result:
    """What happened to the inputs of one kind."""

    tried: int = 0
    refused: int = 0
    slowest: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)


class HangError(BaseException):
    """An input took longer than `SECONDS`; no handler of errors may catch it."""


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
    """Raise `HangError` after `SECONDS`."""

    def stop(*_: object) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(target: Target, content: bytes, result: Result) -> None:
    """Read one input, and count what happens."""
    target.file.write_bytes(content)
    begin = time.perf_counter()
    result.tried += 1
    try:
        with limited():
            target.read()
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
        result.slowest = max(result.slowest, time.perf_counter() - begin)
        target.file.write_bytes(target.whole)


def campaign(targets: list[Target], count: int, start: int = 0) -> dict[str, Result]:
    """Read mutated inputs.

    Args:
        targets: The files; first a kind is chosen, then one of its files.
        count: Number of inputs.
        start: Random seed.

    Returns:
        What happened, by kind.
    """
    results: dict[str, Result] = {}
    by_kind: dict[str, list[Target]] = {}
    for target in targets:
        target.whole = target.file.read_bytes()
        results.setdefault(target.kind, Result())
        by_kind.setdefault(target.kind, []).append(target)

    @seed(start)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(sorted(by_kind)).flatmap(lambda kind: st.sampled_from(by_kind[kind])), OPERATIONS)
    def run(target: Target, operations: list[tuple[str, float, int]]) -> None:
        attempt(target, mutated(target.whole, operations), results[target.kind])

    run()
    return results


def make_targets(folder: Path) -> list[Target]:
    """Write the files of all kinds below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return [*_own_data(folder / "own"), *_sources(folder / "raw"), *_configs(folder), *_outputs(folder / "outputs")]


def _own_data(folder: Path) -> Iterator[Target]:
    from dataset_builders.own_data import load
    from support.own_samples import SAMPLES, cases, options_of

    shutil.copytree(SAMPLES, folder)
    for case in cases():
        place, options = folder / case.relative_to(SAMPLES), options_of(case)

        def read(place: Path = place, options: dict[str, Any] = options) -> None:
            list(load(place, "mine", max_bad_share=1, **options))

        for file in [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file()):
            yield Target("own data", file, read)


def _sources(folder: Path) -> Iterator[Target]:
    from dataset_builders.sample import SOURCES, write_sample
    from dataset_builders.sources.raw_files import close_archives
    from dataset_builders.sources.registry import get_builder

    write_sample(folder)
    for name in SOURCES:

        def read(name: str = name) -> None:
            close_archives()
            builder = get_builder(name)(data_dir=folder / name, cache_dir=folder.parent / "cache")
            for split, files in builder.split_files.items():
                for _ in builder._generate_tables([(file, split) for file in files[:2]]):
                    pass

        files = sorted(path for path in (folder / name).rglob("*") if path.is_file() and path.stat().st_size < 500_000)
        for file in files[:6]:
            yield Target("sources", file, read)


def _configs(folder: Path) -> Iterator[Target]:
    from dataset_builders.own_data.settings import EXAMPLE_MAPPING, read_mapping
    from dataset_builders.pipeline.config import PipelineConfig
    from dataset_builders.quality.config import QualityConfig

    files = {
        "pipeline.yaml": PipelineConfig(sources=("woz", "sgd"), languages=("en",)).to_yaml(),
        "quality.yaml": "preset: strict\npair_length: {action: drop, min_words: 2}\nmarkup: {action: flag}\n",
        "mapping.yaml": EXAMPLE_MAPPING.replace("# keep", "keep").replace("# session", "session"),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    yield Target("configs", folder / "pipeline.yaml", lambda: PipelineConfig.load(folder / "pipeline.yaml"))
    yield Target("configs", folder / "quality.yaml", lambda: QualityConfig.load(str(folder / "quality.yaml")))
    yield Target("configs", folder / "mapping.yaml", lambda: read_mapping(folder / "mapping.yaml"))


def _outputs(folder: Path) -> Iterator[Target]:
    import numpy as np
    import pyarrow as pa

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.data.hub import read_rows
    from cube_model.inference.ask import read_questions
    from cube_model.inference.index import AnswerIndex
    from cube_model.inference.loading import load_core, training_record
    from cube_model.inference.search import make_search
    from dataset_builders.quality.report.read import read_built
    from hub.invented import dialogue, pair, write_dataset
    from push_scripts.dataset_folder import read_folder
    from push_scripts.model_folder import read_model_folder

    rows = {("dialogues", "train"): [dialogue("1")], ("pairs", "train"): [pair("1"), pair("2")]}
    data = write_dataset(folder / "dataset", rows)

    def read_dataset() -> None:
        read_built(data)
        read_folder(data)
        read_rows(data, "pairs", "train", ["anchor"])

    for name in ("quality/report.json", "pairs/train-00000-of-00001.parquet"):
        yield Target("outputs", data / name, read_dataset)
    teacher = {"name": "minilm", "dtype": "float32", "fingerprint": "0" * 64}
    core = folder / "core"
    CubeModel(CubeConfig(embedding_dim=8, teacher=teacher)).save_pretrained(core)
    (core / "training.json").write_text(json.dumps({"versions": {}, "arguments": {"data": "x"}}))

    def read_core() -> None:
        load_core(core)
        training_record(core)
        read_model_folder(core)

    for name in ("config.json", "training.json", "model.safetensors"):
        yield Target("outputs", core / name, read_core)
    texts = pa.array(["one", "two"])
    table = pa.table({"text": texts, "source": texts, "license": texts, "redistributable": [True, True]})
    AnswerIndex(table, make_search(np.eye(2, 8, dtype=np.float32)), {}).save(folder / "index")
    for name in ("index.json", "answers.parquet", "vectors.safetensors"):
        yield Target("outputs", folder / "index" / name, lambda: AnswerIndex.load(folder / "index"))
    questions = folder / "questions.jsonl"
    questions.write_text('{"question": "Is it open?", "context": ["Hello!"]}\n' * 3)
    yield Target("outputs", questions, lambda: read_questions(questions))


def peak() -> int:
    """Peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Run a campaign and print its table; exit with 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", default=None)
    arguments = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    import logging

    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        os.environ["HF_DATASETS_CACHE"] = f"{name}/cache"
        targets = [t for t in make_targets(Path(name)) if arguments.kind in (None, t.kind)]
        results = campaign(targets, arguments.count, arguments.seed)
    print(f"{'kind':10} {'tried':>7} {'read':>7} {'refused':>8} {'failed':>7} {'slowest':>9}")
    for kind, result in results.items():
        failed = result.failures.total()
        read = result.tried - result.refused - failed
        print(f"{kind:10} {result.tried:7,} {read:7,} {result.refused:8,} {failed:7,} {result.slowest:7.2f} s")
    print(f"peak memory {peak() / 1e6:,.0f} MB")
    failures = sum((result.failures for result in results.values()), Counter())
    for failure, number in failures.most_common(40):
        print(f"{number:6} {failure}")
    sys.exit(1 if failures or peak() > BYTES else 0)


if __name__ == "__main__":
    main()
