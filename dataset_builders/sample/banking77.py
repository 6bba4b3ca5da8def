"""Write Banking77 in its published form: CSV rows with CRLF, a few texts with an LF inside, and the list of labels."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from random import Random

from dataset_builders.sample.files import Counts, Variants, count_rows
from dataset_builders.sample.grammar import load_phrases
from dataset_builders.sample.intents import utterances

_SIZES = {"train": 32, "test": 10}  # rows per label


def write(folder: Path, seed: int) -> Variants:
    """Write `train.csv`, `test.csv` and `categories.json` to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, phrases = Random(f"{seed} banking77"), load_phrases("banking77")
    labels = [heading for heading in phrases.sections if heading != "greeting"]
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in _SIZES}
    for label in labels:
        texts = utterances(rng, phrases, label, sum(_SIZES.values()))
        for split, size in _SIZES.items():
            rows[split] += [(_with_greeting(rng, texts.pop(), number), label) for number in range(size)]
    counts: dict[str, Counts] = {}
    for split, split_rows in rows.items():
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows([("text", "category"), *split_rows])
        (folder / f"{split}.csv").write_bytes(text.getvalue().encode())
        counts[split] = count_rows([label for _, label in split_rows])
    (folder / "categories.json").write_bytes((json.dumps(labels, indent=2) + "\n").encode())
    return {"default": counts}


def _with_greeting(rng: Random, text: str, number: int) -> str:
    """The text of a customer, of whom some greet first, a few on a separate line."""
    if rng.random() > 0.2:
        return text
    greeting = load_phrases("banking77").say(rng, "greeting").text
    if greeting.endswith(",") and not text.startswith("I "):
        text = text[0].lower() + text[1:]
    return f"{greeting}{chr(10) if number == 0 else ' '}{text}"
