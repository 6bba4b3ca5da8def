"""A dataset folder with invented annotated dialogues in two languages, and labelled utterances."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builders.schema import ARROW_SCHEMAS

PLACES = ("harbour", "castle", "market", "station", "museum", "bridge")
FOODS = ("soup", "bread", "cheese", "tea", "cake", "fish")
GREETINGS = ("Hello there", "Good morning", "Hi, welcome", "Good evening to you", "Welcome back", "Hello again")


def act(name: str, slot: str | None = None, domain: str = "restaurant", common_slot: str | None = None) -> dict:
    """Make an entry of `acts`, with the source's words in capitals."""
    common = {"common_act": name, "common_domain": domain, "common_slot": common_slot or slot}
    return {"act": name.upper(), "domain": domain.title(), "slot": slot, "values": [], **common}


def turn(
    speaker: str, text: str, acts: tuple[dict, ...] = (), value: str | None = None, slot: str | None = None
) -> dict:
    """Make an entry of `turns`; `value` is marked in the text as a value of `slot`."""
    slots = []
    if value is not None:
        start = text.index(value)
        place = {"value": value, "start": start, "end": start + len(value)}
        slots = [{"domain": "Restaurant", "slot": slot, **place, "common_domain": "restaurant", "common_slot": slot}]
    annotations = {"acts": list(acts), "slots": slots, "state": []}
    return {"speaker": speaker, "text": text, "annotations": annotations, "speaker_id": None}


def dialogues() -> list[dict]:
    """Make 24 dialogues: 12 English ones of a restaurant, 6 of a bus, and German translations of 6."""
    rows = []
    for n, (place, food) in enumerate(zip(PLACES * 2, (*FOODS, *reversed(FOODS)), strict=True)):
        wish = turn(
            "user", f"I want {food} near the {place}", (act("inform", "food"), act("inform", "area")), place, "area"
        )
        offer = turn("system", f"The {place} inn has {food}", (act("offer", "name"),))
        close = turn("user", f"Thanks, {food} it is", (act("affirm"), act("thank")))
        rows.append(
            _row(n, "inns", "en", "restaurant", [turn("system", GREETINGS[n % 6], (act("greet"),)), wish, offer, close])
        )
    for n, place in enumerate(PLACES):
        ask = turn("user", f"Which bus goes to the {place}?", (act("request", "bus_line", "bus", "line"),), place, "to")
        rows.append(
            _row(
                100 + n,
                "buses",
                "en",
                "bus",
                [ask, turn("system", f"Line {n + 1} goes there", (act("inform", "bus_line", "bus", "line"),))],
            )
        )
    for n, (place, food) in enumerate(zip(PLACES, FOODS, strict=True)):
        wish = turn("user", f"Ich will {food} am {place}", (act("inform", "food"), act("inform", "area")))
        rows.append(
            _row(
                200 + n,
                "inns",
                "de",
                "restaurant",
                [wish, turn("system", f"Das {place} hat {food}", (act("offer", "name"),))],
            )
        )
    return rows


def _row(number: int, source: str, language: str, domain: str, turns: list[dict]) -> dict[str, Any]:
    row = dict.fromkeys(ARROW_SCHEMAS["dialogues"].names)
    return row | {
        "dialogue_id": f"{source}/{language}/{number}",
        "source": source,
        "language": language,
        "domains": [domain.title()],
        "common_domains": [domain],
        "turns": turns,
        "flags": [],
        "license": "CC0-1.0",
        "redistributable": True,
    }


def utterances() -> list[dict]:
    """Make labelled utterances of two sources; those of `home` in two languages, with a `parallel_id`."""
    rows = []
    for n, place in enumerate(PLACES):
        rows.append(_utterance(f"light in the {place} on", "home/lamp_on", "en", f"home/{n}"))
        rows.append(_utterance(f"Licht im {place} an", "home/lamp_on", "de", f"home/{n}"))
        rows.append(_utterance(f"make the {place} dark", "home/lamp_off", "en", f"home/dark{n}"))
        rows.append(_utterance(f"card lost at the {place}", "bank/card_lost", "en", None))
    rows.append(_utterance("a leak of the test", "bank/card_lost", "en", None, flags=["leak:utterance"]))
    rows.append(_utterance("sing a song", "bank/none", "en", None, is_out_of_scope=True))
    return rows


def _utterance(text: str, label: str, language: str, parallel: str | None, **other: Any) -> dict[str, Any]:
    row = dict.fromkeys(ARROW_SCHEMAS["downstream"].names)
    values = {
        "utterance_id": text,
        "source": label.partition("/")[0],
        "utterance": text,
        "label": label,
        "labels": [label],
        "is_out_of_scope": False,
        "language": language,
        "parallel_id": parallel,
        "license": "MIT",
        "redistributable": True,
        "flags": [],
    }
    return row | values | other


def pairs() -> list[dict]:
    """Make the user -> system pairs of the dialogues."""
    rows = []
    for dialogue in dialogues():
        turns = dialogue["turns"]
        for at in range(len(turns) - 1):
            anchor, positive = turns[at], turns[at + 1]
            row = dict.fromkeys(ARROW_SCHEMAS["pairs"].names)
            row |= {
                name: dialogue[name] for name in ("dialogue_id", "source", "language", "license", "redistributable")
            }
            rows.append(
                row
                | {
                    "pair_id": f"{dialogue['dialogue_id']}#{at}",
                    "turn_index": at,
                    "domains": dialogue["domains"],
                    "anchor": anchor["text"],
                    "positive": positive["text"],
                    "anchor_speaker": anchor["speaker"],
                    "positive_speaker": positive["speaker"],
                    "context": [{"speaker": t["speaker"], "text": t["text"]} for t in turns[:at]],
                    "answer_id": positive["text"].lower(),
                    "pair_type": "consecutive",
                    "negatives": [],
                    "flags": [],
                }
            )
    return rows


def write_annotated(folder: Path, **configs: list[dict]) -> Path:
    """Write a dataset folder with a train split; `configs` replace the rows of a config, or leave it out if empty."""
    rows = {"dialogues": dialogues(), "pairs": pairs(), "downstream": utterances()} | configs
    card = "configs:\n"
    for config, values in rows.items():
        if not values:
            continue
        (folder / config).mkdir(parents=True)
        table = pa.Table.from_pylist(values, schema=ARROW_SCHEMAS[config])
        pq.write_table(table, folder / config / "train-00000-of-00001.parquet")
        card += f"- config_name: {config}\n  data_files:\n  - split: train\n    path: {config}/train-*.parquet\n"
    (folder / "README.md").write_text(f"---\n{card}---\n")
    return folder
