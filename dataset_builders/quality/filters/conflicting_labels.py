"""Filter: the same text with different labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings
from dataset_builders.schema import Config


@dataclass(frozen=True)
class ConflictingLabels(Filter):
    """Utterances of one source and language with different labels but equal text, ignoring case and punctuation.

    Either a label is wrong or the intents overlap (CLINC150 has four such texts). Needs all rows of a source and split
    at once.

    Example: "cancel it" as `shop/cancel_order` and as `shop/cancel_account` -> both labels.
    """

    name: ClassVar[str] = "conflicting_labels"
    description: ClassVar[str] = "The same text also has another label."
    configs: ClassVar[tuple[Config, ...]] = ("downstream",)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Rows whose text has several labels. Value: the labels."""
        table = pa.table(
            {
                "text": rows.texts.normal.take(pa.array(rows.text)),
                "source": rows.table["source"],
                "language": rows.table["language"],
                "label": rows.table["label"],
            }
        )
        keys = ["text", "source", "language"]
        counts = table.group_by(keys, use_threads=False).aggregate([("label", "count_distinct")])
        several = counts.filter(pc.greater(counts["label_count_distinct"], 1))["text"]
        suspects = np.flatnonzero(pc.is_in(table["text"], several.combine_chunks()).to_numpy(zero_copy_only=False))
        entries = table.take(pa.array(suspects)).to_pylist()
        labels: dict[tuple[str, ...], set[str]] = {}
        for entry in entries:
            labels.setdefault(tuple(entry[k] for k in keys), set()).add(entry["label"])
        numbers: list[int] = []
        values: list[str] = []
        for number, entry in zip(suspects.tolist(), entries, strict=True):
            conflicting = labels[tuple(entry[k] for k in keys)]
            if len(conflicting) > 1:
                numbers.append(number)
                values.append(", ".join(sorted(conflicting)))
        return {self.name: findings(numbers, values)}
