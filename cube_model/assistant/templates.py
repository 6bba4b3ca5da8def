"""Answers with names in place of the values of their slots: `The phone number is [phone_number]`.

They come from the annotations of the `dialogues` config, as SGD and MultiWOZ have them. Answers with the same template
count as one, and a reply shows it beside the text, so that a user sees what the answer would be in another dialogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cube_model.data.turns import filled, read_turns
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa


def with_templates(table: pa.Table, data: str, splits: Sequence[str]) -> pa.Table:
    """Return entries with their templates.

    Args:
        table: n entries.
        data: Dataset that they come from.
        splits: Splits that they come from.
    """
    import pyarrow as pa

    answers = list(zip(table["dialogue_id"].to_pylist(), table["answer"].to_pylist(), strict=True))
    wanted, templates = set(answers), {}
    for split in splits:
        for source in sorted(set(table["source"].to_pylist())):
            try:
                turns = read_turns(data, split, sources=[source])
            except ModelError:  # own data, a dataset without dialogues, or a split without this source
                continue
            for row, spans in enumerate(turns.spans):
                key = turns.dialogue_ids[turns.dialogues[row]], turns.texts[row].strip()
                if spans and key in wanted:
                    templates[key] = filled(turns.texts[row], spans).strip()
    column = pa.array([templates.get(answer) for answer in answers], pa.string())
    return table.set_column(table.schema.get_field_index("template"), "template", column)
