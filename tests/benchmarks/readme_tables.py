"""Puts the committed results into the READMEs: `python tests/benchmarks/readme_tables.py`.

A result is `gzip -n` of what `--json` wrote: `leaderboards/SOURCE-TEACHER.json.gz` of `dialogue-cube leaderboard`, with its
`--plot` as `.svg` beside it; `studies/NAME.json.gz` of the same on a dataset built otherwise; `intents/ENCODER.json.gz` of
`dialogue-cube evaluate intents`.
"""

import gzip
import json
import re
from pathlib import Path

from cube_model.evaluation.intents import tables as intent_markdown
from cube_model.evaluation.leaderboard import tables as leaderboard_markdown

ROOT = Path(__file__).parents[2]
BOARDS = Path(__file__).parent / "leaderboards"
STUDIES = Path(__file__).parent / "studies"
INTENTS = Path(__file__).parent / "intents"
READMES = ("README.md", "README.ru.md")
TEACHERS = ("minilm", "mpnet")
SOURCES = ("sgd", "multiwoz", "woz")
SHOWN = {"splits": ("published", "leak-free"), "zero-shot": ("zero-shot",)}
"""Place in the READMEs -> the studies that stand there side by side."""
MTEB = {
    ("minilm", "banking77", "intent"): 80.04,
    ("minilm", "massive", "intent"): 66.94,
    ("minilm", "massive", "scenario"): 73.81,
    ("mpnet", "banking77", "intent"): 81.70,
    ("mpnet", "massive", "intent"): 69.76,
    ("mpnet", "massive", "scenario"): 75.67,
}
"""MTEB's leaderboard: Banking77Classification, MassiveIntentClassification (en), MassiveScenarioClassification (en)."""


def read(folder, name):
    """A committed result."""
    return json.loads(gzip.decompress((folder / f"{name}.json.gz").read_bytes()))


def tables():
    """Name of the place in the READMEs -> its table."""
    for teacher in TEACHERS:
        there = [source for source in SOURCES if (BOARDS / f"{source}-{teacher}.json.gz").exists()]
        boards = [read(BOARDS, f"{source}-{teacher}") for source in there]
        yield f"leaderboards {teacher}", leaderboard_markdown.markdown_table(boards)
    for place, names in SHOWN.items():
        yield place, leaderboard_markdown.markdown_table([read(STUDIES, name) for name in names])
    yield "intents", intent_markdown.markdown_table([read(INTENTS, teacher) for teacher in TEACHERS], MTEB)


def filled(text):
    """A README with the tables as they are now."""
    for name, table in tables():
        place = re.compile(rf"(<!-- {name} -->\n\n).*?(<!-- -->)", re.DOTALL)
        text, found = place.subn(rf"\g<1>{table}\n\2", text)
        assert found == 1, name
    return text


if __name__ == "__main__":
    for name in READMES:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
