"""Invented datasets and models in folders with the layout of `build` and the training."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from dataset_builders.folder.layout import FORMAT
from dataset_builders.folder.parquet import ShardWriter
from dataset_builders.schema import FEATURES, act, span, state
from dataset_builders.sources.raw_files import sha256

Rows = Sequence[Mapping[str, Any]]

COMMON = {"common_domain": "train", "common_slot": "destination"}

OPEN_LICENSE = {"license": "MIT", "redistributable": True}


def dialogue(name: str, text: str = "Two tickets to Tiny Town, please.", source: str = "tiny", **facts: Any):
    user = {
        "speaker": "user",
        "text": text,
        "annotations": {
            "acts": [act("inform", "train", "to", ["Tiny Town"]) | {"common_act": "inform"} | COMMON],
            "slots": [span("to", "Tiny Town", 15, 24, "train") | COMMON, span("seat", None) | COMMON],
            "state": [state("to", ["Tiny Town"], "train", "book") | COMMON],
        },
        "speaker_id": None,
    }
    system = {"speaker": "system", "text": f"Booked: {text}", "annotations": {"acts": [], "slots": [], "state": []}}
    system["speaker_id"] = None
    row = {"dialogue_id": f"{source}/{name}", "source": source, "original_id": name, "original_split": "all"}
    row |= {"language": "en", "domains": ["train"], "scenario": None, "turns": [user, system], "empty_turns": 0}
    row |= {"common_domains": ["train"], "parallel_id": None, "origin": "human"}
    roles = {"user": "user", "system": "assistant"}
    row["messages"] = [{"role": roles[turn["speaker"]], "content": turn["text"]} for turn in (user, system)]
    row["message_count"] = 2
    return row | {
        "cluster_id": f"{source}/{name}",
        "flags": ["glued_sentences"],
        "source_version": "1",
        "metadata": None,
        **OPEN_LICENSE,
        **facts,
    }


def pair(name: str, text: str = "Two tickets to Tiny Town, please.", source: str = "tiny", **facts: Any):
    row = {"pair_id": f"{source}/{name}#0", "dialogue_id": f"{source}/{name}", "turn_index": 0, "source": source}
    row |= {"language": "en", "domains": ["train"], "anchor": text, "positive": f"Booked: {text}"}
    row |= {"anchor_speaker": "user", "positive_speaker": "system", "answer_id": "0"}
    row |= {"context": [{"speaker": "system", "text": "Where to?"}], "cluster_id": f"{source}/{name}"}
    row |= {"negatives": ["No seat is left."], "negative": "No seat is left.", "pair_type": "consecutive", "flags": []}
    row |= {"quality": {"score": 0.5, "length": 0.5, "cleanness": 1.0, "novelty": 1.0, "relatedness": None}}
    row |= {"parallel_id": None, "origin": "human", "metadata": None}
    return row | OPEN_LICENSE | facts


def utterance(name: str, text: str = "my card ate itself", source: str = "cards", **facts: Any):
    row = {"utterance_id": f"{source}/train/{name}", "source": source, "utterance": text, "label": f"{source}/eaten"}
    row |= {"scenario": None, "is_out_of_scope": False, "language": "ru-RU", "original_split": "train"}
    row |= {"labels": [facts.get("label", row["label"])], "parallel_id": None, "origin": "human"}
    row |= {"metadata": None, "flags": []}
    return row | OPEN_LICENSE | facts


def drop(name: str, text: str = "Two tickets", source: str = "tiny", **facts: Any):
    row = {"config": "dialogues", "row_id": f"{source}/{name}", "dialogue_id": f"{source}/{name}", "source": source}
    row |= {"split": "train", "filter": "leak", "reason": "a duplicate", "value": f"{source}/other", "text": text}
    return row | OPEN_LICENSE | facts


CORE_CONFIG = {
    "model_type": "cube",
    "auto_map": {"AutoConfig": "configuration_cube.CubeConfig", "AutoModel": "modeling_cube.CubeModel"},
    "lattice_size": [2, 2, 2],
    "training": {"sources": ["camrest676"]},
}


def write_model(folder: Path, shards: int = 1, weight: str = "weight") -> Path:
    """Write a folder that a push takes for a core, with zeros as weights and code that does nothing."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CORE_CONFIG))
    for name in ("configuration_cube.py", "modeling_cube.py"):
        (folder / name).write_text("# code\n")
    names = [f"model-{i:05d}-of-{shards:05d}.safetensors" for i in range(1, shards + 1)]
    for i, name in enumerate(names if shards > 1 else ["model.safetensors"]):
        save_file({f"{weight}{i}": np.zeros((2, 3), dtype=np.float32)}, folder / name)
    if shards > 1:
        index = {"weight_map": {f"{weight}{i}": name for i, name in enumerate(names)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def write_dataset(folder: Path, rows: Mapping[tuple[str, str], Rows], shard_rows: int | None = None) -> Path:
    """Write a dataset folder as `build` does.

    Args:
        folder: Folder to create.
        rows: (config, split) -> rows with all columns of the config.
        shard_rows: Number of rows per shard; None for one shard.
    """
    from datasets import Dataset

    folder.mkdir(parents=True)
    splits: dict[str, list[str]] = {}
    for (config, split), split_rows in rows.items():
        ordered_rows = [{name: row[name] for name in FEATURES[config]} for row in split_rows]
        table = Dataset.from_list(ordered_rows, features=FEATURES[config]).with_format("arrow")[:]
        splits.setdefault(config, []).append(split)
        size = shard_rows or len(split_rows)
        shards = []
        for start in range(0, len(split_rows), size):
            writer = ShardWriter(folder / config / f"{start}", split, FEATURES[config].arrow_schema)
            writer.write(table.slice(start, size))
            shards += writer.close()
        for i, shard in enumerate(shards):
            shard.rename(folder / config / f"{split}-{i:05d}-of-{len(shards):05d}.parquet")
            shard.parent.rmdir()
    configs = [
        {"config_name": config, "data_files": [{"split": s, "path": f"{config}/{s}-*.parquet"} for s in names]}
        for config, names in splits.items()
    ]
    header = yaml.safe_dump({"license": ["mit", "cc-by-9.9"], "configs": configs}, sort_keys=False)
    card = f'---\n{header}---\n\n# Invented\n\n`load_dataset("ORG/NAME", "pairs")`\n'
    (folder / "README.md").write_text(card, encoding="utf-8")
    (folder / "quality").mkdir()
    write_report(folder)
    return folder


def write_report(folder: Path) -> None:
    """Write the part of the report that a push reads, for the parquet files in the folder."""
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*.parquet"))}
    report = {"format": FORMAT, "version": "0.1.0", "fingerprint": "0" * 16, "files": files}
    report["fingerprint"] = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
    (folder / "quality" / "report.json").write_text(json.dumps(report), encoding="utf-8")
