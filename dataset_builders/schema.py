"""Schema of the corpus: the columns of its three configs, defined nowhere else.

Sources yield `Dialogue` or `Utterance` objects, and the build derives pairs from the dialogues. `FEATURES` holds the
`datasets.Features` of each config. `ARROW_SCHEMAS` holds the same as arrow schemas, with the metadata from which
`load_dataset` restores the features of a parquet file.

>>> from dataset_builders.schema import FEATURES
>>> list(FEATURES["pairs"])[:4]
['pair_id', 'dialogue_id', 'turn_index', 'source']
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
from datasets import Features, List, Value

from dataset_builders.common.choices import SPLITS as SPLITS
from dataset_builders.common.choices import Origin as Origin
from dataset_builders.common.choices import Split as Split

Speaker = Literal["user", "system"]
Config = Literal["dialogues", "pairs", "downstream"]

CONFIGS: tuple[Config, ...] = ("dialogues", "pairs", "downstream")

ALL = "all"
"""`original_split` of a source without official splits; the build then assigns seeded splits by dialogue."""

_string, _strings = Value("string"), List(Value("string"))

ORIGINS: dict[Origin, str] = {
    "human": "people wrote or said it",
    "machine": "a model wrote or translated a part of it",
    "template": "made by a grammar or from templates",
}
# the columns common_* hold the same in words that all sources share, by the source's table of terms
_DOMAIN, _SLOT = {"common_domain": _string}, {"common_slot": _string}

ANNOTATIONS = {
    # dialogue acts, such as INFORM(restaurants, city=Paris); a request without a value has no values
    "acts": List(
        {"act": _string, "domain": _string, "slot": _string, "values": _strings, "common_act": _string}
        | _DOMAIN
        | _SLOT
    ),
    # slot values in the text, as half-open character spans; null if the source gives no position
    "slots": List(
        {"domain": _string, "slot": _string, "value": _string, "start": Value("int32"), "end": Value("int32")}
        | _DOMAIN
        | _SLOT
    ),
    # the user's goal so far (belief state), one entry per slot
    "state": List({"domain": _string, "intent": _string, "slot": _string, "values": _strings} | _DOMAIN | _SLOT),
}

QUALITY = {name: Value("float32") for name in ("score", "length", "cleanness", "novelty", "relatedness")}

TURN = {"speaker": _string, "text": _string, "annotations": ANNOTATIONS, "speaker_id": _string}

MESSAGE = {"role": _string, "content": _string}

_IDENTITY: dict[str, tuple[Any, str]] = {
    "flags": (_strings, "what the quality filters noticed but kept: `glued_sentences`, `leak:dialogue`, ..."),
    "license": (_string, "licence of the source: an SPDX identifier, `LicenseRef-...`, or `unknown`"),
    "redistributable": (Value("bool"), "that licence lets the row be passed on"),
}
_METADATA: dict[str, tuple[Any, str]] = {
    "metadata": (_string, "the other columns of a user's own data, as a JSON object; null where there are none")
}
_SOURCE: dict[str, tuple[Any, str]] = {"source": (_string, "short name of the corpus")}
_LANGUAGE: dict[str, tuple[Any, str]] = {"language": (_string, "BCP 47 tag: `en`, `ru-RU`")}
_DOMAINS: dict[str, tuple[Any, str]] = {"domains": (_strings, "domains or services that the dialogue is about")}
_PARALLEL: dict[str, tuple[Any, str]] = {
    "parallel_id": (_string, "equal for translations of each other, in all sources; null where there is none")
}
_ORIGIN: dict[str, tuple[Any, str]] = {
    "origin": (_string, "; ".join(f"`{name}`: {meaning}" for name, meaning in ORIGINS.items()) + "; null if unknown")
}
_SPLIT: dict[str, tuple[Any, str]] = {
    "original_split": (_string, "split as the source names it (`dev`, `validate`); `all` where it has none")
}
_CLUSTER: dict[str, tuple[Any, str]] = {
    "cluster_id": (_string, "equal for dialogues that are duplicates of each other, over all sources")
}

COLUMNS: dict[Config, dict[str, tuple[Any, str]]] = {
    "dialogues": {
        "dialogue_id": (_string, "unique over the whole corpus: `sgd/train/1_00000`"),
        **_SOURCE,
        "original_id": (_string, "identifier in the raw file"),
        **_SPLIT,
        **_LANGUAGE,
        **_DOMAINS,
        "common_domains": (_strings, "the domains in words that all sources share"),
        "scenario": (_string, "what the user was asked to do, in the source's words; null where not given"),
        "turns": (
            List(TURN),
            "in the order spoken: `speaker` (`user` or `system`), `text`, and `annotations` as the source gives them: "
            "`acts` (what is done: act, domain, slot, values), `slots` (where a value stands: half-open character span "
            "`start` to `end`, null where the source gives none), `state` (the user's goal so far, an entry a slot); "
            "their `common_act`, `common_domain` and `common_slot` are the same in words that all sources share; "
            "`speaker_id` tells more than two speakers apart, null where the source has two",
        ),
        "messages": (
            List(MESSAGE),
            "the turns as chat templates expect them: `role` (`user`, or `assistant` for the system), `content`; roles "
            "alternate from `user` on, so turns of one speaker in a row are one message, a line each, and system turns "
            "before the user's first are left out; empty if the user says nothing",
        ),
        "message_count": (Value("int32"), "number of messages; a question with its answer are two"),
        "empty_turns": (Value("int32"), "turns of the raw dialogue without a visible character, left out of `turns`"),
        **_CLUSTER,
        **_PARALLEL,
        **_ORIGIN,
        **_METADATA,
        **_IDENTITY,
        "source_version": (_string, "release of the source"),
    },
    "pairs": {
        "pair_id": (_string, "`<dialogue_id>#<turn_index>`"),
        "dialogue_id": (_string, "dialogue that the pair was taken from"),
        "turn_index": (Value("int32"), "place of the anchor in the dialogue's `turns`, from 0"),
        **_SOURCE,
        **_LANGUAGE,
        **_DOMAINS,
        # contrastive trainers expect these names and this order
        "anchor": (_string, "a turn"),
        "positive": (_string, "the turn after it"),
        "anchor_speaker": (_string, "`user` or `system`"),
        "positive_speaker": (_string, "`user` or `system`"),
        "context": (List({"speaker": _string, "text": _string}), "turns before the anchor, oldest first"),
        "answer_id": (_string, "equal for positives that say the same but for case, punctuation and spacing"),
        "negatives": (_strings, "mined hard negatives: like the positive, yet no answer; empty unless mined"),
        "negative": (_string, "the hardest of the negatives, for trainers of triplets; null if there is none"),
        "pair_type": (_string, "`consecutive` turns, or two utterances of the `same_intent`"),
        **_CLUSTER,
        "quality": (
            QUALITY,
            "from 0 (poor) to 1 (good): `score` is the product of the known ones of `length` (both sides say enough, "
            "neither is a wall of text), `cleanness` (no markup, encoding damage, glued sentences), `novelty` (the "
            "answer is not the question again) and `relatedness` (cosine of the two sides; null without an encoder)",
        ),
        "parallel_id": (_string, "equal for translations of the anchor, `<parallel_id of the dialogue>#<turn_index>`"),
        **_ORIGIN,
        **_METADATA,
        **_IDENTITY,
    },
    "downstream": {
        "utterance_id": (_string, "unique over the whole corpus: `banking77/train/17`"),
        **_SOURCE,
        "utterance": (_string, "what the user says"),
        # a string rather than a class number, so that sources can be merged without relabelling
        "label": (
            _string,
            "intent, with the source before it: `banking77/card_arrival`; several are joined: `nlupp/card+lost`",
        ),
        "labels": (_strings, "the intents one by one, with the source before each; one for most sources"),
        "scenario": (_string, "coarser class (domain) of the label; null where the source has none"),
        "is_out_of_scope": (Value("bool"), "the utterance belongs to none of the intents"),
        **_LANGUAGE,
        **_SPLIT,
        **_PARALLEL,
        **_ORIGIN,
        **_METADATA,
        **_IDENTITY,
    },
}
"""Config -> column -> (feature, meaning); the dataset card prints the meanings."""

FEATURES: dict[Config, Features] = {
    config: Features({name: feature for name, (feature, _) in columns.items()}) for config, columns in COLUMNS.items()
}

ARROW_SCHEMAS: dict[Config, pa.Schema] = {name: features.arrow_schema for name, features in FEATURES.items()}

ADDED = ("metadata", "parallel_id", "origin", "common_domains", "labels", "messages", "message_count", "negative")
"""Columns that a dataset folder of an older version lacks; there, they are null."""

NESTED = ("turns",)
"""Columns that have fewer fields in a dataset folder of an older version."""

CHANGES = {
    5: "new columns `parallel_id`, `origin`, `common_domains` and `labels`, `speaker_id` in the turns, `common_act`, "
    "`common_domain` and `common_slot` in their annotations; `label` joins several labels with `+`",
    4: "new column `metadata`",
    3: "new columns `messages`, `message_count` and `negative`",
}
"""What is new in each version of the schema (`folder.layout.FORMAT`). Older folders stay readable, with nulls there."""

DROPS = Features(
    {
        "config": _string,  # config of the row: "dialogues", "pairs" or "downstream"
        "row_id": _string,  # its dialogue_id, pair_id or utterance_id
        "dialogue_id": _string,  # null for downstream rows
        "source": _string,
        "split": _string,  # split that the row would be in
        "filter": _string,  # check that dropped it: "pair_length", "leak", ...
        "reason": _string,  # reason in words
        "value": _string,  # offending value: a number, a text, the id of another row
        "text": _string,  # beginning of the row's text, for reading
        "license": _string,
        "redistributable": Value("bool"),
    }
)
"""Dropped rows, `quality/drops.parquet`. They have licence columns like all rows, since they quote the text."""

CLUSTERS = Features(
    {
        "cluster_id": _string,
        "dialogue_id": _string,
        "source": _string,
        "nearest_id": _string,  # member that matches it best; null for the first member
        "similarity": Value("float32"),  # similarity to that member, in [0, 1]
        "kind": _string,  # kind of the match: "equal", "jaccard" or "containment"
    }
)
"""Members of every cluster of two or more dialogues: `quality/clusters.parquet`."""


@dataclass(slots=True)
class Turn:
    """A turn of a dialogue with its annotations.

    Args:
        speaker: `"user"` or `"system"`.
        text: Utterance in the words of the source; the builder trims it.
        acts: Dialogue acts, made by `act`.
        slots: Slot values in the text, made by `span`.
        state: Belief state, made by `state`.
        speaker_id: Who says it among more than two speakers, never a name of a real person; None with two speakers.
    """

    speaker: Speaker
    text: str
    acts: list[dict[str, Any]] = field(default_factory=list)
    slots: list[dict[str, Any]] = field(default_factory=list)
    state: list[dict[str, Any]] = field(default_factory=list)
    speaker_id: str | None = None


@dataclass(slots=True)
class Dialogue:
    """A dialogue as yielded by a parser, including turns without a visible character.

    Args:
        id: Id, unique within the source; `dialogue_id` puts the source's name before it.
        split: The source's own name of the split, or `ALL`.
        turns: Turns in the order spoken.
        original_id: Id in the raw file; None for `id`.
        language: BCP 47 tag; None for the source's first language.
        domains: Domains or services of the dialogue.
        scenario: Instructions to the user, in the source's words.
        parallel_id: Equal for translations of each other, unique over all sources; None if there are none.
        origin: Who wrote the text; None for the source's `origin`.
        metadata: Other columns of a user's own data, a JSON object; None if there are none.
    """

    id: str
    split: str
    turns: list[Turn]
    original_id: str | None = None
    language: str | None = None
    domains: list[str] = field(default_factory=list)
    scenario: str | None = None
    parallel_id: str | None = None
    origin: Origin | None = None
    metadata: str | None = None


@dataclass(slots=True)
class Utterance:
    """A labelled utterance of an intent set as yielded by a parser.

    Args:
        id: Id, unique within the source and split.
        split: The source's own name of the split, or `ALL`.
        text: The utterance.
        label: Intent, without the source's name; a list for a source where an utterance has several, or none.
        scenario: Coarser class of the intent.
        is_out_of_scope: Whether the utterance belongs to none of the intents.
        language: BCP 47 tag; None for the source's first language.
        parallel_id: Equal for translations of each other, unique over all sources; None if there are none.
        origin: Who wrote the text; None for the source's `origin`.
        metadata: Other columns of a user's own data, a JSON object; None if there are none.
    """

    id: str
    split: str
    text: str
    label: str | list[str]
    scenario: str | None = None
    is_out_of_scope: bool = False
    language: str | None = None
    parallel_id: str | None = None
    origin: Origin | None = None
    metadata: str | None = None


def act(
    act: str, domain: str | None = None, slot: str | None = None, values: list[str] | None = None
) -> dict[str, Any]:
    """Make an entry of `Turn.acts`."""
    return {"act": act, "domain": domain, "slot": slot, "values": values or []}


def span(
    slot: str, value: str | None, start: int | None = None, end: int | None = None, domain: str | None = None
) -> dict[str, Any]:
    """Make an entry of `Turn.slots`: the text has `value` in the characters from `start` to `end` (exclusive)."""
    return {"domain": domain, "slot": slot, "value": value, "start": start, "end": end}


def state(
    slot: str | None, values: list[str] | None = None, domain: str | None = None, intent: str | None = None
) -> dict[str, Any]:
    """Make an entry of `Turn.state`: the user's goal has `values` for `slot`."""
    return {"domain": domain, "intent": intent, "slot": slot, "values": values or []}
