"""The invented world that the dialogues are about: the entities of each domain and their properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from dataset_builders.sample.grammar import Phrases, load_phrases

Entity = dict[str, str]
_UNNAMED = 48  # number of entities in a domain without names, such as trains, forecasts and accounts


@dataclass(frozen=True)
class Domain:
    """The topics of a domain; its phrases are in `texts/<name>.txt`.

    Args:
        name: Name of the domain and of its phrase file.
        constraints: Slots that the user searches by.
        needed: Constraints that every search needs: the system always asks for them, and "any" is no answer.
        requests: Slots that the user may ask about after the search.
        booking: Slots of a booking; empty in a domain without bookings.
        retry: Slot of the booking for which the system offers another value if the first is taken.
    """

    name: str
    constraints: tuple[str, ...]
    needed: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    booking: tuple[str, ...] = ()
    retry: str = ""

    @property
    def phrases(self) -> Phrases:
        """The phrases of the domain, completed by the general ones."""
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
    """Replace each `#` with a digit, and each `@` with a capital that does not look like a digit."""
    return "".join(
        {"#": rng.choice("0123456789"), "@": rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ")}.get(c, c) for c in pattern
    )


# 01632 960xxx and 07700 900xxx are reserved for fictitious telephone numbers in the United Kingdom
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
    """A random value of a slot: one that the phrase files list, or else a made-up number or code."""
    if f"values {slot}" in phrases:
        return rng.choice(phrases.sections[f"values {slot}"])
    if slot == "address":
        return f"{rng.randint(2, 98)} {rng.choice(phrases.sections['values street'])}"
    return _MAKERS[slot](rng)


@lru_cache(maxsize=64)
def entities(domain: Domain, seed: int) -> tuple[Entity, ...]:
    """The entities of a domain, which depend on the seed only; each has a value for each slot."""
    rng, phrases = Random(f"{seed} world {domain.name}"), domain.phrases
    names: list[str | None] = [*phrases.sections.get("names", [None] * _UNNAMED)]
    properties = [*DOMAINS[domain.name].requests, *phrases.sections.get("more slots", [])]
    slots = [*domain.constraints, *(slot for slot in properties if slot != "arriveby")]
    result = []
    for name in names:
        entity = {"name": name} if name else {}
        entity.update((slot, draw(rng, phrases, slot)) for slot in slots)
        while "departure" in entity and entity["departure"] == entity["destination"]:
            entity["destination"] = draw(rng, phrases, "destination")
        result.append(settle(entity))
    return tuple(result)


def settle(entity: Entity) -> Entity:
    """A copy whose time of arrival, if any, is its time of departure plus its duration."""
    if "leaveat" not in entity:
        return dict(entity)
    hours, minutes = entity["leaveat"].split(":")
    return {**entity, "arriveby": clock(int(hours) * 60 + int(minutes) + int(entity["duration"].split()[0]))}
