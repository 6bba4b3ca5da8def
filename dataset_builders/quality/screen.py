"""Rows in; rows kept, flagged, masked and scored, and rows dropped with a reason, out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.pairs.encoder import Encoder
from dataset_builders.quality.config import QualityConfig
from dataset_builders.quality.drops import DROPS_SCHEMA, Findings, drop_rows
from dataset_builders.quality.filters import FILTERS, Filter
from dataset_builders.quality.filters.base import Rows
from dataset_builders.quality.filters.encoding import Encoding
from dataset_builders.quality.filters.glued_sentences import GluedSentences
from dataset_builders.quality.filters.markup import Markup
from dataset_builders.quality.filters.personal_data import PersonalData, mask_texts, without_personal_data
from dataset_builders.quality.score import score_pairs
from dataset_builders.schema import Config, Split

_HEAVY = ("context", "negatives", "quality")
"""Columns that a drop record does not quote: copying the context takes longer than all else."""


@dataclass(frozen=True)
class Screened:
    """What became of the rows of a table: each is in `rows` or in `dropped`, both in the order of the input.

    Attributes:
        rows: The kept rows, in the schema of the input.
        dropped: Records of `schema.DROPS`.
    """

    rows: pa.Table
    dropped: pa.Table


def screen(
    config: Config,
    rows: pa.Table,
    split: Split | Sequence[Split],
    quality: QualityConfig,
    encoder: Encoder | None = None,
) -> Screened:
    """Apply the filters.

    A dropped row is dropped by the first filter, in the order of `FILTERS`, that objects. In the test split only
    filters that define what a row is may drop: there the others flag instead, for official test sets are not shrunk.
    Flags that stand on the rows already are kept and come first. Where personal data is to be masked or dropped, drop
    records quote none either.

    Args:
        config: Which config the rows belong to.
        rows: Rows of `schema.FEATURES[config]`. Each is judged by itself but for `conflicting_labels`, which needs all
            rows of a source, and `wrong_language`, which needs whole dialogues.
        split: Where the rows stand: one split for all, or one for each.
        quality: What the filters do.
        encoder: Gives `relatedness`; without one that filter is silent and the score has no such part.

    Returns:
        The kept rows, pairs with their `quality`, and the records of the dropped ones.
    """
    splits = np.full(len(rows), split) if isinstance(split, str) else np.asarray(split)
    active = [f for f in quality.filters if config in f.configs and f.action != "off"]
    definition = _judge(Rows.of(config, rows), [f for f in active if f.defines_rows], splits)
    left = np.flatnonzero(~definition.is_dropped)
    view = Rows.of(config, rows if len(left) == len(rows) else rows.take(pa.array(left)), encoder)
    judgement = _judge(view, [f for f in active if not f.defines_rows], splits[left])

    table = view.table
    if config == "pairs":
        checks = [quality.get(kind) for kind in (Encoding, Markup, GluedSentences)]
        table = _with_column(table, "quality", score_pairs(view, checks))
    for mask, found in judgement.masks:
        table = mask.mask(view, table, found)
    flags = [(name, np.searchsorted(left, numbers)) for name, numbers in definition.flags] + judgement.flags
    table = with_flags(table, flags)

    drops = definition.drops + [(name, Findings(left[f.rows], f.values)) for name, f in judgement.drops]
    private = quality.get(PersonalData).action in ("mask", "drop")
    return Screened(table.filter(pa.array(~judgement.is_dropped)), _drop_records(config, rows, splits, drops, private))


@dataclass
class _Verdict:
    """What some filters decided about rows.

    Attributes:
        is_dropped: bool of shape (rows,).
        drops: By filter, each row once.
        flags: Rows by flag; rows that another filter drops are among them.
        masks: Filters that mask, with what they found.
    """

    is_dropped: np.ndarray
    drops: list[tuple[str, Findings]] = field(default_factory=list)
    flags: list[tuple[str, np.ndarray]] = field(default_factory=list)
    masks: list[tuple[Filter, dict[str, Findings]]] = field(default_factory=list)


def _judge(view: Rows, filters: Sequence[Filter], splits: np.ndarray) -> _Verdict:
    verdict = _Verdict(np.zeros(len(view.table), bool))
    for judge in filters:
        found = {flag: f for flag, f in judge.find(view).items() if len(f.rows)}
        masks = judge.action == "mask"
        for flag, findings in found.items():
            drops = np.full(len(findings.rows), judge.action == "drop")
            if not judge.defines_rows:
                drops &= splits[findings.rows] != "test"
            new = drops & ~verdict.is_dropped[findings.rows]
            verdict.drops.append((judge.name, Findings(findings.rows[new], findings.values.filter(pa.array(new)))))
            verdict.is_dropped[findings.rows[drops]] = True
            verdict.flags.append((f"{flag}:masked" if masks else flag, findings.rows[~drops]))
        if masks and found:
            verdict.masks.append((judge, found))
    return verdict


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values.cast(table.schema.field(place).type))


def _drop_records(
    config: Config, rows: pa.Table, splits: np.ndarray, drops: list[tuple[str, Findings]], private: bool
) -> pa.Table:
    """Records of `schema.DROPS` in the order of the rows."""
    rows = rows.drop_columns([name for name in _HEAVY if name in rows.column_names])
    records = []
    for name, found in drops:
        if not len(found.rows):
            continue
        dropped, values = rows.take(pa.array(found.rows)), found.values
        if private:
            dropped, values = without_personal_data(config, dropped), mask_texts(values)
        records.append(drop_rows(config, dropped, splits[found.rows].tolist(), name, FILTERS[name].description, values))
    if not records:
        return DROPS_SCHEMA.empty_table()
    order = np.argsort(np.concatenate([found.rows for _, found in drops]))
    return pa.concat_tables(records).take(pa.array(order))


def with_flags(table: pa.Table, flags: list[tuple[str, np.ndarray]]) -> pa.Table:
    """A table whose rows carry further flags, after those they have, each at most once a row.

    Args:
        table: Rows with a column `flags`.
        flags: (flag, numbers of the rows that get it).
    """
    if not any(len(numbers) for _, numbers in flags):
        return table
    old = table["flags"].combine_chunks()
    old_rows = np.repeat(np.arange(len(table)), pc.list_value_length(old).fill_null(0).to_numpy())
    rows = np.concatenate([old_rows, *(numbers for _, numbers in flags)])
    added = np.repeat([name for name, _ in flags], [len(numbers) for _, numbers in flags])
    names, codes = np.unique(np.concatenate([old.flatten().to_numpy(zero_copy_only=False), added]), return_inverse=True)
    _, first = np.unique(rows * len(names) + codes, return_index=True)
    first = first[np.lexsort((first, rows[first]))]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows[first], minlength=len(table)))])
    values = pa.array(names.tolist(), pa.string()).take(pa.array(codes[first]))
    place = table.schema.get_field_index("flags")
    return table.set_column(
        place, table.schema.field(place), pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
    )
