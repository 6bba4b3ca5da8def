"""The samples of all formats of own data, and what must come out of each."""

from dataclasses import replace
from pathlib import Path

import yaml

from dataset_builders.own_data import Rejected, load
from dataset_builders.schema import Dialogue

SAMPLES = Path(__file__).parents[1] / "dataset_builders" / "own_data" / "samples"


def cases():
    """Paths of all samples, each a file or folder beside its `.expected.txt`."""
    expected = sorted(SAMPLES.glob("*/*.expected.txt"))
    return [path.with_name(path.name.removesuffix(".expected.txt")) for path in expected]


def options_of(case):
    """The options that a sample needs."""
    path = case.with_name(f"{case.name}.options.yaml")
    return yaml.safe_load(path.read_text()) if path.exists() else {}


def expected_of(case):
    """What must come out of a sample."""
    return case.with_name(f"{case.name}.expected.txt").read_text().strip()


def rendered(path, **options):
    """The rows at a path as text: dialogues separated by blank lines, a line for each turn or labelled utterance."""
    data = load(path, max_bad_share=1, **options)
    data.files = [replace(own, is_single=False) for own in data.files]  # the whole dialogue rather than its splits
    rows = [row for row in data if not isinstance(row, Rejected)]
    if rows and not isinstance(rows[0], Dialogue):
        return "\n".join(f"{row.text}\t{row.label}".replace("\n", " / ") for row in rows), data
    dialogues = ("\n".join(_line(turn) for turn in row.turns) for row in rows)
    return "\n\n".join(dialogues), data


def qa(*texts):
    """(speaker, text) of each turn, the user first."""
    return [("system" if i % 2 else "user", text) for i, text in enumerate(texts)]


def _line(turn):
    return f"{turn.speaker}: {turn.text}".replace("\n", " / ").replace("  ", " ")
