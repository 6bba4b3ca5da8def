"""Write the committed results into the READMEs: `python tests/benchmarks/readme_tables.py`.

The results are outputs of `--json`, compressed with `gzip -n`:

- `leaderboards/SOURCE-TEACHER.json.gz`: `dialogue-cube leaderboard`, with its `--plot` as `.svg`,
- `studies/NAME.json.gz`: the same on other builds of the dataset,
- `intents/ENCODER.json.gz`: `dialogue-cube evaluate intents`.
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
"""Table in the READMEs -> its studies."""
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
    """Read a committed result."""
    return json.loads(gzip.decompress((folder / f"{name}.json.gz").read_bytes()))


def tables():
    """Yield the name of a table in the READMEs and the table."""
    for teacher in TEACHERS:
        sources = [source for source in SOURCES if (BOARDS / f"{source}-{teacher}.json.gz").exists()]
        boards = [read(BOARDS, f"{source}-{teacher}") for source in sources]
        yield f"leaderboards {teacher}", leaderboard_markdown.markdown_table(boards)
    for name, names in SHOWN.items():
        yield name, leaderboard_markdown.markdown_table([read(STUDIES, study) for study in names])
    yield "intents", intent_markdown.markdown_table([read(INTENTS, teacher) for teacher in TEACHERS], MTEB)


def fill(text):
    """Replace the tables in the text of a README."""
    for name, table in tables():
        pattern = re.compile(rf"(<!-- {name} -->\n\n).*?(<!-- -->)", re.DOTALL)
        text, count = pattern.subn(rf"\g<1>{table}\n\2", text)
        assert count == 1, name
    return text


if __name__ == "__main__":
    for name in READMES:
        path = ROOT / name
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
