"""Count leaks in a dataset folder, in plain Python and independently of the build."""

import functools
import unicodedata
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq

SPLITS = ("train", "validation", "test")


def rows(folder: Path, config: str, split: str, columns: list[str]) -> list[dict]:
    """Read the rows of a config and split, in the order of the files."""
    files = sorted((folder / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file, columns=columns).to_pylist()]


@functools.cache
def _plain(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LNM" else " "


def plain(text: str) -> str:
    """Return the words of a text in lower case, marks such as vowel signs included; one without words stays as it is."""
    words = " ".join("".join(map(_plain, unicodedata.normalize("NFKC", text).lower())).split())
    return words or text.strip()


SMALL_TALK = {
    f"multidogo/{label}"
    for label in ("contentonly", "confirmation", "rejection", "openinggreeting", "closinggreeting", "thankyou")
}
"""Labels of test utterances such as "thank you" that training pairs may contain."""


def leaks(folder: Path) -> dict[str, int]:
    """Count the keys in two splits: clusters, pairs, intent texts, translations, and test texts in training pairs."""
    keys = {kind: {split: set() for split in SPLITS} for kind in ("clusters", "pairs", "texts", "translations")}
    texts, benchmark = defaultdict(set), set()
    for split in SPLITS:
        for row in rows(folder, "dialogues", split, ["cluster_id", "parallel_id"]):
            keys["clusters"][split].add(row["cluster_id"])
            keys["translations"][split].add(row["parallel_id"])
        for row in rows(folder, "pairs", split, ["anchor", "positive", "pair_type"]):
            pair = plain(row["anchor"]), plain(row["positive"])
            keys["pairs"][split].add(pair)
            if row["pair_type"] == "consecutive":
                texts[split].update(pair)
        for row in rows(folder, "downstream", split, ["utterance", "parallel_id", "label"]):
            keys["texts"][split].add(plain(row["utterance"]))
            if split == "test" and row["label"] not in SMALL_TALK:
                benchmark.add(plain(row["utterance"]))
            keys["translations"][split].add(row["parallel_id"])
        keys["translations"][split].discard(None)
    counts = {
        kind: sum(len(by_split[a] & by_split[b]) for a, b in combinations(SPLITS, 2)) for kind, by_split in keys.items()
    }
    counts["benchmark"] = len((texts["train"] | texts["validation"]) & benchmark)
    return counts


def contained_dialogues(folder: Path, source: str, container: str, share: float = 0.7) -> list[tuple[str, str]]:
    """Find training dialogues of which a test dialogue contains many turns.

    Args:
        folder: Dataset folder.
        source: Source of the training dialogues.
        container: Source of the test dialogues.
        share: Minimum share of the turns, 0 to 1.

    Returns:
        Ids of the training dialogue and of the test dialogue.
    """
    columns = ["dialogue_id", "source", "turns"]

    def texts(row: dict) -> list[str]:
        return [plain(turn["text"]) for turn in row["turns"]]

    tests = [
        (r["dialogue_id"], set(texts(r)))
        for r in rows(folder, "dialogues", "test", columns)
        if r["source"] == container
    ]
    matches = []
    for row in rows(folder, "dialogues", "train", columns):
        if row["source"] == source:
            turns = texts(row)
            matches += [
                (row["dialogue_id"], name)
                for name, test_turns in tests
                if sum(t in test_turns for t in turns) >= share * len(turns)
            ]
    return matches
