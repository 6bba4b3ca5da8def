"""What a dataset folder holds, counted from its rows: the card states nothing else about their number or licence."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.schema import CONFIGS, SPLITS, Config, Split


@dataclass
class Facts:
    """Counts over the rows of a folder.

    Attributes:
        rows: (config, split, source) -> rows.
        utterances: (split, source) -> turns of its dialogues.
        licenses: Source -> licences of its rows.
        languages: BCP 47 tags.
        flags: (config, flag) -> rows that carry it.
        files: (config, split) -> shards and bytes.
    """

    rows: Counter[tuple[Config, Split, str]] = field(default_factory=Counter)
    utterances: Counter[tuple[Split, str]] = field(default_factory=Counter)
    licenses: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    languages: set[str] = field(default_factory=set)
    flags: Counter[tuple[Config, str]] = field(default_factory=Counter)
    files: dict[tuple[Config, Split], tuple[int, int]] = field(default_factory=dict)

    @property
    def configs(self) -> dict[Config, list[Split]]:
        """The configs that have rows, with the splits that have."""
        splits = {config: [s for s in SPLITS if (config, s) in self.files] for config in CONFIGS}
        return {config: found for config, found in splits.items() if found}

    @property
    def sources(self) -> list[str]:
        """Sources that have rows, those of dialogues first."""
        return list(dict.fromkeys(source for config in CONFIGS for c, _, source in sorted(self.rows) if c == config))

    def count(self, config: Config, split: Split | None = None, source: str | None = None) -> int:
        """Rows of a config, of one split or source when given."""
        return sum(
            rows
            for (c, s, name), rows in self.rows.items()
            if c == config and split in (None, s) and source in (None, name)
        )


def count_rows(folder: Path) -> Facts:
    """Reads the counted columns of every shard, a row group at a time."""
    facts = Facts()
    for config in CONFIGS:
        for split in SPLITS:
            if shards := sorted((folder / config).glob(f"{split}-*.parquet")):
                facts.files[config, split] = (len(shards), sum(path.stat().st_size for path in shards))
                for shard in shards:
                    _count(facts, config, split, shard)
    return facts


def _count(facts: Facts, config: Config, split: Split, shard: Path) -> None:
    # of the turns one short column is enough
    said = ["turns.list.element.speaker"] if config == "dialogues" else []
    with pq.ParquetFile(shard) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, ["source", "license", "language", "flags", *said])
            turns = pc.list_value_length(rows["turns"]) if said else pa.nulls(len(rows), pa.int32())
            grouped = rows.select(["source", "license", "language"]).append_column("turns", turns)
            counts = grouped.group_by(["source", "license", "language"]).aggregate(
                [([], "count_all"), ("turns", "sum")]
            )
            for found in counts.to_pylist():
                source = found["source"]
                facts.rows[config, split, source] += found["count_all"]
                facts.licenses[source].add(found["license"])
                facts.languages.add(found["language"])
                if said:
                    facts.utterances[split, source] += found["turns_sum"]
            for flag in pc.value_counts(pc.list_flatten(rows["flags"])).to_pylist():
                facts.flags[config, flag["values"]] += flag["counts"]
