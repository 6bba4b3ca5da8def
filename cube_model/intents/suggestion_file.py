"""The file of suggestions: a table that people rename in, and that `train-intents --own` reads.

One row for each utterance, cluster by cluster, those nearest to the centre first:

    text, intent, cluster, size, cohesion, similarity, representative

`intent` is the proposed name: replace it in all rows of a cluster, give two clusters the same name to join them, or
empty it to leave a row out, such as the last ones of a cluster. `cohesion` is the mean `similarity` of its utterances
to its centre, a cosine. Utterances of small clusters have no name. A text that a spreadsheet would run as a formula
has an apostrophe in front, which is removed when the table is read again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from cube_model.errors import ModelError
from cube_model.intents.suggestions import Suggestions
from dataset_builders.common.file_kinds import file_kind
from dataset_builders.common.spreadsheets import as_cell

COLUMNS = ("text", "intent", "cluster", "size", "cohesion", "similarity", "representative")

SUGGESTIONS = file_kind("a table of suggestions", b"text,intent,cluster", mark=",".join(COLUMNS), error=ModelError)

REPRESENTATIVES = 3
"""Number of texts of a cluster that are marked as representative."""


def write_suggestions(suggestions: Suggestions, texts: Sequence[str], file: Path) -> None:
    """Write the table, as UTF-8.

    Args:
        suggestions: Clusters.
        texts: All texts.
        file: File to write.
    """
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for number, cluster in enumerate(suggestions.clusters, start=1):
            facts = [number, len(cluster.rows), f"{cluster.cohesion:.3f}"]
            for place, (row, similarity) in enumerate(zip(cluster.rows.tolist(), cluster.similarities, strict=True)):
                mark = "yes" if place < REPRESENTATIVES else ""
                writer.writerow([as_cell(texts[row]), as_cell(cluster.name), *facts, f"{similarity:.3f}", mark])
        for row in suggestions.rest.tolist():
            writer.writerow([as_cell(texts[row]), "", "", "", "", "", ""])


def is_suggestions(file: Path) -> bool:
    """Whether a file is such a table, even if a spreadsheet has saved it with other signs between its cells."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace") as stream:
            head = stream.readline(1000)
    except OSError:
        return False
    return tuple(cell.strip().strip('"') for cell in re.split("[,;\t]", head)) == COLUMNS
