"""Encode the distinct texts of a dataset, shard by shard, into a folder of vectors.

The stages exchange files of a working folder beside the output, so that they run in one process, in those of
`accelerate launch`, or on a cluster:

texts/00003-000.arrow                       sorted runs: the distinct texts of one file
vectors/vectors-00000-of-00016.safetensors  finished shards, which a run that starts again keeps

The number of shards, their content and their bytes depend on the texts and the teacher only, not on the workers.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from cube_model.data.embed.config import EmbedConfig
from cube_model.data.embed.ranks import Ranks
from cube_model.data.embed.texts import collect_texts, count_range, list_files, read_range
from cube_model.data.location import location_of
from cube_model.errors import ModelError
from cube_model.machine import versions
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.folder import FORMAT, RECORD, VECTORS, shard_name, write_shard
from cube_model.vectors.keys import range_starts
from dataset_builders.common.execution import ExecutionSettings, open_executor, open_scratch
from dataset_builders.common.executor import Executor
from dataset_builders.common.outputs import Output
from dataset_builders.common.progress import encoding_progress, step_bar
from dataset_builders.common.stages import Progress, Stages
from dataset_builders.common.storage import Storage

SHARD_TEXTS = 1 << 14
"""Mean number of texts in a shard, half a minute on a processor. A killed run encodes its last shard again."""

_COUNTED_TEXTS = 1 << 20
"""Mean texts of a range whose distinct ones are counted at once."""

_PLAN, _RUNS = "plan.json", "runs.json"

_PARTS = {"files": "data", "teacher": "teacher", "precision": "precision", "versions": "versions of libraries"}
"""Words for messages by key of the plan."""


def embed_dataset(config: EmbedConfig, execution: ExecutionSettings | None = None) -> dict[str, Any]:
    """Write the vectors of all distinct texts of a dataset.

    A run that was interrupted goes on with the shards that are missing.

    Args:
        config: Configuration.
        execution: Where the work runs. Default: this process, or the processes of `accelerate launch`.

    Returns:
        Content of `vectors.json`.

    Raises:
        ModelError: Dataset or teacher are unavailable, the output cannot be written or is in use, or an interrupted run
            had other arguments.
        DataError: The cluster cannot be reached, or a task was lost.
    """
    execution = execution or ExecutionSettings()
    ranks = Ranks(config.device)
    show = config.progress and ranks.is_main
    output = Output(config.out, VECTORS, overwrite=config.overwrite)
    work = Storage(str(output.work), kept=True)
    with ExitStack() as held:
        if ranks.is_main:
            held.enter_context(output.claimed())
            _start(work, config, output)
        ranks.wait()
        plan = work.read_json(_PLAN)
        storage = work if execution.scratch is None else held.enter_context(_open_scratch(execution.scratch, plan))
        executor: Executor = ranks
        if execution.executor != "local":
            shared = None if execution.scratch is None else storage
            opened = open_executor(execution.executor, None, execution.ray_address, shared)
            executor = held.enter_context(opened)
        with step_bar() if show else nullcontext(None) as advance:
            total = _collect(Stages(storage, executor, advance), len(plan["files"]))
        count = -(-total // SHARD_TEXTS)
        with _encoding_bar(plan["teacher"], total, show) as advance:
            stages = Stages(storage, executor, advance)
            shards = stages.run("vectors", partial(_encode_shard, storage, count), count, gpus=config.gpus)
        record = _record(config, plan, shards)
        if ranks.is_main:
            _finish(output, storage, record)
        ranks.wait()
    return record


def _start(work: Storage, config: EmbedConfig, output: Output) -> None:
    """Write the plan of the run, or check that an interrupted run had the same."""
    device = None if config.device == "auto" else config.device
    folder = Path(config.teacher).expanduser()
    source = str(folder.resolve()) if folder.is_dir() else config.teacher
    teacher = _load_teacher(source, config.teacher_dtype, device)
    plan = {
        "files": list_files(config.data, config.configs),
        "teacher": teacher.describe(),
        "teacher_source": source,
        "device": device,
        "precision": config.precision,
        "versions": versions(),
    }
    if work.exists(_PLAN):
        earlier = work.read_json(_PLAN)
        different = [word for key, word in _PARTS.items() if earlier.get(key) != plan[key]]
        if different and not config.overwrite:
            raise ModelError(
                f"{output.place}: an interrupted run had other {' and other '.join(different)}; run again with the "
                "same ones, pass --overwrite to discard its vectors, or choose another --out"
            )
        if different:
            output.discard_work()
    work.write_json(_PLAN, plan)


@contextmanager
def _open_scratch(place: str, plan: dict[str, Any]) -> Iterator[Storage]:
    """Open the storage that all machines reach, for this plan only."""
    facts = json.dumps([SHARD_TEXTS, {key: plan[key] for key in _PARTS}], sort_keys=True)
    with open_scratch(place, f"embed-{hashlib.sha256(facts.encode()).hexdigest()[:16]}") as storage:
        storage.write_json(_PLAN, plan)
        yield storage


def _collect(stages: Stages, files: int) -> int:
    """Write the runs of all files, and return the number of distinct texts."""
    parts = stages.run("texts", partial(_collect_file, stages.storage), files, step="collect texts")
    runs = [run for part in parts for run in part]
    if not runs:
        raise ModelError(f"no texts in the {files} files of the dataset; choose another --config")
    stages.storage.write_json(_RUNS, runs)
    count = -(-sum(run["texts"] for run in runs) // _COUNTED_TEXTS)
    return sum(stages.run("counts", partial(_count_range, stages.storage, count), count, step="count texts"))


def _collect_file(storage: Storage, number: int) -> list[dict[str, Any]]:
    return collect_texts(storage, storage.read_json(_PLAN)["files"][number], f"texts/{number:05d}")


def _count_range(storage: Storage, count: int, number: int) -> int:
    low, high = range_starts(count)[number : number + 2]
    return count_range(storage, storage.read_json(_RUNS), low, high)


def _encode_shard(storage: Storage, count: int, number: int) -> dict[str, Any]:
    """Encode the texts of one range of keys, and write them as a shard."""
    plan = storage.read_json(_PLAN)
    teacher = _load_teacher(plan["teacher_source"], plan["teacher"]["dtype"], plan["device"])
    _check_worker(plan, teacher)
    low, high = range_starts(count)[number : number + 2]
    texts = read_range(storage, storage.read_json(_RUNS), low, high)
    keys, name = list(texts), shard_name(number, count)
    vectors = teacher.encode(list(texts.values()))
    with storage.create(f"vectors/{name}") as path:
        write_shard(path, keys, vectors, plan["precision"])
        digest = _sha256(path)
    keys_digest = hashlib.sha256(b"".join(keys)).hexdigest()
    return {"file": name, "texts": len(keys), "sha256": digest, "keys_sha256": keys_digest}


@lru_cache(1)
def _load_teacher(source: str, dtype: str, device: str | None) -> Teacher:
    """Return the teacher of this process, which is loaded once."""
    return Teacher.load(source, dtype, Ranks().device or device)


def _check_worker(plan: dict[str, Any], teacher: Teacher) -> None:
    """Check that this machine computes what the one with the plan does."""
    expected, actual = plan["versions"], versions()
    others = [f"{name} {actual.get(name)} instead of {expected[name]}" for name in expected]
    others = [other for other, name in zip(others, expected, strict=True) if actual.get(name) != expected[name]]
    if others:
        raise ModelError(f"{platform.node()}: {', '.join(others)}; install the same versions on all machines")
    if teacher.fingerprint != plan["teacher"]["fingerprint"]:
        raise ModelError(
            f"{platform.node()}: {plan['teacher_source']} is another teacher there (fingerprint "
            f"{teacher.fingerprint[:12]} instead of {plan['teacher']['fingerprint'][:12]}); make the same one "
            "available on all machines"
        )


@dataclass
class _Encoder:
    name: str
    dtype: str


@contextmanager
def _encoding_bar(teacher: dict[str, Any], total: int, show: bool) -> Iterator[Progress]:
    """Show a bar over the texts that are left, with the time left; all shards are about equal."""
    encoder = _Encoder(teacher["name"], teacher["dtype"])
    with ExitStack() as opened:
        calls: list[int] = []
        advance: list[Callable[[int], object]] = []

        def progress(step: str, done: int, count: int) -> None:
            if not calls:  # the shards of an earlier run are no part of the bar, since they took no time
                left = total - total * done // count
                advance.append(opened.enter_context(encoding_progress(encoder, left, show)))
            else:
                advance[0](total * done // count - calls[-1])
            calls.append(total * done // count)

        yield progress


def _record(config: EmbedConfig, plan: dict[str, Any], shards: list[dict[str, Any]]) -> dict[str, Any]:
    texts = hashlib.sha256("".join(shard["keys_sha256"] for shard in shards).encode()).hexdigest()
    return {
        "format": FORMAT,
        "data": {**location_of(config.data), "configs": list(config.configs), "fingerprint": texts},
        "teacher": plan["teacher"],
        "dimension": plan["teacher"]["dimension"],
        "precision": plan["precision"],
        "texts": sum(shard["texts"] for shard in shards),
        "shards": [{key: shard[key] for key in ("file", "texts", "sha256")} for shard in shards],
        "versions": plan["versions"],
    }


def _finish(output: Output, storage: Storage, record: dict[str, Any]) -> None:
    """Put shards and record in place. Until then, the shards stay where they are too."""
    output.new.mkdir()
    for number, shard in enumerate(record["shards"]):
        finished, target = storage.fetch(f"vectors/{shard['file']}"), output.new / shard["file"]
        try:
            os.link(finished, target)
        except OSError:  # another disk, or a file system without hard links
            storage.remove(f"vectors/{number:05}.json")
            shutil.move(finished, target)
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (output.new / RECORD).write_text(text + "\n", encoding="utf-8")
    output.put()
    output.discard_work()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
