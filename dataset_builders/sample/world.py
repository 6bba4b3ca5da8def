"""The invented world that the dialogues speak of: what can be found in each domain, and with which properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from dataset_builders.sample.grammar import Phrases, load_phrases

Entity = dict[str, str]
_UNNAMED = 48  # entities of a domain whose file lists no names: trains, forecasts, accounts


@dataclass(frozen=True)
class Domain:
    """What can be talked about in a domain; the words are in `texts/<name>.txt`.

    Args:
        name: Name of the domain and of its phrase file.
        constraints: Slots that the user searches by.
        needed: Constraints without which there is no answer: always asked for, never "any".
        requests: Slots that the user may ask about afterwards.
        booking: Slots of a booking; empty where nothing can be booked.
        retry: Slot of the booking for which another value is offered when the first is taken.
    """

    name: str
    constraints: tuple[str, ...]
    needed: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    booking: tuple[str, ...] = ()
    retry: str = ""

    @property
    def phrases(self) -> Phrases:
        """The domain's own phrases, and the general ones where it has none."""
        return load_phrases(self.name, "general")


_PLACE = ("phone", "address", "postcode")
DOMAINS = {
    domain.name: domain
    for domain in (
        Domain("restaurant", ("food", "area", "price"), (), (*_PLACE, "hours"), ("day", "time", "people"), "time"),
        Domain(
            "hotel",
            ("type", "area", "price", "stars"),
            (),
            (*_PLACE, "parking", "internet"),
            ("day", "stay", "people"),
            "day",
        ),
        Domain("attraction", ("type", "area"), (), (*_PLACE, "fee", "hours")),
        Domain(
            "train",
            ("departure", "destination", "day", "leaveat"),
            ("departure", "destination", "day"),
            ("duration", "price", "arriveby"),
            ("people",),
        ),
        Domain(
            "taxi",
            ("departure", "destination", "leaveat"),
            ("departure", "destination", "leaveat"),
            ("price", "duration", "phone"),
            ("people",),
        ),
        Domain("bank", ("account",), ("account",), ("interest", "payment", "limit"), ("amount", "recipient")),
        Domain("weather", ("city", "day"), ("city", "day"), ("rain", "wind", "humidity", "low")),
        Domain("doctor", ("specialty", "area"), ("specialty",), (*_PLACE, "hours", "wait"), ("day", "time"), "time"),
        Domain(
            "shop", ("item", "problem", "order"), ("item", "problem", "order"), ("wait", "cost", "sendback"), ("day",)
        ),
        Domain(
            "gym", ("activity", "area"), ("activity",), ("coach", "price", "level", "bring"), ("day", "time"), "time"
        ),
        Domain("library", ("genre", "language"), ("genre",), ("author", "loan", "shelf", "pages"), ("branch", "day")),
    )
}

# CamRest676 and WOZ 2.0 look for restaurants only
RESTAURANT_SEARCH = replace(DOMAINS["restaurant"], requests=_PLACE, booking=(), retry="")


def clock(minutes: int) -> str:
    """Minutes since midnight as `"18:05"`."""
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _code(rng: Random, pattern: str) -> str:
    """Replaces each `#` by a digit and each `@` by a capital that is not mistaken for a digit."""
    return "".join(
        {"#": rng.choice("0123456789"), "@": rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ")}.get(c, c) for c in pattern
    )


# 01632 960xxx and 07700 900xxx are kept free for invented telephone numbers in the United Kingdom
_MAKERS: dict[str, Callable[[Random], str]] = {
    "phone": lambda rng: _code(rng, "01632 960###"),
    "postcode": lambda rng: _code(rng, "QF# #@@"),
    "ref": lambda rng: _code(rng, "@@##@@##"),
    "order": lambda rng: _code(rng, "@#####"),
    "trainid": lambda rng: _code(rng, "TR####"),
    "time": lambda rng: clock(15 * rng.randrange(36, 84)),
    "leaveat": lambda rng: clock(15 * rng.randrange(24, 88)),
    "people": lambda rng: str(rng.randint(2, 8)),
    "stay": lambda rng: str(rng.randint(2, 6)),
    "balance": lambda rng: f"£{rng.randrange(120, 4800):,}.{rng.randrange(100):02d}",
}


def draw(rng: Random, phrases: Phrases, slot: str) -> str:
    """A value of a slot: one that the phrase files list, else a made-up number or code."""
    if f"values {slot}" in phrases:
        return rng.choice(phrases.sections[f"values {slot}"])
    if slot == "address":
        return f"{rng.randint(2, 98)} {rng.choice(phrases.sections['values street'])}"
    return _MAKERS[slot](rng)


@lru_cache(maxsize=64)
def entities(domain: Domain, seed: int) -> tuple[Entity, ...]:
    """All that can be found in a domain, the same for the same seed; every entity has a value for every slot."""
    rng, phrases = Random(f"{seed} world {domain.name}"), domain.phrases
    names: list[str | None] = [*phrases.sections.get("names", [None] * _UNNAMED)]
    properties = [*DOMAINS[domain.name].requests, *phrases.sections.get("more slots", [])]
    slots = [*domain.constraints, *(slot for slot in properties if slot != "arriveby")]
    found = []
    for name in names:
        entity = {"name": name} if name else {}
        entity.update((slot, draw(rng, phrases, slot)) for slot in slots)
        while "departure" in entity and entity["departure"] == entity["destination"]:
            entity["destination"] = draw(rng, phrases, "destination")
        found.append(settle(entity))
    return tuple(found)


def settle(entity: Entity) -> Entity:
    """A copy whose arrival, where it has one, follows from departure and duration."""
    if "leaveat" not in entity:
        return dict(entity)
    hours, minutes = entity["leaveat"].split(":")
    return {**entity, "arriveby": clock(int(hours) * 60 + int(minutes) + int(entity["duration"].split()[0]))}
