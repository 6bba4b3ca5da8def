"""The distinct answers of a dataset, with their sources and licences.

>>> answers = read_answers("my-corpus", sources=["sgd"])
>>> answers.column_names
['text', 'source', 'license', 'redistributable']
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.data.hub import split_names
from cube_model.data.pairs import NoPairsError, read_pairs_table
from cube_model.errors import ModelError

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = {"positive": "text", "source": "source", "license": "license", "redistributable": "redistributable"}
"""Columns of the answers by the columns of the `pairs` config that they are read from."""

Where = Mapping[str, str | Sequence[str]]
"""The value, or one of the values, that the rows' metadata must have, by key: `{"team": ["sales", "support"]}`."""

_SHOWN = 10
"""Maximum number of values that a message lists."""


def read_answers(
    data: str | os.PathLike[str],
    sources: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    max_answers: int | None = None,
    where: Where | None = None,
) -> pa.Table:
    """Read the distinct system answers to users.

    Of answers that differ in case and punctuation only, the first is kept.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        sources: Names of the sources to read. Default: all.
        splits: Names of the splits to read. Default: all.
        max_answers: Maximum number of answers; more are sampled at random, with a fixed seed. Default: no limit.
        where: Values of the metadata that a row needs to be read. Default: all rows.

    Returns:
        Table with the columns text, source, license (SPDX identifier) and redistributable (bool).

    Raises:
        ModelError: The dataset or a source does not exist, or has no answers; or no metadata matches.
    """
    import pyarrow as pa

    tables = []
    last_error: NoPairsError | None = None
    columns = ("answer_id", *COLUMNS, "anchor_speaker", "positive_speaker", *(["metadata"] if where else []))
    for split in splits or split_names(data):
        try:
            table, rows = read_pairs_table(data, split, columns, sources)
        except NoPairsError as error:  # a source need not be in every split
            last_error = error
            continue
        tables.append(table.take(rows))
    if last_error and not tables:
        raise last_error
    table = pa.concat_tables(tables)
    if where:
        table = _with_metadata(table, where, data)
    keys = table["answer_id"].combine_chunks().dictionary_encode()
    _, rows = np.unique(np.asarray(getattr(keys, "indices", keys)), return_index=True)
    rows.sort()
    if max_answers is not None and max_answers < len(rows):
        rows = np.sort(np.random.default_rng(0).choice(rows, size=max_answers, replace=False))
    answers = table.select(list(COLUMNS)).rename_columns(list(COLUMNS.values())).take(rows)
    return answers.combine_chunks().replace_schema_metadata(None)


def _with_metadata(table: pa.Table, where: Where, data: str | os.PathLike[str]) -> pa.Table:
    """The rows whose metadata have one of the values of each key."""
    import pyarrow as pa

    wanted = {key: [values] if isinstance(values, str) else list(values) for key, values in where.items()}
    encoded = table["metadata"].combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    objects = [json.loads(text) for text in encoded.dictionary.to_pylist()]
    matches = [all(_as_text(entries.get(key)) in wanted[key] for key in wanted) for entries in objects]
    rows = np.flatnonzero(np.isin(np.asarray(encoded.indices.fill_null(-1)), np.flatnonzero(matches)))
    if len(rows):
        return table.take(rows)
    conditions = " and ".join(f"{key}={' or '.join(values)}" for key, values in wanted.items())
    available = ", ".join(_known(objects, wanted)) or "no metadata at all"
    raise ModelError(f"{data}: no answer has the metadata {conditions}; there is {available}")


def _known(objects: list[dict[str, Any]], wanted: Collection[str]) -> list[str]:
    """The keys of the metadata, with values for those that a user looked for."""
    keys = sorted({key for entries in objects for key in entries})
    result = []
    for key in keys:
        values = sorted({text for entries in objects if (text := _as_text(entries.get(key))) is not None})
        more = ", ..." if len(values) > _SHOWN else ""
        result.append(f"{key} ({', '.join(values[:_SHOWN])}{more})" if key in wanted else key)
    return result


def _as_text(value: Any) -> str | None:
    """A JSON value as `metadata->>'$.KEY'` gives it in SQL."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def answers_fingerprint(answers: pa.Table) -> str:
    """Compute the SHA-256 of all rows: equal for equal answers in equal order."""
    digest = hashlib.sha256()
    for name in answers.column_names:
        for value in answers[name].to_pylist():
            digest.update(f"{value}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def licenses_of(answers: pa.Table) -> dict[str, Any]:
    """Summarise licences and sources for the record of an index, which quotes the answers."""
    counts = answers["license"].value_counts().to_pylist()
    return {
        "redistributable": bool(np.all(answers["redistributable"].to_pylist())),
        "licenses": {str(entry["values"]): entry["counts"] for entry in counts},
        "sources": {str(entry["values"]): entry["counts"] for entry in answers["source"].value_counts().to_pylist()},
    }
