"""The three row types of the corpus: the only place that names a column.

Every source is turned into `Dialogue` or `Utterance` objects; `build` derives `Pair` rows from dialogues. `FEATURES`
holds the `datasets.Features` of each of the three configs, and `ARROW_SCHEMAS` the same as arrow schemas with the
metadata that lets `load_dataset` restore those features from parquet alone.

>>> from dataset_builders.schema import FEATURES
>>> list(FEATURES["pairs"])[:4]
['pair_id', 'dialogue_id', 'turn_index', 'source']
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa
from datasets import Features, List, Value

Speaker = Literal["user", "system"]
Config = Literal["dialogues", "pairs", "downstream"]
Split = Literal["train", "validation", "test"]

CONFIGS: tuple[Config, ...] = ("dialogues", "pairs", "downstream")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

ALL = "all"
"""`original_split` of a source that has no official split; `build` then assigns one, seeded, by dialogue."""

_string, _strings = Value("string"), List(Value("string"))

ANNOTATIONS = {
    # what is done in the turn: INFORM(restaurants, city=Paris); a value-less request has no values
    "acts": List({"act": _string, "domain": _string, "slot": _string, "values": _strings}),
    # where a slot value stands in the text: half-open character span, null where the source gives no position
    "slots": List(
        {"domain": _string, "slot": _string, "value": _string, "start": Value("int32"), "end": Value("int32")}
    ),
    # the user's goal as understood so far (belief state), one entry a slot
    "state": List({"domain": _string, "intent": _string, "slot": _string, "values": _strings}),
}

QUALITY = {
    # each from 0 (poor) to 1 (good); see `quality.score`
    "score": Value("float32"),  # product of the parts that are known
    "length": Value("float32"),  # both sides say enough, neither is a wall of text
    "cleanness": Value("float32"),  # free of markup, encoding damage and glued sentences
    "novelty": Value("float32"),  # the answer is not the question again
    "relatedness": Value("float32"),  # cosine of the two sides; null without an encoder
}

TURN = {"speaker": _string, "text": _string, "annotations": ANNOTATIONS}

FEATURES: dict[Config, Features] = {
    "dialogues": Features(
        {
            "dialogue_id": _string,  # "sgd/train/1_00000": unique over the whole corpus
            "source": _string,
            "original_id": _string,
            "original_split": _string,  # as the source names it ("dev", "validate"); "all" where it has none
            "language": _string,  # BCP 47
            "domains": _strings,
            "scenario": _string,  # what the user was asked to do, in the source's words; null where not given
            "turns": List(TURN),
            "empty_turns": Value("int32"),  # turns of the raw dialogue without a visible character, left out of `turns`
            "cluster_id": _string,  # equal for dialogues that are duplicates of each other, over all sources
            "flags": _strings,  # what the quality filters noticed but kept: "glued_sentences", "leak:dialogue", ...
            "license": _string,  # SPDX identifier, or "unknown"
            "redistributable": Value("bool"),
            "source_version": _string,
        }
    ),
    "pairs": Features(
        {
            "pair_id": _string,  # "<dialogue_id>#<turn_index>"
            "dialogue_id": _string,
            "turn_index": Value("int32"),  # index of the anchor in the dialogue's `turns`
            "source": _string,
            "language": _string,
            "domains": _strings,
            "anchor": _string,  # anchor and positive are the first two text columns contrastive trainers expect
            "positive": _string,  # the turn after the anchor
            "anchor_speaker": _string,
            "positive_speaker": _string,
            "context": List({"speaker": _string, "text": _string}),  # turns before the anchor, oldest first
            "answer_id": _string,  # equal for positives that say the same but for case, punctuation and spacing
            "negatives": _strings,  # mined hard negatives: like the positive, yet no answer; empty unless mined
            "pair_type": _string,  # "consecutive" turns, or two utterances of the "same_intent"
            "cluster_id": _string,
            "quality": QUALITY,
            "flags": _strings,
            "license": _string,
            "redistributable": Value("bool"),
        }
    ),
    "downstream": Features(
        {
            "utterance_id": _string,  # "banking77/train/17"
            "source": _string,
            "utterance": _string,
            "label": _string,  # "banking77/card_arrival": a string, so that sources can be merged without relabelling
            "scenario": _string,  # the coarser class (domain) of the label; null where the source has none
            "is_out_of_scope": Value("bool"),
            "language": _string,
            "original_split": _string,
            "flags": _strings,
            "license": _string,
            "redistributable": Value("bool"),
        }
    ),
}

ARROW_SCHEMAS: dict[Config, pa.Schema] = {name: features.arrow_schema for name, features in FEATURES.items()}

DROPS = Features(
    {
        "config": _string,  # the row would have stood in "dialogues", "pairs" or "downstream"
        "row_id": _string,  # its dialogue_id, pair_id or utterance_id
        "dialogue_id": _string,  # null for downstream rows
        "source": _string,
        "split": _string,  # where it would have stood
        "filter": _string,  # which check dropped it: "pair_length", "leak", ...
        "reason": _string,  # in words
        "value": _string,  # the offending value: a number, a text, the id of the other row
        "text": _string,  # beginning of the row's text, for reading
        "license": _string,
        "redistributable": Value("bool"),
    }
)
"""Rows that were left out: `quality/drops.parquet`. Licence columns as everywhere, since they quote the text."""

CLUSTERS = Features(
    {
        "cluster_id": _string,
        "dialogue_id": _string,
        "source": _string,
        "nearest_id": _string,  # the member that it was found equal to; null for the first member
        "similarity": Value("float32"),  # to that member, in [0, 1]
        "kind": _string,  # how: "equal", "jaccard" or "containment"
    }
)
"""Members of every cluster of two or more dialogues: `quality/clusters.parquet`."""


@dataclass(slots=True)
class Turn:
    """One utterance of a dialogue with what the source knows about it.

    Args:
        speaker: `"user"` or `"system"`.
        text: The utterance as the source gives it, trimmed.
        acts: Dicts with the keys of `ANNOTATIONS["acts"]`; likewise `slots` and `state`. See `act`, `span`, `slot`.
    """

    speaker: Speaker
    text: str
    acts: list[dict[str, Any]] = field(default_factory=list)
    slots: list[dict[str, Any]] = field(default_factory=list)
    state: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Dialogue:
    """One dialogue as a source's parser yields it; turns without a visible character are still in it.

    Args:
        id: Unique within the source (the source's name is put before it in `dialogue_id`).
        split: The source's own name of the split, or `ALL`.
        turns: In the order spoken.
        original_id: The identifier in the raw file; `id` when not given.
        language: BCP 47 tag; the source's first language when not given.
        domains: Domains or services the dialogue is about.
        scenario: What the user was asked to do.
    """

    id: str
    split: str
    turns: list[Turn]
    original_id: str | None = None
    language: str | None = None
    domains: list[str] = field(default_factory=list)
    scenario: str | None = None


@dataclass(slots=True)
class Utterance:
    """One labelled utterance of an intent set as a source's parser yields it.

    Args:
        id: Unique within the source and split.
        split: The source's own name of the split, or `ALL`.
        text: The utterance.
        label: The intent without the source's name.
        scenario: The coarser class of the intent.
        is_out_of_scope: True where the utterance belongs to none of the intents.
        language: BCP 47 tag; the source's first language when not given.
    """

    id: str
    split: str
    text: str
    label: str
    scenario: str | None = None
    is_out_of_scope: bool = False
    language: str | None = None


def act(
    act: str, domain: str | None = None, slot: str | None = None, values: list[str] | None = None
) -> dict[str, Any]:
    """An entry of `Turn.acts`."""
    return {"act": act, "domain": domain, "slot": slot, "values": values or []}


def span(
    slot: str, value: str | None, start: int | None = None, end: int | None = None, domain: str | None = None
) -> dict[str, Any]:
    """An entry of `Turn.slots`: characters `start` to `end` (exclusive) of the text hold `value`."""
    return {"domain": domain, "slot": slot, "value": value, "start": start, "end": end}


def state(
    slot: str | None, values: list[str] | None = None, domain: str | None = None, intent: str | None = None
) -> dict[str, Any]:
    """An entry of `Turn.state`: the goal holds `values` for `slot`."""
    return {"domain": domain, "intent": intent, "slot": slot, "values": values or []}
