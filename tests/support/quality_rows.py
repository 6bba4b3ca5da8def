"""Invented rows for the tests of the quality checks."""

import pyarrow as pa

from dataset_builders.schema import ARROW_SCHEMAS
from dataset_builders.text.normalize import text_ids

_LICENSE = {"license": "CC-BY-4.0", "redistributable": True}


def turn(text, speaker="user", slots=(), acts=()):
    return {"speaker": speaker, "text": text, "annotations": {"acts": list(acts), "slots": list(slots), "state": []}}


def dialogues(*turn_lists, language="en", flags=()):
    """Make dialogues from lists of turns or of texts; the user speaks first."""
    rows = []
    for number, items in enumerate(turn_lists):
        turns = [turn(t, ("user", "system")[i % 2]) if isinstance(t, str) else t for i, t in enumerate(items)]
        rows.append(
            {
                "dialogue_id": f"shop/{number}",
                "source": "shop",
                "original_id": str(number),
                "original_split": "train",
                "language": language,
                "domains": ["tea"],
                "scenario": None,
                "turns": turns,
                "empty_turns": 0,
                "cluster_id": f"c{number}",
                "flags": list(flags),
                "source_version": "1",
                **_LICENSE,
            }
        )
    return pa.Table.from_pylist(rows, schema=ARROW_SCHEMAS["dialogues"])


def pairs(*texts, language="en", speakers=("user", "system"), context=(), flags=()):
    """Make pairs from (anchor, positive)."""
    rows = []
    for number, (anchor, positive) in enumerate(texts):
        rows.append(
            {
                "pair_id": f"shop/{number}#0",
                "dialogue_id": f"shop/{number}",
                "turn_index": 0,
                "source": "shop",
                "language": language,
                "domains": ["tea"],
                "anchor": anchor,
                "positive": positive,
                "anchor_speaker": speakers[0],
                "positive_speaker": speakers[1],
                "context": [{"speaker": s, "text": t} for s, t in context],
                "answer_id": text_ids(pa.array([positive]))[0],
                "negatives": [],
                "pair_type": "consecutive",
                "cluster_id": f"c{number}",
                "quality": None,
                "flags": list(flags),
                **_LICENSE,
            }
        )
    return pa.Table.from_pylist(rows, schema=ARROW_SCHEMAS["pairs"])


def utterances(*texts, labels=None, language="en", flags=()):
    rows = []
    for number, text in enumerate(texts):
        rows.append(
            {
                "utterance_id": f"shop/train/{number}",
                "source": "shop",
                "utterance": text,
                "label": f"shop/{labels[number] if labels else 'order'}",
                "scenario": None,
                "is_out_of_scope": False,
                "language": language,
                "original_split": "train",
                "flags": list(flags),
                **_LICENSE,
            }
        )
    return pa.Table.from_pylist(rows, schema=ARROW_SCHEMAS["downstream"])
