"""Write Schema-Guided Dialogue in its published form: a schema and several dialogue files per split, complete frames.

Some services are in all splits, some only in test; two services may cover one domain with different slot names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from dataset_builders.sample.dialogue import Act, Conversation, Turn, converse
from dataset_builders.sample.files import Counts, Variants, count_dialogues, write_json
from dataset_builders.sample.world import DOMAINS

_PER_FILE = 64
_FILES = {"train": 6, "dev": 1, "test": 2}


@dataclass(frozen=True)
class Service:
    """A service, which covers a domain with its own names of slots.

    Args:
        name: Name of the service.
        domain: Domain of the service.
        find: Intent of a search.
        book: Intent of a booking; empty for a service without bookings.
        splits: Splits with this service, separated by blanks.
        slots: Slot of the service by slot of the domain, if they differ.
    """

    name: str
    domain: str
    find: str
    book: str
    splits: str
    slots: dict[str, str] = field(default_factory=dict)

    def slot(self, slot: str) -> str:
        """The service's name for a slot of the domain."""
        return self.slots.get(slot, slot)


_ALL = "train dev test"
_PLACE = {"phone": "phone_number", "address": "street_address"}
_DINE = {**_PLACE, "name": "restaurant_name", "day": "date"}
_RIDE = {
    "departure": "pickup",
    "people": "number_of_riders",
    "price": "ride_fare",
    "car": "car_type",
    "leaveat": "pickup_time",
}
_STAY = {**_PLACE, "name": "hotel_name", "day": "check_in_date", "stay": "number_of_days", "people": "number_of_rooms"}
_SEE = {**_PLACE, "name": "attraction_name", "type": "category", "fee": "entry_fee"}
_CARE = {**_PLACE, "name": "doctor_name", "day": "appointment_date", "time": "appointment_time"}
SERVICES = (
    Service(
        "Restaurants_1", "restaurant", "FindRestaurants", "ReserveRestaurant", "train", {**_DINE, "food": "cuisine"}
    ),
    Service(
        "Restaurants_2", "restaurant", "FindRestaurants", "ReserveRestaurant", "dev test", {**_DINE, "food": "category"}
    ),
    Service("Hotels_1", "hotel", "SearchHotel", "ReserveHotel", _ALL, {**_STAY, "stars": "star_rating"}),
    Service("Travel_1", "attraction", "FindAttractions", "", "train test", _SEE),
    Service(
        "Trains_1",
        "train",
        "FindTrains",
        "GetTrainTickets",
        "train dev",
        {"people": "number_of_adults", "price": "fare"},
    ),
    Service("RideSharing_1", "taxi", "FindRide", "GetRide", "train test", _RIDE),
    Service(
        "Banks_1", "bank", "CheckBalance", "TransferMoney", _ALL, {"account": "account_type", "ref": "transfer_number"}
    ),
    Service(
        "Weather_1", "weather", "GetWeather", "", _ALL, {"day": "date", "rain": "precipitation", "high": "temperature"}
    ),
    Service("Doctors_1", "doctor", "FindProvider", "BookAppointment", "train test", _CARE),
    Service("Shops_1", "shop", "ReportProblem", "ArrangeReturn", _ALL, {"order": "order_number", "ref": "case_number"}),
    Service(
        "Gyms_1",
        "gym",
        "FindClass",
        "JoinClass",
        "train dev",
        {"name": "class_name", "coach": "trainer", "day": "date"},
    ),
    Service("Libraries_1", "library", "FindBook", "ReserveBook", "test", {"name": "title", "loan": "loan_period"}),
)


def write(folder: Path, seed: int) -> Variants:
    """Write `<split>/schema.json` and `<split>/dialogues_NNN.json` to a folder."""
    counts: dict[str, Counts] = {}
    for split, files in _FILES.items():
        rng = Random(f"{seed} sgd {split}")
        services = [service for service in SERVICES if split in service.splits]
        by_domain = {service.domain: service for service in services}
        write_json(folder / split / "schema.json", [_schema(service) for service in services])
        talks = []
        for number in range(1, files + 1):
            samples = [rng.sample(services, k=rng.choice((1, 1, 1, 2))) for _ in range(_PER_FILE)]
            part = [converse(rng, seed, *(DOMAINS[service.domain] for service in sample)) for sample in samples]
            records = [_record(talk, f"{number}_{i:05d}", by_domain) for i, talk in enumerate(part)]
            write_json(folder / split / f"dialogues_{number:03d}.json", records)
            talks += part
        counts[split] = count_dialogues([(t.speaker, t.text) for t in talk.turns] for talk in talks)
    return {"default": counts}


def _record(talk: Conversation, dialogue_id: str, services: dict[str, Service]) -> dict[str, Any]:
    return {
        "dialogue_id": dialogue_id,
        "services": [services[domain].name for domain in talk.intent],
        "turns": [
            {"frames": _frames(turn, services), "speaker": turn.speaker.upper(), "utterance": turn.text}
            for turn in talk.turns
        ],
    }


def _frames(turn: Turn, services: dict[str, Service]) -> list[dict[str, Any]]:
    frames = []
    for domain in dict.fromkeys(act.domain for act in turn.acts):
        service = services[domain]
        frame: dict[str, Any] = {"actions": _actions(turn, service), "service": service.name}
        if turn.call and turn.speaker == "system":
            intent, parameters, results = turn.call
            names = {service.slot(slot): value for slot, value in parameters.items()}
            frame["service_call"] = {"method": getattr(service, intent), "parameters": names}
            frame["service_results"] = [{service.slot(s): v for s, v in result.items()} for result in results]
        frame["slots"] = [
            {"exclusive_end": end, "slot": service.slot(slot), "start": start}
            for owner, slot, _, start, end in turn.spans
            if owner == domain and slot != "count"
        ]
        if turn.speaker == "user":
            frame["state"] = {
                "active_intent": getattr(service, turn.intent[domain]),
                "requested_slots": [service.slot(slot) for slot in turn.requested.get(domain, [])],
                "slot_values": {
                    service.slot(slot): [DOMAINS[domain].phrases.show(slot, value)]
                    for slot, value in turn.state.get(domain, {}).items()
                },
            }
        frames.append(frame)
    return frames


# by act of the generator: the acts that occur once per turn, and the act for each slot
_ACTS: dict[str, tuple[tuple[str, ...], str]] = {
    "start": (("INFORM_INTENT",), "INFORM"),
    "book": (("INFORM_INTENT", "SELECT"), "INFORM"),
    "correct": (("NEGATE",), "INFORM"),
    "dontcare": ((), "INFORM"),
    "notify_success": (("NOTIFY_SUCCESS",), "INFORM"),
    "notify_failure": (("NOTIFY_FAILURE",), "OFFER"),
}


def _actions(turn: Turn, service: Service) -> list[dict[str, Any]]:
    actions, names = [], set()
    for act in (act for act in turn.acts if act.domain == service.domain):
        default: tuple[tuple[str, ...], str] = ((), act.name.upper()) if act.slot else ((act.name.upper(),), "")
        once, each = _ACTS.get(act.name, default)
        for name in (name for name in once if name not in names):
            names.add(name)
            intent = [service.find if act.name == "start" else service.book] if "INTENT" in name else []
            actions.append(_action(name, "intent" if intent else "", intent, intent))
        if act.slot:
            actions.append(_slot_action(act, each, service))
    return actions


def _slot_action(act: Act, name: str, service: Service) -> dict[str, Any]:
    if act.slot == "count":
        return _action("INFORM_COUNT", "count", [act.value or ""], [act.value or ""])
    value = "dontcare" if act.name == "dontcare" else act.value
    words = [DOMAINS[service.domain].phrases.show(act.slot or "", value)] if value else []
    return _action(name, service.slot(act.slot or ""), words, [value] if value else [])


def _action(act: str, slot: str, values: list[str], canonical: list[str]) -> dict[str, Any]:
    return {"act": act, "canonical_values": canonical, "slot": slot, "values": values}


def _schema(service: Service) -> dict[str, Any]:
    domain = DOMAINS[service.domain]
    phrases = domain.phrases
    more = ["name"] if "names" in phrases else []
    results = [*more, *domain.constraints, *domain.requests, *phrases.sections.get("more slots", [])]
    slots = list(dict.fromkeys([*results, *domain.booking, *(["ref"] if service.book else [])]))
    intents = [_intent(service, service.find, False, list(domain.needed), domain.constraints, results)]
    if service.book:
        intents.append(
            _intent(service, service.book, True, [*more, *domain.booking], (), [*results, *domain.booking, "ref"])
        )
    return {
        "service_name": service.name,
        "description": f"Everything about the domain: {service.domain}",
        "slots": [
            {
                "name": service.slot(slot),
                "description": f"{service.slot(slot).replace('_', ' ').capitalize()} ({service.domain})",
                "is_categorical": f"values {slot}" in phrases,
                "possible_values": phrases.sections.get(f"values {slot}", []),
            }
            for slot in slots
        ],
        "intents": intents,
    }


def _intent(
    service: Service, name: str, books: bool, required: list[str], optional: tuple[str, ...], results: list[str]
) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"{'Settle' if books else 'Look up'} something ({service.domain})",
        "is_transactional": books,
        "required_slots": [service.slot(slot) for slot in required],
        "optional_slots": {service.slot(slot): "dontcare" for slot in optional if slot not in required},
        "result_slots": list(dict.fromkeys(service.slot(slot) for slot in results)),
    }
