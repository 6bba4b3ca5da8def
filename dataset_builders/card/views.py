"""The configs of a dataset folder: the rows as they are stored, and views of them that trainers take as they are.

A view is an entry of `configs:` in the card, with columns and filters: `load_dataset` reads its rows from the same
parquet files. `load_dataset(..., columns=[...], filters=[...])` replaces those of a view.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from dataset_builders.card.facts import CHAT, Facts
from dataset_builders.schema import SPLITS, Config, Split

PAIRS, TRIPLETS, MESSAGES = "pairs", "triplets", "messages"
"""Names of views; the others are those of the intent sets."""

STORED: dict[Config, str] = {"pairs": "pairs-full", "dialogues": "dialogues", "downstream": "downstream"}
"""Names of the configs with all columns, by the folder of their files."""

_RESERVED = (PAIRS, TRIPLETS, MESSAGES, *STORED.values(), "default")
"""Names that an intent set of a user's own data must not take; `datasets` loads `default` by default."""


@dataclass(frozen=True)
class View:
    """A config of the card.

    Attributes:
        name: Name of the config.
        meaning: What a row is.
        stored: Folder of its parquet files.
        rows: Number of rows of each split that has any.
        columns: Columns of the view; None for all.
        filters: Conditions (column, operator, value) that its rows meet.
        labels: Names of the classes if the view has a column `label` or `labels`; the parquet files hold the names.
    """

    name: str
    meaning: str
    stored: Config
    rows: dict[Split, int]
    columns: tuple[str, ...] | None = None
    filters: tuple[tuple[str, str, Any], ...] = ()
    labels: tuple[str, ...] = ()

    def config(self, description: str) -> dict[str, Any]:
        """The entry in `configs:` of the card."""
        return {
            "config_name": self.name,
            "description": description,
            **({"columns": list(self.columns)} if self.columns else {}),
            **({"filters": [list(condition) for condition in self.filters]} if self.filters else {}),
            "data_files": [{"split": split, "path": f"{self.stored}/{split}-*.parquet"} for split in self.rows],
        }

    def dataset_info(self) -> dict[str, Any]:
        """The entry in `dataset_info:` of the card; empty if the parquet files say all about the columns."""
        if not self.labels:
            return {}
        names = {str(number): name for number, name in enumerate(self.labels)}
        classes = {"class_label": {"names": names}}
        types = {"label": {"dtype": classes}, "labels": {"list": classes}}
        features = [{"name": name, **types.get(name, {"dtype": "string"})} for name in self.columns or ()]
        return {"config_name": self.name, "features": features}


def default_view(names: Collection[str]) -> str:
    """The config that `load_dataset` takes if none is named."""
    return next(name for name in (PAIRS, "downstream", "dialogues") if name in names)


def views(facts: Facts) -> list[View]:
    """The configs of a folder with these rows: the views that a trainer takes first, then the rows as stored."""
    rows = {config: _rows(facts, config) for config in facts.configs}
    negatives = {split: count for split in SPLITS if (count := facts.negatives[split])}
    chats = {split: count for split in SPLITS if (count := facts.chats[split])}
    result = []
    if "pairs" in rows:
        result.append(View(PAIRS, "a turn and the one after it", "pairs", rows["pairs"], ("anchor", "positive")))
    if negatives:
        meaning, is_mined = "a pair and its hardest mined negative", ("negative", "!=", "")  # null is not, either
        columns: tuple[str, ...] = ("anchor", "positive", "negative")
        result.append(View(TRIPLETS, meaning, "pairs", negatives, columns, (is_mined,)))
    if chats:
        meaning, is_chat = "a dialogue as messages of a chat", ("message_count", ">=", CHAT)
        columns = ("dialogue_id", "source", "language", "messages", "license")
        result.append(View(MESSAGES, meaning, "dialogues", chats, columns, (is_chat,)))
    result += _intent_sets(facts)
    stored: dict[Config, str] = {
        "pairs": "a pair with context, ids, quality scores and licence",
        "dialogues": "a whole dialogue with speakers, acts, slots and state",
        "downstream": "an utterance of any intent set, with its label as a string",
    }
    result += [View(STORED[config], text, config, rows[config]) for config, text in stored.items() if config in rows]
    return result


def _intent_sets(facts: Facts) -> Iterator[View]:
    for source, labels in sorted(facts.labels.items()):
        name = f"{source}-intents" if source in _RESERVED else source
        several = ("language",) if len(facts.intent_languages[source]) > 1 else ()
        is_multi = source in facts.several
        yield View(
            name=name,
            meaning="an utterance and the classes of its intents"
            if is_multi
            else "an utterance and the class of its intent",
            stored="downstream",
            rows=_rows(facts, "downstream", source),
            columns=("utterance", "labels" if is_multi else "label", *several),
            filters=(("source", "==", source),),
            labels=tuple(sorted(facts.intents[source] if is_multi else labels)),
        )


def _rows(facts: Facts, config: Config, source: str | None = None) -> dict[Split, int]:
    counts = {split: facts.count(config, split, source) for split in SPLITS}
    return {split: count for split, count in counts.items() if count}
