"""Prepare training dialogues with acts and slots from partial copies of MultiWOZ and Taskmaster-3.

    python tests/benchmarks/annotated_dialogues.py --raw-dir RAW --out ANNOTATED
    dialogue-cube build multiwoz:2.1 taskmaster --raw-dir ANNOTATED --out annotated

Whoever has the whole corpora needs none of this: their train splits are annotated. Where MultiWOZ 2.1 is at hand in ConvLab-2's
variant alone, its validation dialogues (`val.json.zip`) become training dialogues here, so nothing that is trained on them may
be judged on MultiWOZ's validation or its test of actions. Where Taskmaster-3 is at hand as `splits/train/*.tsv` alone, each
context becomes a dialogue in the official form. A context names the values of its slots in its calls: each place where such
a value occurs in a turn becomes a segment, as in the official files. The other sources are linked unchanged.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

SOURCES = ("sgd", "star", "alex_context_nlg", "woz", "camrest676", "cima", "gpt_negochat")
"""Other sources whose training turns have acts or slots."""

_PART = re.compile(r"<(U|A|PN|PAN|PAV|PR|PRAN|PRAV|C)>")
_NO_SLOT = {"attribute", "api.response"}
_NO_VALUE = {"empty", "nearby", "success", "failure", "available", "unavailable"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    raw = options.raw_dir.resolve()
    for name in SOURCES:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / name).symlink_to(raw / name)
    multiwoz = options.out / "multiwoz" / "MultiWOZ_2.1"
    multiwoz.mkdir(parents=True)
    with zipfile.ZipFile(raw / "multiwoz" / "MultiWOZ_2.1_convlab2" / "val.json.zip") as archive:
        (multiwoz / "train.json").write_bytes(archive.read("val.json"))
    taskmaster = options.out / "taskmaster" / "TM-3-2020" / "data"
    taskmaster.mkdir(parents=True)
    dialogues = list(read_contexts(raw / "taskmaster" / "TM-3-2020" / "splits" / "train"))
    (taskmaster / "data_00.json").write_text(json.dumps(dialogues, indent=1), encoding="utf-8")
    turns = sum(len(dialogue["utterances"]) for dialogue in dialogues)
    segments = sum(len(turn["segments"]) for dialogue in dialogues for turn in dialogue["utterances"])
    sys.stdout.write(f"Taskmaster-3: {len(dialogues):,} dialogues, {turns:,} turns, {segments:,} segments\n")


def read_contexts(folder: Path) -> Iterator[dict]:
    """Yield a dialogue in Taskmaster-3's form for each conversation: its longest context and the answer to it."""
    longest: dict[str, tuple[str, str]] = {}
    for file in sorted(folder.glob("*.tsv")):
        for line in file.read_text(encoding="utf-8").splitlines():
            cells = line.split("\t")
            if len(cells) == 3:
                context, target, name = cells
                if len(context) > len(longest.get(name, ("", ""))[0]):
                    longest[name] = context, target
    for name, (context, target) in longest.items():
        said, values = parse(context + (f"<A>{target[3:]}" if target.startswith("[A]") else ""))
        turns = [
            {"index": i, "speaker": speaker, "text": text, "segments": segments_of(text, values)}
            for i, (speaker, text) in enumerate(said)
        ]
        if turns:
            yield {"conversation_id": name, "vertical": "Movie Tickets", "utterances": turns}


def parse(context: str) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return the turns of a context, and the slot of each value in its calls and their results."""
    said, values, slot = [], {}, ""
    parts = _PART.split(context)[1:]  # a context that was cut off may begin inside a tag
    for tag, text in zip(parts[::2], parts[1::2], strict=True):
        text = text.replace("\\n", " ").strip()
        if tag in "UA" and text:
            said.append(("user" if tag == "U" else "assistant", text))
        elif tag in ("PAN", "PRAN"):
            slot = text
        elif tag in ("PAV", "PRAV") and slot not in _NO_SLOT and text.lower() not in _NO_VALUE and text:
            values.setdefault(text.lower(), slot)
    return said, values


def segments_of(text: str, values: dict[str, str]) -> list[dict]:
    """Return the places in a text where values are said, longer values first, none inside another."""
    taken = [False] * len(text)
    segments = []
    for value in sorted(values, key=lambda value: (-len(value), value)):
        for place in re.finditer(rf"(?<![\w:]){re.escape(value)}(?![\w:])", text, re.IGNORECASE):
            start, end = place.span()
            if not any(taken[start:end]):
                taken[start:end] = [True] * (end - start)
                annotations = [{"name": values[value]}]
                segments.append(
                    {"start_index": start, "end_index": end, "text": text[start:end], "annotations": annotations}
                )
    return sorted(segments, key=lambda segment: segment["start_index"])


if __name__ == "__main__":
    main()
