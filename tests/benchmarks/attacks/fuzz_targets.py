"""The files that `fuzz.py` damages, and what reads them: raw files of all sources, all formats of own data, settings, outputs.

Raw files of the sources are those of the tests, invented ones in the formats of the corpora. All outputs are made here.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import importlib.util
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DialogueCubeError

LARGEST = 500_000
"""Bytes of a file above which it is left out: mutating it would only cost time."""

QUESTIONS = ["Is it open on Sundays?", "Where is the red lamp?", "How do I pay?", "Can I bring my dog?"]
ANSWERS = ["From ten to six.", "In hall two.", "By card at the desk.", "Dogs are welcome."]


@dataclass
class Target:
    """A file to mutate, and what reads it.

    Attributes:
        kind: Kind of input, for the table.
        file: The file; it is restored after each input.
        read: Reads everything that depends on it. What it returns, unless None, must be the same as of the whole file,
            or the file must be refused.
    """

    kind: str
    file: Path
    read: Callable[[], object]
    whole: bytes = b""
    rows: object = None


def make_targets(folder: Path, *, everything: bool = True) -> list[Target]:
    """Write the files of all kinds below a folder.

    Args:
        folder: Folder to fill.
        everything: Whether to take all sources, rather than the six of the sample, and the outputs that need a model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    targets = [*_own_data(folder / "own"), *_sample(folder / "raw"), *_configs(folder), *_outputs(folder / "outputs")]
    if everything:
        from benchmarks.attacks.fuzz_models import model_targets
        from benchmarks.attacks.fuzz_records import record_targets

        targets += [*_plain(folder / "plain"), *_all_sources(folder / "all"), *record_targets(folder / "records")]
        targets += model_targets(folder / "models")
    return targets


def digest(*values: object) -> str:
    """Digest of what was read."""
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()


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


def _plain(folder: Path) -> Iterator[Target]:
    """Tables, JSON and lines, bare, compressed and in archives."""
    from dataset_builders.own_data import load

    folder.mkdir()
    tables = {
        "pairs": [{"question": q, "answer": a} for q, a in zip(QUESTIONS, ANSWERS, strict=True)],
        "turns": [{"id": n, "turn": t, "speaker": s, "text": x[n]} for n in range(4) for t, s, x in _SPOKEN],
        "labels": [{"text": q, "intent": q.split()[-1]} for q in QUESTIONS],
    }
    contents = {f"{name}.{end}": write(rows) for end, write in _WRITERS.items() for name, rows in tables.items()}
    for name, (first, second) in {"prefixed": ("User: ", "Assistant: "), "named": ("Ann: ", "Bob: ")}.items():
        lines = [f"{first}{q}\n{second}{a}" for q, a in zip(QUESTIONS, ANSWERS, strict=True)]
        contents[f"{name}.txt"] = "\n\n".join(lines).encode()
    contents["dashed.txt"] = "".join(f"- {q}\n- {a}\n" for q, a in zip(QUESTIONS, ANSWERS, strict=True)).encode()
    contents["lines.txt"] = contents["dashed.txt"].replace(b"- ", b"")
    csv = contents["pairs.csv"]
    contents |= {"a.csv.gz": gzip.compress(csv), "a.csv.bz2": bz2.compress(csv), "a.csv.xz": lzma.compress(csv)}
    contents |= {"a.csv.zst": _zstd(csv), "a.zip": _zip(csv), "a.tar": _tar(csv, ""), "a.tar.gz": _tar(csv, "gz")}
    options: dict[str, dict[str, Any]] = {
        "named.txt": {"system_speaker": ["Bob"]},
        "dashed.txt": {"format": "dashed-lines"},
        "lines.txt": {"format": "alternating-lines"},
        **{f"turns.{end}": {"dialogue_column": "id", "turn_column": "turn"} for end in _WRITERS},
    }
    for name, content in contents.items():
        file = folder / name
        file.write_bytes(content)

        def read(file: Path = file, options: dict[str, Any] = options.get(name, {})) -> None:
            list(load(file, "mine", max_bad_share=1, **options))

        yield Target("own data", file, read)


_SPOKEN = ((0, "user", QUESTIONS), (1, "system", ANSWERS))


def table_of(rows: list[dict[str, Any]], mark: str = ",") -> bytes:
    lines = [mark.join(rows[0]), *(mark.join(str(value) for value in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def _workbooks() -> Any:
    """The test that writes workbooks."""
    file = Path(__file__).parents[2] / "dataset_builders" / "own_data" / "test_spreadsheet.py"
    spec = importlib.util.spec_from_file_location("test_spreadsheet", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _xlsx(rows: list[dict[str, Any]]) -> bytes:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    cells = {n: dict(zip("ABCD", line, strict=False)) for n, line in enumerate(lines, 1)}
    return bytes(_workbooks().xlsx({"S": cells}))


def _ods(rows: list[dict[str, Any]]) -> bytes:
    return bytes(_workbooks().ods([list(rows[0]), *(list(row.values()) for row in rows)]))


_WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "csv": table_of,
    "tsv": lambda rows: table_of(rows, "\t"),
    "json": lambda rows: json.dumps(rows).encode(),
    "jsonl": lambda rows: b"".join(json.dumps(row).encode() + b"\n" for row in rows),
    "parquet": _parquet,
    "xlsx": _xlsx,
    "ods": _ods,
}


def _zstd(content: bytes) -> bytes:
    import pyarrow as pa

    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pairs.csv", content)
    return buffer.getvalue()


def _tar(content: bytes, compression: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        info = tarfile.TarInfo("pairs.csv")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _source(name: str, config: str | None, raw: Path, cache: Path, most: int) -> Iterator[Target]:
    from dataset_builders.sources.raw_files import close_archives
    from dataset_builders.sources.registry import get_builder

    def read() -> None:
        close_archives()
        builder = get_builder(name)(data_dir=raw, config_name=config, cache_dir=cache)
        for split, files in builder.split_files.items():
            for _ in builder._generate_tables([(file, split) for file in files[:2]]):
                pass

    files = sorted(path for path in raw.rglob("*") if path.is_file() and path.stat().st_size < LARGEST)
    for file in files[:most]:
        yield Target("sources", file, read)


def _sample(folder: Path) -> Iterator[Target]:
    from dataset_builders.sample import SOURCES, write_sample

    write_sample(folder)
    for name in SOURCES:
        yield from _source(name, None, folder / name, folder.parent / "cache", 6)


TESTS = ("sources", "chat_sources", "intent_sources", "task_sources", "sources_more", "sources_restricted")


def _all_sources(folder: Path) -> Iterator[Target]:
    """The raw files that the tests of the parsers write; those in archives as they are, and unpacked."""
    from dataset_builders.sources.registry import builders

    sources = set()
    for raw, name, config in _recorded(folder):
        places = [raw]
        if any(zipfile.is_zipfile(path) for path in raw.rglob("*") if path.is_file()):
            places.append(raw.with_name(f"{raw.name}-unpacked"))
            shutil.copytree(raw, places[1])
            for archive in [path for path in places[1].rglob("*") if path.is_file() and zipfile.is_zipfile(path)]:
                with zipfile.ZipFile(archive) as opened:
                    opened.extractall(archive.parent)
                archive.unlink()
        for place in places:
            targets = list(_source(name, config, place, folder.parent / "cache", 8))
            with suppress(DialogueCubeError):  # the files of a test of damaged ones
                targets[0].read()
                yield from targets
                sources.add(name)
    if missing := builders().keys() - sources:
        raise SystemExit(f"no test has raw files of {', '.join(sorted(missing))}")


def _recorded(folder: Path) -> list[tuple[Path, str, str | None]]:
    """Run the tests of the parsers until each has written its raw files: folder, source and config of each."""
    import pytest

    from dataset_builders.sources import registry

    cases: list[tuple[Path, str, str | None]] = []
    get_builder = registry.get_builder

    def record(name: str) -> Callable[..., Any]:
        def builder(*, data_dir: Path, config_name: str | None = None, **options: Any) -> Any:
            if Path(data_dir).name != "raw":  # a test that does more than parse
                return get_builder(name)(data_dir=data_dir, config_name=config_name, **options)
            copy = folder / f"{len(cases)}-{name}"
            shutil.copytree(data_dir, copy)
            cases.append((copy, name, config_name))
            pytest.skip("recorded")

        return builder

    tests = Path(__file__).parents[2] / "dataset_builders" / "sources"
    registry.get_builder = record  # type: ignore[assignment]
    try:
        with redirect_stdout(io.StringIO()):
            pytest.main(["-p", "no:cacheprovider", "-n", "0", *(str(tests / f"test_{name}.py") for name in TESTS)])
    finally:
        registry.get_builder = get_builder
    return cases


def _configs(folder: Path) -> Iterator[Target]:
    from dataset_builders.own_data.settings import EXAMPLE_MAPPING, read_mapping
    from dataset_builders.pipeline.config import PipelineConfig, example
    from dataset_builders.quality.config import QualityConfig

    files = {
        "pipeline.yaml": PipelineConfig(sources=("woz", "sgd"), languages=("en",)).to_yaml(),
        "every-key.yaml": example(),
        "quality.yaml": "preset: strict\npair_length: {action: drop, min_words: 2}\nmarkup: {action: flag}\n",
        "mapping.yaml": EXAMPLE_MAPPING.replace("# keep", "keep").replace("# session", "session"),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("pipeline.yaml", "every-key.yaml"):
        yield Target("configs", folder / name, lambda name=name: nothing(PipelineConfig.load(folder / name)))
    yield Target("configs", folder / "quality.yaml", lambda: nothing(QualityConfig.load(str(folder / "quality.yaml"))))
    yield Target("configs", folder / "mapping.yaml", lambda: nothing(read_mapping(folder / "mapping.yaml")))


def nothing(_: object) -> None:
    """Settings may be read in any way."""


def _outputs(folder: Path) -> Iterator[Target]:
    import numpy as np
    import pyarrow as pa

    from cube_model.data.hub import read_rows
    from cube_model.inference.ask import read_questions
    from cube_model.inference.index import AnswerIndex
    from cube_model.inference.search import make_search
    from dataset_builders.quality.report.read import read_built
    from hub.invented import dialogue, pair, utterance, write_dataset
    from push_scripts.dataset_folder import read_folder

    rows = {
        ("dialogues", "train"): [dialogue("1")],
        ("pairs", "train"): [pair("1"), pair("2")],
        ("downstream", "train"): [utterance("1"), utterance("2")],
    }
    data = write_dataset(folder / "dataset", rows)

    def read_dataset() -> object:
        read_built(data)
        read_folder(data)
        return digest(read_rows(data, "pairs", "train", ["anchor", "positive", "license"]).to_pylist())

    for name in ("quality/report.json", "pairs/train-00000-of-00001.parquet"):
        yield Target("dataset", data / name, read_dataset)
    texts = pa.array(["one", "two"])
    table = pa.table({"text": texts, "source": texts, "license": texts, "redistributable": [True, True]})
    AnswerIndex(table, make_search(np.eye(2, 8, dtype=np.float32)), {}).save(folder / "index")

    def read_index() -> object:
        index = AnswerIndex.load(folder / "index")
        return digest(index.answers.to_pylist(), index.search.nearest(np.eye(2, 8, dtype=np.float32), 2))

    for name in ("index.json", "answers.parquet", "vectors.safetensors"):
        yield Target("index", folder / "index" / name, read_index)
    questions = folder / "questions.jsonl"
    questions.write_text('{"question": "Is it open?", "context": ["Hello!"]}\n' * 3)
    yield Target("records", questions, lambda: nothing(read_questions(questions)))
