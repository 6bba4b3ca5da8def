"""Write CLINC150 in its published form: four files with six lists each, and the domains of the intents."""

from __future__ import annotations

from pathlib import Path
from random import Random

from dataset_builders.sample.files import Variants, count_rows, write_json
from dataset_builders.sample.grammar import load_phrases
from dataset_builders.sample.intents import utterances

_SIZES = {"train": 24, "val": 5, "test": 8}  # rows per intent
_OOS = {"oos_train": 25, "oos_val": 20, "oos_test": 40}  # rows; only oos_plus has all of oos_train, the others 10
_IMBALANCED = (6, 12, 18, 24)

Rows = list[tuple[str, str]]


def write(folder: Path, seed: int) -> Variants:
    """Write `data_{full,small,imbalanced,oos_plus}.json` and `domains.json` to a folder."""
    rng, phrases = Random(f"{seed} clinc150"), load_phrases("clinc150")
    domains = {
        domain: intents.split() for domain, intents in (line.split(": ") for line in phrases.sections["values domains"])
    }
    full: dict[str, Rows] = {split: [] for split in (*_OOS, *_SIZES)}
    for intent in (intent for intents in domains.values() for intent in intents):
        texts = utterances(rng, phrases, intent, sum(_SIZES.values()), str.lower)
        for split, size in _SIZES.items():
            full[split] += [(texts.pop(), intent) for _ in range(size)]
    texts = utterances(rng, phrases, "oos", sum(_OOS.values()), str.lower)
    for split, size in _OOS.items():
        full[split] = [(texts.pop(), "oos") for _ in range(size)]
    plain = {**full, "oos_train": full["oos_train"][:10]}
    half, whole = _SIZES["train"] // 2, _SIZES["train"]
    small = [row for i, row in enumerate(full["train"]) if i % whole < half]
    uneven = [row for i, row in enumerate(full["train"]) if i % whole < _IMBALANCED[i // whole % len(_IMBALANCED)]]
    files = {
        "full": plain,
        "small": {**plain, "train": small},
        "imbalanced": {**plain, "train": uneven},
        "oos_plus": full,
    }
    for name, splits in files.items():
        write_json(folder / f"data_{name}.json", splits)
    write_json(folder / "domains.json", domains)
    return {
        name: {split: count_rows([label for _, label in rows]) for split, rows in splits.items()}
        for name, splits in files.items()
    }
