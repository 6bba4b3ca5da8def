"""Facts about a dataset folder, counted from its rows: the card's only source of their numbers and licences."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dataset_builders.common.listing import list_files
from dataset_builders.schema import CONFIGS, SPLITS, Config, Split

CHAT = 2
"""Number of messages of the shortest chat: a question and its answer."""


@dataclass
class Facts:
    """Counts over the rows of a dataset folder.

    Attributes:
        rows: Number of rows of each (config, split, source).
        utterances: Number of turns in the dialogues of each (split, source).
        licenses: Licences of the rows of each source.
        languages: BCP 47 tags of the rows.
        flags: Number of rows with each (config, flag).
        chats: Number of dialogues of each split with at least `CHAT` messages.
        negatives: Number of pairs of each split with a mined negative.
        labels: Labels of each intent set, where several intents of a row are one label.
        intents: The same one by one.
        several: Intent sets with rows that have several intents, or none.
        intent_languages: BCP 47 tags of the rows of each intent set.
        files: Number of shards and of bytes of each (config, split).
    """

    rows: Counter[tuple[Config, Split, str]] = field(default_factory=Counter)
    utterances: Counter[tuple[Split, str]] = field(default_factory=Counter)
    licenses: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    languages: set[str] = field(default_factory=set)
    flags: Counter[tuple[Config, str]] = field(default_factory=Counter)
    chats: Counter[Split] = field(default_factory=Counter)
    negatives: Counter[Split] = field(default_factory=Counter)
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    intents: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    several: set[str] = field(default_factory=set)
    intent_languages: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    files: dict[tuple[Config, Split], tuple[int, int]] = field(default_factory=dict)

    @property
    def configs(self) -> dict[Config, list[Split]]:
        """Configs with files, and the splits of each that have files."""
        by_config = {config: [split for split in SPLITS if (config, split) in self.files] for config in CONFIGS}
        return {config: splits for config, splits in by_config.items() if splits}

    @property
    def sources(self) -> list[str]:
        """Sources with rows, dialogue sources first."""
        return list(dict.fromkeys(source for config in CONFIGS for c, _, source in sorted(self.rows) if c == config))

    def count(self, config: Config, split: Split | None = None, source: str | None = None) -> int:
        """Number of rows of a config, optionally of one split or source only."""
        return sum(
            rows
            for (c, s, name), rows in self.rows.items()
            if c == config and split in (None, s) and source in (None, name)
        )


def count_rows(folder: Path) -> Facts:
    """Count the rows of a folder, reading the necessary columns of each shard by row groups."""
    facts = Facts()
    for config in CONFIGS:
        for split in SPLITS:
            if shards := list_files(folder / config, f"{split}-*.parquet"):
                facts.files[config, split] = (len(shards), sum(path.stat().st_size for path in shards))
                for shard in shards:
                    _count(facts, config, split, shard)
    return facts


_EXTRA: dict[Config, list[str]] = {
    # the shortest column of the turns is enough to count them
    "dialogues": ["turns.list.element.speaker", "message_count"],
    "pairs": ["negative"],
    "downstream": ["label", "labels"],
}
"""The columns that only the counts of one config need."""


_UNKNOWN = {"source": "unknown", "license": "unknown", "language": "und"}


def _count(facts: Facts, config: Config, split: Split, shard: Path) -> None:
    keys = ["source", "license", "language"]
    with pq.ParquetFile(shard) as file:
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, [*keys, "flags", *_EXTRA[config]])
            named = rows.filter(rows["source"].is_valid())  # a view selects rows by the name of their source
            for key, value in _UNKNOWN.items():  # rows of other programs may lack them
                rows = rows.set_column(rows.column_names.index(key), key, pc.fill_null(rows[key], value))
            dialogues = config == "dialogues"
            lengths = pc.list_value_length(rows["turns"]) if dialogues else pa.nulls(len(rows), pa.int32())
            turns = pc.fill_null(lengths, 0)  # rows of other programs may lack their turns
            table = rows.select(keys).append_column("turns", turns)
            for counts in table.group_by(keys).aggregate([([], "count_all"), ("turns", "sum")]).to_pylist():
                source = counts["source"]
                facts.rows[config, split, source] += counts["count_all"]
                facts.licenses[source].add(counts["license"])
                facts.languages.add(counts["language"])
                if dialogues:
                    facts.utterances[split, source] += counts["turns_sum"]
                if config == "downstream":
                    facts.intent_languages[source].add(counts["language"])
            for flag in pc.value_counts(pc.list_flatten(rows["flags"]).drop_null()).to_pylist():
                facts.flags[config, flag["values"]] += flag["counts"]
            if dialogues:
                facts.chats[split] += pc.sum(pc.greater_equal(rows["message_count"], CHAT)).as_py() or 0
            if config == "pairs":
                facts.negatives[split] += len(rows) - rows["negative"].null_count
            if config == "downstream":
                _count_intents(facts, named)


def _count_intents(facts: Facts, rows: pa.Table) -> None:
    for row in rows.group_by(["source", "label"]).aggregate([]).to_pylist():
        facts.labels[row["source"]].update({row["label"]} - {None})
    if "labels" in rows.column_names:  # a folder of an older version lacks them
        lists, sources = rows["labels"].combine_chunks(), rows["source"].combine_chunks()
        is_one = pc.equal(pc.fill_null(pc.list_value_length(lists), 1), 1)
        facts.several.update(sources.filter(pc.invert(is_one)).unique().to_pylist())
        of_intents = sources.take(pc.list_parent_indices(lists))
        intents = pa.table({"source": of_intents, "intent": pc.list_flatten(lists)})
        for row in intents.group_by(["source", "intent"]).aggregate([]).to_pylist():
            facts.intents[row["source"]].update({row["intent"]} - {None})
