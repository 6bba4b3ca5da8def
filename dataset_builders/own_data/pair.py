"""A question and its answer as one light row: pairs are most of what people have, and objects of turns take longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from dataset_builders.schema import ARROW_SCHEMAS, Dialogue, Turn
from dataset_builders.sources.columns import column


class Pair(NamedTuple):
    """A dialogue of one question and one answer, without annotations and without words about it.

    Args:
        id: As `Dialogue.id`.
        split: As `Dialogue.split`.
        question: Text of the user.
        answer: Text of the system.
        original_id: As `Dialogue.original_id`.
        metadata: As `Dialogue.metadata`.
    """

    id: str
    split: str
    question: str
    answer: str
    original_id: str | None = None
    metadata: str | None = None

    def dialogue(self) -> Dialogue:
        """The same as a dialogue."""
        turns = [Turn("user", self.question), Turn("system", self.answer)]
        return Dialogue(self.id, self.split, turns, self.original_id, metadata=self.metadata)

    def is_trimmed(self) -> bool:
        """Whether neither text begins or ends with a blank, or is one."""
        question, answer = self.question.strip(), self.answer.strip()
        return bool(question and answer) and question == self.question and answer == self.answer


def pair_columns(source: str, pairs: Sequence[Pair], alike: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns of the `dialogues` config.

    Args:
        source: Name of the source.
        pairs: n pairs, trimmed.
        alike: The columns of any n pairs, from which those that are the same for all pairs are taken.
    """
    schema, turns = ARROW_SCHEMAS["dialogues"], alike["turns"]
    fields = list(turns.type.value_type)
    texts = pa.array([text for pair in pairs for text in pair[2:4]], pa.string())
    parts = [texts if field.name == "text" else turns.values.field(field.name) for field in fields]
    structs = pa.StructArray.from_arrays(parts, fields=fields)
    own = {
        "dialogue_id": [f"{source}/{pair.id}" for pair in pairs],
        "original_id": [pair.original_id or pair.id for pair in pairs],
        "original_split": [pair.split for pair in pairs],
        "metadata": [pair.metadata for pair in pairs],
        "turns": pa.ListArray.from_arrays(turns.offsets, structs, type=turns.type),
    }
    return {**alike, **{name: column(values, schema.field(name), len(pairs)) for name, values in own.items()}}


def repeated(columns: Mapping[str, Any], count: int) -> dict[str, pa.Array]:
    """Columns of one dialogue, `count` times."""
    schema, first = ARROW_SCHEMAS["dialogues"], pa.array(np.zeros(count, np.int32))
    return {name: column(values, schema.field(name), 1).take(first) for name, values in columns.items()}
