"""Write MultiWOZ in its two official forms: 2.2 (files by split, frames by service), 2.1 (`data.json`, goal, log)."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

from dataset_builders.sample.dialogue import DONTCARE, Conversation, Turn, converse
from dataset_builders.sample.files import Counts, Variants, count_dialogues, write_json
from dataset_builders.sample.world import DOMAINS

_SIZES = {"train": 130, "dev": 30, "test": 30}
_DOMAINS = ("restaurant", "hotel", "attraction", "train", "taxi")

# slots of each service in 2.2, where they are called "<service>-<slot>"
_SLOTS = {
    "hotel": "pricerange type parking bookday bookpeople bookstay stars internet name area address phone postcode ref",
    "train": "arriveby departure day bookpeople leaveat destination trainid ref price duration",
    "attraction": "area name type entrancefee openhours address phone postcode",
    "restaurant": "pricerange area food name bookday bookpeople booktime address phone postcode ref",
    "hospital": "department address phone postcode",
    "taxi": "leaveat destination departure arriveby type phone",
    "bus": "departure destination leaveat day",
    "police": "address phone postcode name",
}
_INTENTS = {
    **dict.fromkeys(("hotel", "train", "restaurant"), ("find_", "book_")),
    **dict.fromkeys(("attraction", "hospital", "bus"), ("find_",)),
    "taxi": ("book_",),
    "police": ("",),
}
# slots in the belief state of 2.1 by domain: those of a search, and those of a booking
_SEMI = {
    "taxi": "leaveAt destination departure arriveBy",
    "police": "",
    "restaurant": "food pricerange name area",
    "hospital": "department",
    "hotel": "name area parking pricerange stars internet type",
    "attraction": "type name area",
    "train": "leaveAt destination day arriveBy departure",
}
_BOOK = {"restaurant": "time day people", "hotel": "stay day people", "train": "people"}
_ACT_SLOT = {  # names that are not only capitalised
    **{"address": "Addr", "postcode": "Post", "departure": "Depart", "destination": "Dest", "leaveat": "Leave"},
    **{"arriveby": "Arrive", "trainid": "Id", "hours": "Open", "duration": "Time", "count": "Choice"},
}
_GENERAL = {"thank_you": "general-thank", "req_more": "general-reqmore", "goodbye": "general-bye"}
_BOOKING_ACT = {
    "notify_success": "Booking-Book",
    "notify_failure": "Booking-NoBook",
    "offer_intent": "Booking-Inform",
    "confirm": "Booking-Inform",
}


def write(folder: Path, seed: int) -> Variants:
    """Write `MultiWOZ_2.2/` and `MultiWOZ_2.1/`, with the same dialogues, to a folder."""
    rng, new, old = Random(f"{seed} multiwoz"), dict[str, Counts](), dict[str, Counts]()
    data: dict[str, Any] = {}
    for split, size in _SIZES.items():
        talks: dict[str, Conversation] = {}
        while len(talks) < size:
            domains = rng.sample(_DOMAINS, k=rng.choice((1, 2, 2, 3)))
            domains.sort(key=lambda domain: domain == "taxi")  # a taxi goes to a place of an earlier domain
            name = f"{'SNG' if len(domains) == 1 else 'PMUL'}{rng.randrange(10000):04d}.json"
            if name not in talks and name not in data:
                talks[name] = converse(rng, seed, *(DOMAINS[domain] for domain in domains))
        write_json(folder / "MultiWOZ_2.2" / split / "dialogues_001.json", [_record22(n, t) for n, t in talks.items()])
        data.update((name, _record21(talk)) for name, talk in talks.items())
        new[split] = count_dialogues([(t.speaker, t.text) for t in talk.turns] for talk in talks.values())
        name21 = "val" if split == "dev" else split
        old[name21] = dict(new[split])
        if split != "train":
            (folder / "MultiWOZ_2.1").mkdir(exist_ok=True)
            (folder / "MultiWOZ_2.1" / f"{name21}ListFile.txt").write_bytes("".join(f"{n}\n" for n in talks).encode())
    write_json(folder / "MultiWOZ_2.2" / "schema.json", [_schema(service) for service in _SLOTS])
    write_json(folder / "MultiWOZ_2.1" / "data.json", {name: data[name] for name in sorted(data)})
    return {"2.2": new, "2.1": old}


def _slot22(domain: str, slot: str) -> str | None:
    """Name of a slot in 2.2; None if 2.2 has no such slot."""
    own = {"fee": "entrancefee", "hours": "openhours", "car": "type"}.get(slot, slot)
    if slot == "price" and domain != "train":
        own = "pricerange"
    if slot in DOMAINS[domain].booking:
        own = f"book{slot}"
    return f"{domain}-{own}" if own in _SLOTS[domain].split() else None


def _record22(name: str, talk: Conversation) -> dict[str, Any]:
    return {
        "dialogue_id": name,
        "services": list(talk.intent),
        "turns": [
            {
                "frames": _user_frames(turn) if turn.speaker == "user" else _system_frames(turn),
                "speaker": turn.speaker.upper(),
                "turn_id": str(number),
                "utterance": turn.text,
            }
            for number, turn in enumerate(talk.turns)
        ],
    }


def _spans22(turn: Turn, domain: str) -> list[dict[str, Any]]:
    return [
        {"exclusive_end": end, "slot": _slot22(domain, slot), "start": start, "value": turn.text[start:end]}
        for owner, slot, _, start, end in turn.spans
        if owner == domain and _slot22(domain, slot)
    ]


def _user_frames(turn: Turn) -> list[dict[str, Any]]:
    """The frames of a user turn, one for each of the eight services even if it is not mentioned."""
    frames = []
    for service in _SLOTS:
        active = service in turn.intent and any(act.domain == service for act in turn.acts)
        prefix = turn.intent[service] + "_" if active else ""
        values = {
            _slot22(service, s): [v.lower()] for s, v in turn.state.get(service, {}).items() if _slot22(service, s)
        }
        requested = [_slot22(service, s) for s in turn.requested.get(service, []) if _slot22(service, s)]
        state = {
            "active_intent": prefix + service if active else "NONE",
            "requested_slots": requested,
            "slot_values": values,
        }
        spans = _spans22(turn, service) if active else []
        frames.append({"actions": [], "service": service, "slots": spans, "state": state})
    return frames


def _system_frames(turn: Turn) -> list[dict[str, Any]]:
    """The frames of a system turn, one for each domain of which it names values."""
    by_domain = {domain: _spans22(turn, domain) for domain in turn.intent}
    return [{"actions": [], "service": domain, "slots": spans} for domain, spans in by_domain.items() if spans]


def _schema(service: str) -> dict[str, Any]:
    slots = []
    for slot in _SLOTS[service].split():
        values = (
            [v.lower() for v in DOMAINS[service].phrases.sections.get(f"values {slot}", [])]
            if service in DOMAINS
            else []
        )
        slots.append(
            {
                "name": f"{service}-{slot}",
                "description": f"{slot} ({service})",
                "possible_values": values,
                "is_categorical": bool(values),
            }
        )
    optional = {slot["name"]: DONTCARE for slot in slots}
    intents = [
        {
            "name": prefix + service,
            "description": f"{prefix.strip('_') or 'find'} something ({service})",
            "is_transactional": prefix == "book_",
            "required_slots": [],
            "optional_slots": optional,
        }
        for prefix in _INTENTS[service]
    ]
    return {"service_name": service, "slots": slots, "description": f"service: {service}", "intents": intents}


def _record21(talk: Conversation) -> dict[str, Any]:
    return {"goal": _goal(talk), "log": [_log(talk, number) for number in range(len(talk.turns))]}


def _goal(talk: Conversation) -> dict[str, Any]:
    goal: dict[str, Any] = {domain: {} for domain in _SEMI}
    message = []
    for domain, state in talk.turns[-1].state.items():
        booking = DOMAINS[domain].booking
        requested = [slot for turn in talk.turns for slot in turn.requested.get(domain, [])]
        info = {slot: value.lower() for slot, value in state.items() if slot not in booking}
        book = {slot: value.lower() for slot, value in state.items() if slot in booking}
        goal[domain] = {"info": info, "reqt": list(dict.fromkeys(requested)), "fail_info": {}}
        if book:
            goal[domain] |= {"book": {**book, "invalid": False}, "fail_book": {}}
        wishes = ", ".join(f"{slot} <span class='emphasis'>{value}</span>" for slot, value in info.items())
        message.append(f"You need a <span class='emphasis'>{domain}</span> ({wishes})")
    return {**goal, "message": message}


def _log(talk: Conversation, number: int) -> dict[str, Any]:
    turn = talk.turns[number]
    acts: dict[str, list[list[str]]] = {}
    spans = []
    for act in turn.acts:
        name = _act21(turn, act.name, act.domain, act.slot)
        if not name:
            continue
        slot = _ACT_SLOT.get(act.slot, act.slot.capitalize()) if act.slot else "none"
        slot = "Ticket" if (act.domain, slot) == ("train", "Price") else slot
        value = "?" if act.name == "request" else (act.value or (DONTCARE if act.name == "dontcare" else "none"))
        acts.setdefault(name, []).append([slot, value])
        for owner, span_slot, _, start, end in turn.spans:
            if (owner, span_slot) == (act.domain, act.slot) and act.name != "request":
                first = len(_tokens(turn.text[:start]))
                last = first + len(_tokens(turn.text[start:end])) - 1
                spans.append([name, slot, turn.text[start:end], first, last])
    metadata = _metadata(talk, number) if turn.speaker == "system" else {}
    return {"text": turn.text, "metadata": metadata, "dialog_act": acts, "span_info": spans}


def _tokens(text: str) -> list[str]:
    return re.findall(r"[\w£:'.]*\w|[^\w\s]", text)


def _act21(turn: Turn, act: str, domain: str, slot: str | None) -> str:
    """The name of an act in 2.1, `<Domain>-<Kind>`; empty for acts that 2.1 does not annotate, such as a yes."""
    if act in _GENERAL:
        return _GENERAL[act]
    if turn.speaker == "user":
        kind = {"request": "Request", "affirm": "", "request_alts": ""}.get(act, "Inform")
        return f"{domain.capitalize()}-{kind}" if kind else ""
    if act == "notify_failure" and turn.intent[domain] == "find":
        return f"{domain.capitalize()}-NoOffer"
    if act in _BOOKING_ACT:
        if domain == "taxi":
            return "Taxi-Inform"
        offered = {"notify_success": "Train-OfferBooked"}.get(act, "Train-OfferBook")
        return offered if domain == "train" else _BOOKING_ACT[act]
    if act == "request" and slot in DOMAINS[domain].booking:
        return "Booking-Request"
    kind = "Recommend" if act == "offer" and domain not in ("train", "taxi") else act.capitalize()
    return f"{domain.capitalize()}-{'Inform' if kind == 'Offer' else kind}"


def _metadata(talk: Conversation, number: int) -> dict[str, Any]:
    """The belief state by domain: `semi` holds the slots of a search, `book` those of a booking."""
    turn, metadata = talk.turns[number], {}
    for domain, semi in _SEMI.items():
        state = {("pricerange" if s == "price" else s): v.lower() for s, v in turn.state.get(domain, {}).items()}
        missing = "not mentioned" if state else ""
        booked = []
        turn_number, entity = talk.booked.get(domain, (len(talk.turns), {}))
        if turn_number <= number:
            keys = {"name": "name", "trainid": "trainID", "car": "type", "ref": "reference"}
            booked = [{name: entity[slot] for slot, name in keys.items() if slot in entity}]
        booking = {slot: state.get(slot, "") for slot in _BOOK.get(domain, "").split()}
        metadata[domain] = {
            "book": {"booked": booked, **booking},
            "semi": {slot: state.get(slot.lower(), missing) for slot in semi.split()},
        }
    return metadata
