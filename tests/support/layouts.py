"""Print the table of all samples of own data: what each was taken for, and whether roles and texts are as expected.

PYTHONPATH=tests python -m support.layouts > dataset_builders/own_data/FORMATS.md
"""

import sys

from dataset_builders.own_data.formats.registry import all_formats
from support.own_samples import SAMPLES, cases, expected_of, options_of, rendered

HEAD = """# Formats of your own data

`dialogue-cube formats` lists them, and `dialogue-cube formats NAME` shows how one looks and what it was checked against. The table
reads the samples in `tests/dataset_builders/own_data/samples`, each in the true form of its product, with invented texts. It is
written by `PYTHONPATH=tests python -m support.layouts`, and a test compares it.

| format | sample | dialogues | turns or texts | roles right | texts right |
|---|---|---:|---:|---:|---:|
"""


def roles_and_texts(text):
    """(what comes before the text, the text) of each line that is a turn or a labelled text."""
    lines = [line for line in text.split("\n") if line]
    return [line.split("\t")[::-1] if "\t" in line else line.split(": ", 1) for line in lines]


def table():
    """The page as text."""
    titles = {f.name: f.title for f in all_formats()} | {
        "plain": "pairs, turns and labelled texts in JSON, tables, lines"
    }
    rows = []
    for case in cases():
        expected = expected_of(case)
        text, data = rendered(case, **options_of(case))
        pairs = list(zip(roles_and_texts(text), roles_and_texts(expected), strict=False))
        number = len(roles_and_texts(expected))
        share = [sum(a[i] == b[i] for a, b in pairs) / max(number, 1) for i in (0, 1)]
        cells = [
            titles[case.parent.name],
            case.relative_to(SAMPLES).as_posix(),
            str(data.total.dialogues or ""),
            str(number),
            *(f"{value:.0%}" for value in share),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
