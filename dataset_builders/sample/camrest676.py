"""Write CamRest676 in its published form: one file, user and system text in one entry, no official split."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from dataset_builders.sample.dialogue import Conversation, Turn, converse
from dataset_builders.sample.files import Variants, count_dialogues, write_json
from dataset_builders.sample.world import RESTAURANT_SEARCH

_DIALOGUES = 136
_SLOT = {"price": "pricerange"}
_WORDS = {"phone": "phone number", "pricerange": "price range", "food": "kind of food"}


def write(folder: Path, seed: int) -> Variants:
    """Write `CamRest676.json` to a folder."""
    rng = Random(f"{seed} camrest676")
    talks = [converse(rng, seed, RESTAURANT_SEARCH) for _ in range(_DIALOGUES)]
    write_json(folder / "CamRest676.json", [_record(talk, number, rng) for number, talk in enumerate(talks)])
    return {"default": {"all": count_dialogues([(t.speaker, t.text) for t in talk.turns] for talk in talks)}}


def _record(talk: Conversation, number: int, rng: Random) -> dict[str, Any]:
    turns = talk.turns
    requested = [_SLOT.get(s, s) for turn in turns for s in turn.requested.get("restaurant", [])]
    constraints = _pairs(turns[-1].state["restaurant"])
    wishes = ", ".join(f"{slot} {value}" for slot, value in constraints)
    questions = ", ".join(dict.fromkeys(_WORDS.get(slot, slot) for slot in requested)) or "name"
    return {
        "dialogue_id": number,
        "finished": rng.random() > 0.04,
        "goal": {
            "constraints": constraints,
            "request-slots": list(dict.fromkeys(requested)),
            "text": f"Task {11000 + number}: Find a restaurant ({wishes}). Then ask for: {questions}.",
        },
        "dial": [
            {
                "turn": i // 2,
                "usr": {"transcript": turns[i].text, "slu": _slu(turns[i])},
                "sys": {
                    "sent": turns[i + 1].text,
                    "DA": [_SLOT.get(a.slot, a.slot) for a in turns[i + 1].acts if a.name == "request" and a.slot],
                },
            }
            for i in range(0, len(turns), 2)
        ],
    }


def _slu(turn: Turn) -> list[dict[str, Any]]:
    """The requests of this turn, and all constraints so far."""
    requested = [["slot", _SLOT.get(slot, slot)] for slot in turn.requested.get("restaurant", [])]
    return [
        *({"act": "request", "slots": [pair]} for pair in requested),
        *({"act": "inform", "slots": [pair]} for pair in _pairs(turn.state.get("restaurant", {}))),
    ]


def _pairs(state: dict[str, str]) -> list[list[str]]:
    return [[_SLOT.get(slot, slot), value.lower()] for slot, value in state.items()]
