"""What a build counted: one `SourceCounts` a source, and rows in = rows out + rows dropped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CONFIGS, Config
from dataset_builders.sources.source import SourceInfo

REPEATED = "repeated_record"
"""Name of the check that drops a record that the raw files hold twice."""


@dataclass
class Tally:
    """What happened to the rows of one config of one source.

    Attributes:
        rows_in: Rows that were judged.
        rows_out: Rows that were written.
        dropped: Name of the check -> rows that it dropped.
        flagged: Flag -> written rows that carry it.
    """

    rows_in: int = 0
    rows_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dropped, self.flagged = Counter(self.dropped), Counter(self.flagged)

    def add(self, other: Tally) -> None:
        """Count what was counted elsewhere."""
        self.rows_in += other.rows_in
        self.rows_out += other.rows_out
        self.dropped.update(other.dropped)
        self.flagged.update(other.flagged)

    def check(self, what: str) -> None:
        """Rows in are rows out and rows dropped.

        Raises:
            AssertionError: A row was lost or doubled: a fault of ours that must not reach a dataset.
        """
        dropped = self.dropped.total()
        if self.rows_in != self.rows_out + dropped:
            raise AssertionError(f"{what}: {self.rows_in} rows in, {self.rows_out} out and {dropped} dropped")

    def as_dict(self) -> dict[str, Any]:
        """For the report, in a fixed order."""
        dropped, flagged = (dict(sorted(counter.items())) for counter in (self.dropped, self.flagged))
        return {"in": self.rows_in, "out": self.rows_out, "dropped": dropped, "flagged": flagged}


@dataclass
class SourceCounts:
    """What one source gave, counted while its rows were written.

    Attributes:
        info: The source's facts.
        config: Which of its configs.
        input_hash: Digest of its raw files and the code that read them.
        original: The source's own split name -> what was found (dialogues, utterances, ... or rows).
        written: Our split name -> what was written.
        rows: Config -> what became of its rows.
        heard: Written pairs outside of test with a test utterance of an intent set.
        languages: BCP 47 tags that occur in the rows.
        rejected: Records of own data that could not be used; they are in the rejects file.
    """

    info: SourceInfo
    config: str
    input_hash: str
    original: dict[str, Counter[str]] = field(default_factory=dict)
    written: dict[str, Counter[str]] = field(default_factory=dict)
    rows: dict[Config, Tally] = field(default_factory=lambda: {config: Tally() for config in CONFIGS})
    heard: int = 0
    languages: set[str] = field(default_factory=set)
    rejected: int = 0

    def save(self, path: Path) -> None:
        """Keep the counts as JSON; equal counts give equal bytes."""
        kept = vars(self) | {
            "info": asdict(self.info),
            "rows": {config: vars(tally) for config, tally in self.rows.items()},
            "languages": sorted(self.languages),
        }
        path.write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> SourceCounts:
        """What `save` wrote."""
        kept = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: tuple(value) for name, value in kept["info"].items() if isinstance(value, list)}
        return cls(
            **kept
            | {
                "info": SourceInfo(**kept["info"] | lists | {"files": ()}),
                "original": {split: Counter(counts) for split, counts in kept["original"].items()},
                "written": {split: Counter(counts) for split, counts in kept["written"].items()},
                "rows": {config: Tally(**tally) for config, tally in kept["rows"].items()},
                "languages": set(kept["languages"]),
            }
        )

    def add(self, other: SourceCounts) -> None:
        """Count what was counted elsewhere, of later rows of the same source."""
        for mine, more in ((self.original, other.original), (self.written, other.written)):
            for split, counts in more.items():
                mine.setdefault(split, Counter()).update(counts)
        for config, tally in other.rows.items():
            self.rows[config].add(tally)
        self.heard += other.heard
        self.languages |= other.languages
        self.rejected += other.rejected

    def check(self) -> None:
        """Rows in are rows out and rows dropped, for every config."""
        for config, tally in self.rows.items():
            tally.check(f"{self.info.name}, {config}")

    def found(self, table: pa.Table) -> None:
        """Count rows as the source gives them, by its own splits."""
        for split in table["original_split"].unique().to_pylist():
            part = table.filter(pc.equal(table["original_split"], split))
            self.original.setdefault(split, Counter()).update(amounts(part))

    def dropped(self, config: Config, records: pa.Table) -> None:
        """Count rows that were dropped, by their drop records."""
        self.rows[config].dropped.update(_counts(records["filter"]))

    def wrote(self, split: str, config: Config, table: pa.Table) -> None:
        """Count rows that were written."""
        tally = self.rows[config]
        tally.rows_out += len(table)
        tally.flagged.update(_counts(pc.list_flatten(table["flags"])))
        counts = Counter(pairs=len(table)) if config == "pairs" else amounts(table)
        self.written.setdefault(split, Counter()).update(counts)

    def differences(self) -> list[str]:
        """Where the found counts differ from the official ones: `"train: 12,174 of 16,142 dialogues"`."""
        official = self.info.counts[self.config]
        repeated = sum(tally.dropped[REPEATED] for tally in self.rows.values())
        found = [f"{repeated:,} repeated records left out"] if repeated else []
        for split, expected in official.items():
            for what, number in expected.items():
                have = self.original.get(split, Counter())[what]
                if have != number:
                    found.append(f"{split}: {have:,} of {number:,} {what}")
        return found


def amounts(table: pa.Table) -> Counter[str]:
    """How much stands in rows of the dialogues or downstream config."""
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


def _counts(column: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()}
