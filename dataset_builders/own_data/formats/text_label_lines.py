"""Lines of a text and its label, separated by a tab, without a header; or of a number that is a class, and its text.

Lines of a question and its answer look the same, so that the whole beginning of the file must fit the rule of
`label_rule.are_labelled`: at least 10 lines, all of exactly two cells; labels of at most 40 characters and four words
that do not end like a sentence, at least two of them, each three times on average; texts of which at least half are
distinct, and at least twice as many as labels. Labels that are all words for speakers ("user", "operator_1") are none.
Labels before the texts must be numbers, at least three of them: anything else there may be a speaker. Numbers in
ascending order count dialogues, unless each occurs 100 times on average. A file that does not fit is left to the reader
of tables, for which two columns without a header are questions and answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.label_rule import are_labelled
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.names import is_column_name
from dataset_builders.own_data.probe import Probe

_SAMPLE_LINES = 5000
_MIN_NUMBERS = 3
_ROWS_OF_SORTED_CLASS = 100
"""Smallest mean number of rows with the same number for which ascending numbers are classes."""


def recognises(probe: Probe) -> bool:
    """Whether all of the first lines have two cells, a text and its label, or a number and its text."""
    rows = [line.split("\t") for line in probe.lines[:_SAMPLE_LINES] if line.strip()]
    if not rows or any(len(row) != 2 for row in rows) or any(map(is_column_name, rows[0])):
        return False
    first, second = ([row[column].strip() for row in rows] for column in (0, 1))
    if are_labelled([(text, label) for text, label in rows]):
        return not _count_up(second)
    are_numbers = all(map(str.isdecimal, first)) and len(set(first)) >= _MIN_NUMBERS
    return are_numbers and are_labelled([(text, number) for number, text in rows]) and not _count_up(first)


def _count_up(cells: list[str]) -> bool:
    """Whether cells are numbers in ascending order, such as those of dialogues, rather than sorted classes."""
    if not all(map(str.isdecimal, cells)):
        return False
    numbers = list(map(int, cells))
    return numbers == sorted(numbers) and len(numbers) < _ROWS_OF_SORTED_CLASS * len(set(numbers))


def read(export: Export) -> Iterator[Item]:
    """A labelled text for each line."""
    head = (line.split("\t") for _, line in itertools.islice(export.lines(), _SAMPLE_LINES))
    columns = list(zip(*(row for row in head if len(row) == 2), strict=True))
    label_column = int(len(set(columns[1])) < len(set(columns[0])))
    for number, line in export.lines():
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip():
            continue
        if len(cells) != 2 or not all(cells):
            yield BadItem(f"expected a text and a label separated by a tab, found {len(cells)} cells", line, number)
        else:
            yield LabelledText(cells[1 - label_column], cells[label_column], line=number)


FORMAT = Format(
    name="text-label-lines",
    title="Text and label separated by a tab, text",
    rows="intents",
    looks=(
        ("intents.tsv", "play some jazz\\tmusic\\nwill it rain\\tweather"),
        ("classes.txt", "0\\tplay some jazz\\n1\\twill it rain"),
    ),
    checked="a convention, not a product: data of github.com/warnikchow/3i4k (a number, then the text)",
    recognises=recognises,
    read=read,
)
