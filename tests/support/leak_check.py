"""Counts leaks in a built folder, in plain Python: not the code that builds it."""

import re
import unicodedata
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq

SPLITS = ("train", "validation", "test")


def rows(folder: Path, config: str, split: str, columns: list[str]) -> list[dict]:
    """Rows of a config and split, in the order of the files."""
    files = sorted((folder / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file, columns=columns).to_pylist()]


def plain(text: str) -> str:
    """Lower case, words only; a text without a word stays itself."""
    words = " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).lower()))
    return words or text.strip()


def leaks(folder: Path) -> dict[str, int]:
    """How many keys stand on two sides: clusters, pairs, intent texts, and intent tests in pretraining pairs."""
    keys = {kind: {split: set() for split in SPLITS} for kind in ("clusters", "pairs", "texts")}
    said = defaultdict(set)
    for split in SPLITS:
        for row in rows(folder, "dialogues", split, ["cluster_id"]):
            keys["clusters"][split].add(row["cluster_id"])
        for row in rows(folder, "pairs", split, ["anchor", "positive", "pair_type"]):
            sides = plain(row["anchor"]), plain(row["positive"])
            keys["pairs"][split].add(sides)
            if row["pair_type"] == "consecutive":
                said[split].update(sides)
        for row in rows(folder, "downstream", split, ["utterance"]):
            keys["texts"][split].add(plain(row["utterance"]))
    found = {
        kind: sum(len(by_split[a] & by_split[b]) for a, b in combinations(SPLITS, 2)) for kind, by_split in keys.items()
    }
    found["benchmark"] = len((said["train"] | said["validation"]) & keys["texts"]["test"])
    return found


def contained(folder: Path, source: str, inside: str, share: float = 0.7) -> list[tuple[str, str]]:
    """(training dialogue of `source`, test dialogue of `inside`) where the second says `share` of the first's turns."""
    columns = ["dialogue_id", "source", "turns"]

    def texts(row: dict) -> list[str]:
        return [plain(turn["text"]) for turn in row["turns"]]

    tests = [
        (r["dialogue_id"], set(texts(r))) for r in rows(folder, "dialogues", "test", columns) if r["source"] == inside
    ]
    found = []
    for row in rows(folder, "dialogues", "train", columns):
        if row["source"] == source:
            turns = texts(row)
            found += [
                (row["dialogue_id"], name)
                for name, said in tests
                if sum(t in said for t in turns) >= share * len(turns)
            ]
    return found
