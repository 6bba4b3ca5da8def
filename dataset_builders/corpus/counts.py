"""Counts of a build, one `SourceCounts` per source; rows in always equals rows out plus rows dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CONFIGS, Config
from dataset_builders.sources.info import COVERAGE, SourceInfo

REPEATED = "repeated_record"
"""Name of the check that drops records which occur twice in the raw files."""


@dataclass
class Tally:
    """Row counts for one config of one source.

    Attributes:
        rows_in: Number of rows checked.
        rows_out: Number of rows written.
        dropped: Number of rows dropped by each check.
        flagged: Number of written rows with each flag.
    """

    rows_in: int = 0
    rows_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dropped, self.flagged = Counter(self.dropped), Counter(self.flagged)

    def add(self, other: Tally) -> None:
        """Add the counts of other rows of the same config and source."""
        self.rows_in += other.rows_in
        self.rows_out += other.rows_out
        self.dropped.update(other.dropped)
        self.flagged.update(other.flagged)

    def check(self, name: str) -> None:
        """Check that no row was lost or duplicated.

        Args:
            name: Source and config, for the error message.

        Raises:
            AssertionError: Rows in differs from rows out plus rows dropped. This is a bug in the build, so it stops
                before a wrong dataset is written.
        """
        dropped = self.dropped.total()
        if self.rows_in != self.rows_out + dropped:
            raise AssertionError(f"{name}: {self.rows_in} rows in, {self.rows_out} out and {dropped} dropped")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the report, in a fixed order."""
        dropped, flagged = (dict(sorted(counter.items())) for counter in (self.dropped, self.flagged))
        return {"in": self.rows_in, "out": self.rows_out, "dropped": dropped, "flagged": flagged}


@dataclass
class SourceCounts:
    """Counts of one source, collected while its rows are written.

    Attributes:
        info: Facts about the source.
        config: Name of the source's config.
        input_hash: Digest of the raw files and of the code that parses them.
        original: Size of each of the source's own splits: dialogues, utterances, ... or rows.
        written: Size of each written split.
        rows: Row counts of each config of the dataset.
        benchmark_pairs: Number of written pairs outside test that contain a test utterance of an intent set.
        languages: BCP 47 tags of the rows.
        annotated: Number of written turns with `acts`, `slots` and `state`, and of written dialogues with `domains`.
        rejected: Number of records of own data that could not be used; the rejects file lists them.
        decided: What the build made of the decisions about rows of this source, by key; see `deciding`.
    """

    info: SourceInfo
    config: str
    input_hash: str
    original: dict[str, Counter[str]] = field(default_factory=dict)
    written: dict[str, Counter[str]] = field(default_factory=dict)
    rows: dict[Config, Tally] = field(default_factory=lambda: {config: Tally() for config in CONFIGS})
    benchmark_pairs: int = 0
    languages: set[str] = field(default_factory=set)
    annotated: Counter[str] = field(default_factory=Counter)
    rejected: int = 0
    decided: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; equal counts give equal values in one order."""
        return vars(self) | {
            "info": asdict(self.info) | {"files": (), "terms": None},
            "rows": {config: vars(tally) for config, tally in self.rows.items()},
            "languages": sorted(self.languages),
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> SourceCounts:
        """The counts of the values of `as_dict`, also after they were JSON."""
        lists = {name: tuple(value) for name, value in values["info"].items() if isinstance(value, list)}
        return cls(
            **values
            | {
                "info": SourceInfo(**values["info"] | lists),
                "original": {split: Counter(counts) for split, counts in values["original"].items()},
                "written": {split: Counter(counts) for split, counts in values["written"].items()},
                "rows": {config: Tally(**tally) for config, tally in values["rows"].items()},
                "languages": set(values["languages"]),
                "annotated": Counter(values["annotated"]),
            }
        )

    def add(self, other: SourceCounts) -> None:
        """Add the counts of later rows of the same source."""
        for mine, more in ((self.original, other.original), (self.written, other.written)):
            for split, counts in more.items():
                mine.setdefault(split, Counter()).update(counts)
        for config, tally in other.rows.items():
            self.rows[config].add(tally)
        self.benchmark_pairs += other.benchmark_pairs
        self.languages |= other.languages
        self.annotated += other.annotated
        self.rejected += other.rejected
        self.decided |= other.decided

    def check(self) -> None:
        """Check every config with `Tally.check`."""
        for config, tally in self.rows.items():
            tally.check(f"{self.info.name}, {config}")

    def count_input(self, table: pa.Table) -> None:
        """Count parsed rows by the source's own splits."""
        splits = table["original_split"].unique().to_pylist()
        for split in splits:
            rows = table if len(splits) == 1 else table.filter(pc.equal(table["original_split"], split))
            self.original.setdefault(split, Counter()).update(_size(rows))

    def count_drops(self, config: Config, records: pa.Table) -> None:
        """Count dropped rows by their drop records."""
        self.rows[config].dropped.update(_value_counts(records["filter"]))

    def count_output(self, config: Config, split: str, table: pa.Table) -> None:
        """Count written rows."""
        tally = self.rows[config]
        tally.rows_out += len(table)
        tally.flagged.update(_value_counts(pc.list_flatten(table["flags"])))
        if config == "dialogues":
            self.annotated.update(_annotated(table))
        size = Counter(pairs=len(table)) if config == "pairs" else _size(table)
        self.written.setdefault(split, Counter()).update(size)

    def coverage(self) -> dict[str, float]:
        """Share of written turns with `acts`, `slots` and `state`, and of written dialogues with `domains`, 0 to 1."""
        totals = {unit: sum(size[unit] for size in self.written.values()) for unit in set(COVERAGE.values())}
        return {kind: round(self.annotated[kind] / (totals[unit] or 1), 4) for kind, unit in COVERAGE.items()}

    def differences(self) -> list[str]:
        """Differences from the official counts, such as `"train: 12,174 of 16,142 dialogues"`."""
        repeated = sum(tally.dropped[REPEATED] for tally in self.rows.values())
        differences = [f"{repeated:,} repeated records left out"] if repeated else []
        for split, official in self.info.counts[self.config].items():
            size = self.original.get(split, Counter())
            for unit, number in official.items():
                if size[unit] != number:
                    differences.append(f"{split}: {size[unit]:,} of {number:,} {unit}")
        return differences


def _size(table: pa.Table) -> Counter[str]:
    """Numbers of dialogues, turns by speaker and empty turns, or of downstream rows."""
    if "turns" not in table.column_names:
        return Counter(rows=len(table))
    speakers = pc.struct_field(pc.list_flatten(table["turns"]), "speaker")
    user = pc.sum(pc.equal(speakers, "user")).as_py() or 0
    return Counter(
        dialogues=len(table),
        utterances=len(speakers),
        user=user,
        system=len(speakers) - user,
        empty=pc.sum(table["empty_turns"]).as_py() or 0,
    )


def _annotated(dialogues: pa.Table) -> dict[str, int]:
    annotations = pc.struct_field(pc.list_flatten(dialogues["turns"]), "annotations")
    lists = {
        kind: dialogues[kind] if unit == "dialogues" else pc.struct_field(annotations, kind)
        for kind, unit in COVERAGE.items()
    }
    return {kind: pc.sum(pc.greater(pc.list_value_length(each), 0)).as_py() or 0 for kind, each in lists.items()}


def _value_counts(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()}
