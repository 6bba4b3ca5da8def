"""Write WOZ 2.0 in its published form: the same dialogues in three languages.

As in the published files, only the user's turns are translated and the system always speaks English. The system text of
an entry comes before its user text, so a dialogue starts and ends with the user. A few German user texts are empty.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from dataset_builders.sample.dialogue import Conversation, converse, say_pieces
from dataset_builders.sample.files import Variants, count_dialogues, write_json
from dataset_builders.sample.grammar import Phrases, load_phrases
from dataset_builders.sample.world import RESTAURANT_SEARCH

_SIZES = {"train": 100, "validate": 30, "test": 50}
_EMPTY_IN_GERMAN = {(7, 0), (8, 0), (21, 1), (22, 0)}  # (dialogue_idx, turn_idx)


def write(folder: Path, seed: int) -> Variants:
    """Write `woz_<split>_<language>.json` to a folder."""
    rng, counts, first = Random(f"{seed} woz"), Variants(), 0
    for split, size in _SIZES.items():
        talks = [converse(rng, seed, RESTAURANT_SEARCH) for _ in range(size)]
        for language in ("en", "de", "it"):
            words = Random(f"{seed} woz {split} {language}")
            records: list[dict[str, Any]] = [
                {"dialogue_idx": first + i, "dialogue": _entries(talk, language, first + i, words)}
                for i, talk in enumerate(talks)
            ]
            write_json(folder / f"woz_{split}_{language}.json", records)
            counts.setdefault(language, {})[split] = count_dialogues(
                [
                    pair
                    for e in record["dialogue"]
                    for pair in (("system", e["system_transcript"]), ("user", e["transcript"]))
                ]
                for record in records
            )
        first += size
    return counts


def _entries(talk: Conversation, language: str, index: int, rng: Random) -> list[dict[str, Any]]:
    """One entry per user turn; this format omits the last turn of the system."""
    phrases = load_phrases(f"woz_{language}", *(["restaurant", "general"] if language == "en" else []))
    entries = []
    for number, turn in enumerate(talk.turns[::2]):
        text = turn.text
        if language != "en":
            text = " ".join(s.text for s in say_pieces(rng, [(phrases, "user", piece) for _, piece in turn.pieces]))
        if language == "de" and (index, number) in _EMPTY_IN_GERMAN:
            text = ""
        before = talk.turns[2 * number - 1] if number else None
        requested = [phrases.table("label slot")[slot] for slot in turn.requested.get("restaurant", [])]
        informed = [
            _label(phrases, act.slot, act.value or "dontcare")
            for act in turn.acts
            if act.slot and act.name != "request"
        ]
        state = [_label(phrases, slot, value) for slot, value in turn.state.get("restaurant", {}).items()]
        entries.append(
            {
                "turn_label": [*(["request", slot] for slot in requested), *informed],
                "asr": [[text, 1.0]],
                "system_transcript": before.text if before else "",
                "turn_idx": number,
                "belief_state": [
                    *({"slots": [["slot", slot]], "act": "request"} for slot in requested),
                    *({"slots": [pair], "act": "inform"} for pair in state),
                ],
                "transcript": text,
                "system_acts": [
                    phrases.table("label slot")[act.slot]
                    for act in (before.acts if before else [])
                    if act.name == "request" and act.slot
                ],
            }
        )
    return entries


def _label(phrases: Phrases, slot: str, value: str) -> list[str]:
    """Slot and value as in the annotations of this language."""
    values = {**phrases.table(f"label {slot}"), **phrases.table("label any")}
    return [phrases.table("label slot")[slot], values.get(value, value.lower())]
