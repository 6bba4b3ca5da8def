"""Obey the decisions of people about rows: which rows of a table they are about, and the rows with other labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.common.decisions import RowDecision, RowDecisions, text_digest
from dataset_builders.schema import CONFIGS, Config

KEEP = "keep"

DECISION = "decision"
"""Name of the check that drops rows."""

DROPPED, RELABELLED, NEW_LABEL = "dropped", "relabelled", "relabelled with a new label"
KEPT, LEFT_OUT, CHANGED, NO_ROW = "kept", "left out already", "text has changed", "no such row"
RESCUED, NOT_RESCUED = "rescued", "not rescued"
"""What a build made of a decision.

Left out already: a filter drops the row, whatever the decision says. Rescued: a quality filter would have dropped a row
that is to be kept. Not rescued: another check drops it, such as a leak, whose name follows: nobody can overrule that.
"""

_LABEL_COLUMNS = ("label", "labels", "scenario", "is_out_of_scope")


@dataclass(frozen=True)
class Deciding:
    """The decisions about the rows of one shard.

    Args:
        decisions: The decisions.
        decided: Outcome of each decision that is about a row of the shard, by its key; filled by the methods.
        all_rows: All rows of an intent set, whose labels have the scenarios of their rows.
        checks_texts: Whether a decision about another text is not obeyed. Not where a filter masks texts: then the
            dataset, in which somebody read the row, has another text than the rows here.
    """

    decisions: RowDecisions
    decided: dict[str, str]
    all_rows: pa.Table
    checks_texts: bool

    def find(self, config: Config, rows: pa.Table) -> dict[str, RowDecision]:
        """Decisions to obey about some rows, by id; records those about rows whose text has changed."""
        decisions = self.decisions.by_id(config)
        if not decisions:
            return {}
        ids = rows.column(0)
        matching = rows.select(_TEXT_COLUMNS[config]).filter(pc.is_in(ids, pa.array(list(decisions), ids.type)))
        by_id = {}
        for row in matching.to_pylist():
            decision = decisions[row[rows.column_names[0]]]
            if self.checks_texts and decision.text and decision.text != text_digest(*row_texts(config, row)):
                self.decided[decision.key] = CHANGED
            else:
                self.decided[decision.key] = LEFT_OUT
                by_id[decision.id] = decision
        return by_id

    def obey(self, rows: pa.Table, decisions: Mapping[str, RowDecision]) -> tuple[pa.Table, np.ndarray]:
        """Give rows the labels that were decided, and tell which rows to leave out.

        Args:
            rows: n rows.
            decisions: Result of `find` for these rows, or for more.

        Returns:
            The n rows, and the decision that leaves a row out, empty for the others: strings of shape (n,).
        """
        verdicts = np.full(len(rows), "", dtype=object)
        ids = rows.column(0)
        places = np.flatnonzero(np.asarray(pc.is_in(ids, pa.array(list(decisions), ids.type)), bool))
        labels: dict[int, tuple[str, ...]] = {}
        for place in places.tolist():
            decision = decisions[ids[place].as_py()]
            if decision.labels:
                labels[place] = decision.labels
                self.decided[decision.key] = RELABELLED if self._like(decision.labels) else NEW_LABEL
            elif decision.decision == KEEP:
                if self.decided[decision.key] != RESCUED:
                    self.decided[decision.key] = KEPT
            else:
                verdicts[place] = decision.decision
                self.decided[decision.key] = DROPPED
        return self._relabelled(rows, labels), verdicts

    def keeps(self, config: Config, rows: pa.Table) -> np.ndarray | None:
        """Which rows somebody wants to keep, bool of shape (n,), of those that `find` has seen; None for no row."""
        kept = [d.id for d in self._keep[config].values() if self.decided.get(d.key, CHANGED) != CHANGED]
        return np.asarray(pc.is_in(rows.column(0), pa.array(kept, rows.column(0).type)), bool) if kept else None

    def rescue(self, config: Config, ids: Iterable[str]) -> None:
        """Record the rows that were only kept since somebody wanted it."""
        for row_id in ids:
            self.decided[self._keep[config][row_id].key] = RESCUED

    def drop(self, config: Config, records: pa.Table) -> None:
        """Record the rows that a check drops although somebody wants to keep them.

        Args:
            config: Config of the rows.
            records: Their drop records.
        """
        if not (keep := self._keep[config]):
            return
        names = records.filter(pc.is_in(records["row_id"], pa.array(list(keep)))).select(["row_id", "filter"])
        for record in names.to_pylist():
            decision = keep[record["row_id"]]
            if self.decided.get(decision.key) != CHANGED:
                self.decided[decision.key] = f"{NOT_RESCUED}: {record['filter']}"

    @cached_property
    def _keep(self) -> dict[str, dict[str, RowDecision]]:
        """The decisions to keep a row, by config and id."""
        keep = [decision for decision in self.decisions if decision.decision == KEEP]
        return {config: {d.id: d for d in keep if d.config == config} for config in CONFIGS}

    def _relabelled(self, rows: pa.Table, labels: Mapping[int, tuple[str, ...]]) -> pa.Table:
        if not labels:
            return rows
        columns = {name: rows[name].to_pylist() for name in _LABEL_COLUMNS}
        for place, names in labels.items():
            like = self._like(names)
            columns["label"][place], columns["labels"][place] = joined(names), list(names)
            columns["scenario"][place] = like["scenario"] if like else None
            columns["is_out_of_scope"][place] = bool(like and like["is_out_of_scope"])
        for name, values in columns.items():
            field = rows.schema.field(name)
            rows = rows.set_column(rows.column_names.index(name), field, pa.array(values, field.type))
        return rows

    def _like(self, labels: tuple[str, ...]) -> dict[str, Any] | None:
        """The first row of the source with exactly these labels: their scenario, and whether they are out of scope."""
        place = pc.index(self.all_rows["label"], joined(labels)).as_py()
        return None if place < 0 else self.all_rows.select(_LABEL_COLUMNS).slice(place, 1).to_pylist()[0]


_TEXT_COLUMNS = {
    "dialogues": ["dialogue_id", "turns"],
    "pairs": ["pair_id", "anchor", "positive"],
    "downstream": ["utterance_id", "utterance"],
}


def row_texts(config: str, row: Mapping[str, Any]) -> list[str]:
    """The texts of a row that `text_digest` takes."""
    if config == "dialogues":
        return [turn["text"] for turn in row["turns"]]
    return [row["anchor"], row["positive"]] if config == "pairs" else [row["utterance"]]


def joined(labels: Iterable[str]) -> str:
    """Several labels as the column `label` has them: `nlupp/card` and `nlupp/lost` -> `nlupp/card+lost`."""
    first, *others = labels
    return "+".join([first, *(label.partition("/")[2] for label in others)])


def outcomes(decisions: RowDecisions, decided: Mapping[str, str]) -> dict[str, Any]:
    """What a build made of the decisions about one source, as plain values for the report.

    Args:
        decisions: The decisions about the source.
        decided: Outcome of those that are about a row of the source, by key.

    Returns:
        Number of decisions by decision and outcome; the ids of those that were not obeyed under `not_obeyed`.
    """
    counts: dict[str, Counter[str]] = {}
    not_obeyed: dict[str, list[str]] = {}
    for decision in decisions:
        outcome = decided.get(decision.key, NO_ROW)
        counts.setdefault(decision.decision, Counter())[outcome] += 1
        if outcome in (CHANGED, NO_ROW) or outcome.startswith(NOT_RESCUED):
            not_obeyed.setdefault(outcome, []).append(decision.id)
    return {
        **{name: dict(sorted(counts[name].items())) for name in sorted(counts)},
        "not_obeyed": dict(sorted(not_obeyed.items())),
    }
