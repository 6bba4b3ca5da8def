"""Apply the filters to rows: keep, flag, mask and score them, or drop them with a reason."""

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
from dataset_builders.quality.filters.base import Contexts, Rows, Spoken
from dataset_builders.quality.filters.encoding import Encoding
from dataset_builders.quality.filters.glued_sentences import GluedSentences
from dataset_builders.quality.filters.markup import Markup
from dataset_builders.quality.filters.personal_data import PersonalData, mask_texts, without_personal_data
from dataset_builders.quality.score import score_pairs
from dataset_builders.schema import Config, Split

_HEAVY = ("context", "negatives", "quality")
"""Columns that no drop record needs; copying the context takes longer than everything else."""


@dataclass(frozen=True)
class Screened:
    """The screened rows of a table; each is in `rows` or in `dropped`, both in the order of the input.

    Attributes:
        rows: Rows that were kept, in the schema of the input.
        dropped: Records of the dropped rows, in `schema.DROPS`.
        kept: Numbers of the rows that were kept, ascending.
        rescued: Those of them that only somebody's wish to keep them has saved, ascending.
        is_masked: Whether a filter has masked some texts.
    """

    rows: pa.Table
    dropped: pa.Table
    kept: np.ndarray
    rescued: np.ndarray
    is_masked: bool


def screen(
    config: Config,
    rows: pa.Table,
    split: Split | Sequence[Split],
    quality: QualityConfig,
    encoder: Encoder | None = None,
    spoken: Spoken | None = None,
    contexts: Contexts | None = None,
    kept: np.ndarray | None = None,
) -> Screened:
    """Apply the filters.

    The first filter that objects, in the order of `FILTERS`, drops a row. Official test sets should not shrink, so
    in the test split only filters that define rows may drop; the others flag instead. Existing flags stay and come
    first. If personal data is masked or dropped, drop records do not quote it either.

    Args:
        config: Config of the rows.
        rows: Rows of `schema.FEATURES[config]`. Filters look at each row alone, except `conflicting_labels`, which
            needs all rows of a source, and `wrong_language`, which needs whole dialogues.
        split: Split of the rows: one for all, or one for each row.
        quality: Action and limits of each filter.
        encoder: Encoder for `relatedness`; without one, that filter finds nothing and the score lacks that part.
        spoken: The texts of the rows, if they are known: those of dialogues and of their pairs are judged only once.
        contexts: Returns the context of some of the pairs, for filters that do not mask; None if the rows have it.
        kept: Whether somebody wants to keep each row, bool of shape (rows,): filters that are overruled flag it then.

    Returns:
        The remaining rows (pairs with their `quality`) and the records of the dropped rows.
    """
    splits = np.full(len(rows), split) if isinstance(split, str) else np.asarray(split)
    kept = np.zeros(len(rows), bool) if kept is None else kept
    active = [f for f in quality.filters if config in f.configs and f.action != "off"]
    whole = view = Rows.of(config, rows, encoder, spoken, contexts)
    definition = _judge(whole, [f for f in active if f.defines_rows], splits, kept)
    remaining = np.flatnonzero(~definition.is_dropped)
    if len(remaining) < len(rows):
        stays = ~definition.is_dropped
        view = Rows.of(config, rows.filter(pa.array(stays)), encoder) if encoder else whole.where(stays)
    judgement = _judge(view, [f for f in active if not f.defines_rows], splits[remaining], kept[remaining])

    table = view.table
    if config == "pairs":
        checks = [quality.get(kind) for kind in (Encoding, Markup, GluedSentences)]
        table = _with_column(table, "quality", score_pairs(view, checks))
    for mask, matches in judgement.masks:
        table = mask.mask(view, table, matches)
    flags = [(name, np.searchsorted(remaining, numbers)) for name, numbers in definition.flags] + judgement.flags
    table = with_flags(table, flags)

    drops = definition.drops + [(name, Findings(remaining[f.rows], f.values)) for name, f in judgement.drops]
    private = quality.get(PersonalData).action in ("mask", "drop")
    stay = ~judgement.is_dropped
    rescued = np.flatnonzero((definition.is_rescued[remaining] | judgement.is_rescued) & stay)
    table = table if stay.all() else table.filter(pa.array(stay))
    dropped = _drop_records(config, rows, splits, drops, private)
    return Screened(table, dropped, remaining[stay], remaining[rescued], bool(judgement.masks))


@dataclass
class _Verdict:
    """The decision of several filters about rows.

    Attributes:
        is_dropped: Whether each row is dropped, bool of shape (rows,).
        is_rescued: Whether each row would be dropped if nobody wanted to keep it, bool of shape (rows,).
        drops: (filter, dropped rows), each row once.
        flags: (flag, row numbers); may include rows that another filter drops.
        masks: (filter that masks, its findings by flag).
    """

    is_dropped: np.ndarray
    is_rescued: np.ndarray
    drops: list[tuple[str, Findings]] = field(default_factory=list)
    flags: list[tuple[str, np.ndarray]] = field(default_factory=list)
    masks: list[tuple[Filter, dict[str, Findings]]] = field(default_factory=list)


def _judge(view: Rows, filters: Sequence[Filter], splits: np.ndarray, kept: np.ndarray) -> _Verdict:
    verdict = _Verdict(*np.zeros((2, len(view.table)), bool))
    for check in filters:
        matches = {flag: f for flag, f in check.find(view).items() if len(f.rows)}
        masks = check.action == "mask"
        for flag, findings in matches.items():
            drops = np.full(len(findings.rows), check.action == "drop")
            if not check.defines_rows:
                drops &= splits[findings.rows] != "test"
            if check.is_overruled:
                verdict.is_rescued[findings.rows[drops & kept[findings.rows]]] = True
                drops &= ~kept[findings.rows]
            new = drops & ~verdict.is_dropped[findings.rows]
            verdict.drops.append((check.name, Findings(findings.rows[new], findings.values.filter(pa.array(new)))))
            verdict.is_dropped[findings.rows[drops]] = True
            verdict.flags.append((f"{flag}:masked" if masks else flag, findings.rows[~drops]))
        if masks and matches:
            verdict.masks.append((check, matches))
    return verdict


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values.cast(table.schema.field(place).type))


def _drop_records(
    config: Config, rows: pa.Table, splits: np.ndarray, drops: list[tuple[str, Findings]], private: bool
) -> pa.Table:
    """Records of `schema.DROPS` in the order of the rows."""
    rows = rows.drop_columns([name for name in _HEAVY if name in rows.column_names])
    drops = [(name, findings) for name, findings in drops if len(findings.rows)]
    if not drops:
        return DROPS_SCHEMA.empty_table()
    records = []
    for name, findings in drops:
        dropped, values = rows.take(pa.array(findings.rows)), findings.values
        if private:
            dropped, values = without_personal_data(config, dropped), mask_texts(values)
        split = splits[findings.rows].tolist()
        records.append(drop_rows(config, dropped, split, name, FILTERS[name].description, values))
    order = np.argsort(np.concatenate([findings.rows for _, findings in drops]))
    return pa.concat_tables(records).take(pa.array(order))


def with_flags(table: pa.Table, flags: list[tuple[str, np.ndarray]]) -> pa.Table:
    """The table with more flags, appended to those of each row without duplicates.

    Args:
        table: Rows with a column `flags`.
        flags: (flag, numbers of the rows to flag).
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
