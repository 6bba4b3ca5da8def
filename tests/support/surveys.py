"""A survey of invented dialogues, without raw files and builders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import load, save
from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.schema import ARROW_SCHEMAS, SPLITS
from dataset_builders.survey.decisions import Decisions, shard_name
from dataset_builders.survey.dialogues import survey_dialogues
from dataset_builders.survey.parsed import ParsedSource, Part


def dialogue(name, turns, split=None, parallel_id=None):
    """A row of the `dialogues` config."""
    speakers = ("user", "system")
    said = [{"speaker": speakers[place % 2], "text": text} for place, text in enumerate(turns)]
    return {"dialogue_id": name, "turns": said, "original_split": split or "all", "parallel_id": parallel_id}


def utterance(name, text, split=None, parallel_id=None, label="a/x"):
    """A row of the `downstream` config."""
    row = {"utterance_id": name, "utterance": text, "label": label}
    return row | {"original_split": split or "all", "parallel_id": parallel_id}


def parsed_sources(folder: Path, rows: Iterable[dict], shard_rows: int = 1000) -> list[ParsedSource]:
    """Dialogues or utterances as parsed sources, which are the beginnings of their ids, in shards of so many rows."""
    by_source: dict[str, list[dict]] = {}
    for row in rows:
        by_source.setdefault(next(iter(row.values())).partition("/")[0], []).append(row)
    sources = []
    for name, of_source in by_source.items():
        storage, parts = Storage(str(folder / "rows" / name)), []
        kind = "dialogues" if "turns" in of_source[0] else "downstream"
        builder = SimpleNamespace(INFO=SimpleNamespace(name=name, kind=kind, small_talk=("hello",)))
        for start in range(0, len(of_source), shard_rows):
            some, schema = of_source[start : start + shard_rows], ARROW_SCHEMAS[kind]
            part = Part(f"{start:05d}.arrow", len(some), sum(len(row.get("turns", "1")) for row in some))
            columns = {key: [row.get(key) for row in some] for key in schema.names}
            save(storage, part.name, pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema))
            without = np.array([row["original_split"] == "all" for row in some], bool)
            split = np.array(
                [0 if row["original_split"] == "all" else SPLITS.index(row["original_split"]) for row in some]
            )
            save(storage, part.splits, pa.table({"split": pa.array(split, pa.int8()), "without": pa.array(without)}))
            parts.append(part)
        sources.append(ParsedSource(builder, storage, parts))
    return sources


def survey_of(
    folder: Path, rows, *, policy="leak-free", seed=0, config=None, shard_rows=1000, processes=1, progress=None
):
    """Survey dialogues; returns decisions by dialogue id, the members of clusters, and the survey."""
    parsed = parsed_sources(folder, rows, shard_rows)
    stages, results = (
        Stages(Storage(str(folder / "work")), LocalExecutor(processes), progress),
        Storage(str(folder / "survey")),
    )
    none = np.zeros(0, np.uint64)
    survey = survey_dialogues(parsed, policy, seed, none, 4, stages, results, config)
    decisions: dict[str, dict] = {}
    for source in parsed:
        for number, part in enumerate(source.parts):
            of_shard = Decisions.load(results, [shard_name(source.builder.INFO.name, number)], pairs=True)
            ids = load(source.storage, part.name)["dialogue_id"].to_pylist()
            decisions |= dict(zip(ids, of_shard.rows.to_pylist(), strict=True))
    members = [load(results, name) for name in survey.members]
    return decisions, pa.concat_tables(members) if members else None, survey


def groups(labels):
    """The clusters of two or more, as a set of sets."""
    by_label = defaultdict(set)
    for name, label in labels.items():
        by_label[label].add(name)
    return {frozenset(names) for names in by_label.values() if len(names) > 1}


def linked(names, pairs):
    """Connected components of two or more."""
    label = {name: name for name in names}
    for a, b in pairs:
        old, new = label[a], label[b]
        label = {name: new if at == old else at for name, at in label.items()}
    return groups(label)
