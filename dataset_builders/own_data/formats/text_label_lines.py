"""Lines of a text and its label, separated by a tab, without a header; or of a number that is a class, and its text.

Lines of a question and its answer look the same. So every line at the beginning of the file must have exactly two
cells, and together they must fit the rule of `label_rule.are_labelled`. A label before the text must be a number, since
another word may be a speaker: there are at least three numbers, and they do not ascend, which would count dialogues,
unless each occurs 100 times on average. Any other file is left to the reader of tables.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.label_rule import are_labelled
from dataset_builders.own_data.messages import BadItem, Item, LabelledText
from dataset_builders.own_data.plain.names import is_column_name
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
