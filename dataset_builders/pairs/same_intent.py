"""Intent sets -> pairs of utterances with the same intent, as additional positives for contrastive training."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.arrow.lists import empty_lists
from dataset_builders.common.errors import DataError
from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.text.normalize import text_ids

CONFLICTING_LABEL = "conflicting_label"
"""Flag of a text with two labels, which is no reliable example of either."""


def same_intent_pairs(rows: pa.Table, per_utterance: int, seed: int) -> pa.Table:
    """Pair each utterance with `per_utterance` others of the same label and language.

    The texts of a label form a ring in seeded order, and each is paired with those after it. No text is paired with
    itself or an equal (normalised) one, all are positives equally often, and a pair depends neither on the order of the
    rows nor on other labels. Of equal texts, the one with the smallest `utterance_id` is used. Out-of-scope rows, which
    share no intent, rows with several intents, which share some with rows of other labels, and rows flagged
    `conflicting_label` make no pairs.

    Args:
        rows: Rows of the `downstream` config, from the train split only.
        per_utterance: Number of positives for each utterance, at least 1; fewer if the label has fewer other texts.
        seed: Random seed of the order.

    Returns:
        Rows of the `pairs` config with `pair_type` "same_intent", in the order of the anchors in `rows`. All pairs of a
        label share one `answer_id`, so a batch without repeated answer ids never uses an utterance of the same intent
        as a negative.

    Raises:
        DataError: `per_utterance` is below 1.
    """
    if per_utterance < 1:
        raise DataError(f"same-intent pairs per utterance: {per_utterance}; expected at least 1")
    rows = _usable(rows)
    anchors, positives = _rings(rows, per_utterance, seed)
    first, second = rows.take(pa.array(anchors)), rows.take(pa.array(positives))
    count = len(first)
    schema = ARROW_SCHEMAS["pairs"]
    user = pa.repeat(pa.scalar("user"), count)
    columns = {
        "pair_id": pc.binary_join_element_wise(first["utterance_id"], second["utterance_id"], "~"),
        "anchor": first["utterance"],
        "positive": second["utterance"],
        "anchor_speaker": user,
        "positive_speaker": user,
        "context": pa.array([[]] * count, schema.field("context").type),
        "answer_id": pa.array([_digest(label) for label in first["label"].to_pylist()], pa.string()),
        "pair_type": pa.repeat(pa.scalar("same_intent"), count),
        "domains": _domains(first["scenario"]),
        "negatives": empty_lists(count),
        "flags": empty_lists(count),
    }
    for name in ("source", "language", "origin", "license", "redistributable"):
        columns[name] = first[name]
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _usable(rows: pa.Table) -> pa.Table:
    """In-scope rows with one intent, without conflicting labels, each text of a label and language once."""
    flags = rows["flags"].combine_chunks()
    flagged = pc.equal(pc.list_flatten(flags), CONFLICTING_LABEL)
    conflicting = np.zeros(len(rows), dtype=bool)
    conflicting[pc.list_parent_indices(flags).filter(flagged).to_numpy()] = True
    has_one_intent = pc.equal(pc.fill_null(pc.list_value_length(rows["labels"]), 1), 1)  # null in older datasets
    is_usable = pc.and_(pc.invert(rows["is_out_of_scope"]), has_one_intent)
    rows = rows.filter(pc.and_(is_usable, pa.array(~conflicting)))
    keys = pa.table(
        {
            "label": rows["label"],
            "language": rows["language"],
            "text": pa.array(text_ids(rows["utterance"]), pa.string()),
            "id": rows["utterance_id"],
            "row": np.arange(len(rows)),
        }
    ).sort_by("id")
    first = keys.group_by(["label", "language", "text"], use_threads=False).aggregate([("row", "first")])
    return rows.take(pa.array(np.sort(first["row_first"].to_numpy())))


def _rings(rows: pa.Table, per_utterance: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the anchors, ascending, and of their positives, which follow them in the label's ring."""
    positions = [_digest(f"{seed}\0{name}") for name in rows["utterance_id"].to_pylist()]
    keys = pa.table(
        {"label": rows["label"], "language": rows["language"], "position": pa.array(positions, pa.string())}
    )
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]).to_numpy()
    rings = keys.group_by(["label", "language"], use_threads=False).aggregate([("position", "count")])
    rings = rings.sort_by([("label", "ascending"), ("language", "ascending")])
    sizes = rings["position_count"].to_numpy()
    size, start = np.repeat(sizes, sizes), np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = np.arange(1, per_utterance + 1)
    offset = (np.arange(len(order)) - start)[:, None] + step
    after = start[:, None] + offset % size[:, None]
    ring, nth = np.nonzero(step < size[:, None])
    anchors, positives = order[ring], order[after[ring, nth]]
    by_row = np.lexsort([nth, anchors])
    return anchors[by_row], positives[by_row]


def _domains(scenarios: pa.ChunkedArray) -> pa.ListArray:
    """Each scenario as a list of one, null as an empty list."""
    is_valid = pc.is_valid(scenarios).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(is_valid)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pc.drop_null(scenarios).combine_chunks())


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
