"""What a dataset folder holds, counted from its rows: the card states nothing else about their number or licence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders.schema import CONFIGS, SPLITS, Config, Split

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


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
    """Reads the counted columns of every shard; DuckDB spills what does not fit in memory."""
    import duckdb

    facts = Facts()
    with duckdb.connect() as database:
        for config in CONFIGS:
            for split in SPLITS:
                if shards := sorted((folder / config).glob(f"{split}-*.parquet")):
                    facts.files[config, split] = (len(shards), sum(path.stat().st_size for path in shards))
                    _count(database, facts, config, split, shards)
    return facts


def _count(database: DuckDBPyConnection, facts: Facts, config: Config, split: Split, shards: Iterable[Path]) -> None:
    said = "sum(len(turns))" if config == "dialogues" else "0"
    rows = database.read_parquet([str(path) for path in shards])
    for source, license, language, count, utterances in rows.aggregate(
        f"source, license, language, count(*), {said}"
    ).fetchall():
        facts.rows[config, split, source] += count
        facts.licenses[source].add(license)
        facts.languages.add(language)
        if config == "dialogues":
            facts.utterances[split, source] += int(utterances)
    for flag, count in rows.select("unnest(flags) AS flag").aggregate("flag, count(*)").fetchall():
        facts.flags[config, flag] += count
