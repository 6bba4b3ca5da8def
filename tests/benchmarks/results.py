"""Write RESULTS.md, and the summary in the READMEs, from the committed results: `python tests/benchmarks/results.py`.

The results are outputs of `--json`, compressed with `gzip -n`:

- `leaderboards/SOURCE-TEACHER.json.gz`: `dialogue-cube leaderboard`, with its `--plot` as `.svg`,
- `studies/NAME.json.gz`: the same on other builds of the dataset,
- `intents/ENCODER.json.gz`: `dialogue-cube evaluate intents`.

The template `results.md.jinja` holds the text. Its tables, and the figures in its sentences about leaderboards and studies,
are computed here. Figures without such a file are in `measured.yaml`, each with its command.
"""

from __future__ import annotations

import gzip
import json
import re
import statistics
from pathlib import Path

import jinja2
import yaml

from cube_model.evaluation.intents import tables as intent_markdown
from cube_model.evaluation.leaderboard import tables as leaderboard_markdown
from cube_model.evaluation.leaderboard.tables import Line, lines

HERE = Path(__file__).parent
BOARDS, STUDIES, INTENTS = HERE / "leaderboards", HERE / "studies", HERE / "intents"
RESULTS, TEMPLATE, MEASURED = HERE / "RESULTS.md", HERE / "results.md.jinja", HERE / "measured.yaml"
READMES = tuple(HERE.parents[1] / name for name in ("README.md", "README.ru.md"))
TEACHERS = ("minilm", "mpnet")
SOURCES = ("sgd", "multiwoz", "woz")
SHOWN = {"splits": ("published", "leak-free"), "zero-shot": ("zero-shot",)}
"""Table -> its studies."""
MTEB = {
    ("minilm", "banking77", "intent"): 80.04,
    ("minilm", "massive", "intent"): 66.94,
    ("minilm", "massive", "scenario"): 73.81,
    ("mpnet", "banking77", "intent"): 81.70,
    ("mpnet", "massive", "intent"): 69.76,
    ("mpnet", "massive", "scenario"): 75.67,
}
"""MTEB's leaderboard: Banking77Classification, MassiveIntentClassification (en), MassiveScenarioClassification (en)."""

_METRIC = "accuracy_1_of_100"


def read(folder, name):
    """Read a committed result."""
    return json.loads(gzip.decompress((folder / f"{name}.json.gz").read_bytes()))


class Board:
    """Figures of one leaderboard about one tested source.

    Args:
        board: JSON object of `dialogue-cube leaderboard`.
        source: Tested source.
    """

    def __init__(self, board, source):
        self.json, self.source = board, source
        self.lines = lines(board["results"], source)
        self.sizes = sorted({line.train_size for line in self.lines if line.train_size})

    def line(self, method, size=None) -> Line:
        """Return the figures of a method at a training size; None: all pairs."""
        sizes = (size or self.sizes[-1], None)
        return next(line for line in self.lines if line.method == method and line.train_size in sizes)

    def accuracy(self, method, size=None) -> float:
        """Return the mean 1-of-100 accuracy over the seeds."""
        return self.line(method, size).mean(_METRIC)

    def times(self, method, other) -> str:
        """Return the accuracy of a method with all pairs as a multiple of that of another."""
        return f"{self.accuracy(method) / self.accuracy(other):.2f}"

    def interval(self, method) -> str:
        """Return the 95 % interval over dialogues of a method with all pairs."""
        return "-".join(map(figure, self.line(method).intervals[_METRIC]))

    def difference(self, method, size=None) -> dict:
        """Return the paired difference of a method to the core."""
        size = size or self.sizes[-1]
        return next(
            each
            for each in self.json["differences"]
            if (each["source"], each["method"], each["train_size"]) == (self.source, method, size)
        )

    def rivals(self, size) -> list[str]:
        """Return the methods that the core does not beat at a training size, the best first; `=`: may be level."""
        rivals = []
        for line in self.lines:
            if line.train_size != size or line.method == "core":
                continue
            low, high = self.difference(line.method, size)["ci95"]
            if high >= 0:
                rivals.append(f"`{line.method}`" + (" (=)" if low <= 0 else ""))
        return rivals

    def spread(self) -> float:
        """Return the largest standard deviation of 1-of-100 over seeds."""
        values = [line.metrics[_METRIC] for line in self.lines]
        return max(statistics.stdev(seeds) for seeds in values if len(seeds) > 1)


def figure(value, digits=3):
    """Write a share without the zero before its point."""
    return f"{value:.{digits}f}".replace("0.", ".", 1)


def render():
    """Return the text of RESULTS.md."""
    boards = {teacher: {s: Board(read(BOARDS, f"{s}-{teacher}"), s) for s in SOURCES} for teacher in TEACHERS}
    studies = {name: read(STUDIES, name) for names in SHOWN.values() for name in names}
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["figure"] = figure
    return (
        environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
            boards=boards,
            leaderboards={
                teacher: leaderboard_markdown.markdown_table([board.json for board in boards[teacher].values()])
                for teacher in TEACHERS
            },
            not_led=[
                (teacher, source, size, ", ".join(rivals))
                for teacher in TEACHERS
                for source, board in boards[teacher].items()
                for size in board.sizes
                if (rivals := board.rivals(size))
            ],
            studies={
                name: leaderboard_markdown.markdown_table([studies[study] for study in names])
                for name, names in SHOWN.items()
            },
            zero_shot=Board(studies["zero-shot"], "woz"),
            splits={name: Board(studies[name], "woz") for name in SHOWN["splits"]},
            intents=intent_markdown.markdown_table([read(INTENTS, teacher) for teacher in TEACHERS], MTEB),
            measured=yaml.safe_load(MEASURED.read_text(encoding="utf-8")),
        )
        + "\n"
    )


def summary():
    """Return the rows of the table in the READMEs: MiniLM, all training pairs."""
    rows = []
    for source in SOURCES:
        board = Board(read(BOARDS, f"{source}-minilm"), source)
        others = [line for line in board.lines if line.train_size == board.sizes[-1] and line.method != "core"]
        best = others[0]
        low, high = board.difference(best.method)["ci95"]
        cells = [
            *(f"{board.accuracy(method):.3f}" for method in ("sim", "map")),
            f"{board.accuracy(best.method):.3f} `{best.method}`{' =' if low <= 0 <= high else ''}",
            f"{board.accuracy('core'):.3f} ({board.interval('core')})",
        ]
        rows.append(f"| {source} | {board.sizes[-1]:,} | {' | '.join(cell.replace('0.', '.', 1) for cell in cells)} |")
    return "\n".join(rows) + "\n"


def fill(text):
    """Replace the rows between the markers in the text of a README."""
    head = r"<!-- results -->\n\n.+\n.+\n"
    text, count = re.subn(rf"({head})(?:\|.*\n)*", lambda match: match[1] + summary(), text)
    assert count == 1
    return text


if __name__ == "__main__":
    RESULTS.write_text(render(), encoding="utf-8")
    for path in READMES:
        path.write_text(fill(path.read_text(encoding="utf-8")), encoding="utf-8")
