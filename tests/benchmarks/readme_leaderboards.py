"""Puts the committed leaderboards into the READMEs: `python tests/benchmarks/readme_leaderboards.py`.

A board is added as `leaderboards/SOURCE-TEACHER.json.gz` (`gzip -n` of what `dialogue-cube leaderboard --json` wrote) with
its `--plot` as `.svg` beside it.
"""

import gzip
import json
import re
from pathlib import Path

from cube_model.evaluation.leaderboard_markdown import markdown_table

ROOT = Path(__file__).parents[2]
BOARDS = Path(__file__).parent / "leaderboards"
READMES = ("README.md", "README.ru.md")
TEACHERS = ("minilm", "mpnet")
SOURCES = ("sgd", "multiwoz", "woz")


def read(source, teacher):
    """A committed board."""
    return json.loads(gzip.decompress((BOARDS / f"{source}-{teacher}.json.gz").read_bytes()))


def filled(text):
    """A README with the tables of the boards as they are now."""
    for teacher in TEACHERS:
        there = [source for source in SOURCES if (BOARDS / f"{source}-{teacher}.json.gz").exists()]
        table = markdown_table([read(source, teacher) for source in there])
        place = re.compile(rf"(<!-- leaderboards {teacher} -->\n\n).*?(<!-- -->)", re.DOTALL)
        text, found = place.subn(rf"\g<1>{table}\n\2", text)
        assert found == 1, teacher
    return text


if __name__ == "__main__":
    for name in READMES:
        path = ROOT / name
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
