"""Plans a dialogue act by act and says it: the one generator behind all dialogue sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from dataset_builders.sample.grammar import Phrases, Said
from dataset_builders.sample.world import DOMAINS, Domain, Entity, draw, entities, settle

DONTCARE = "dontcare"


@dataclass(frozen=True)
class Act:
    """What is done in a turn: `Act("inform", "restaurant", "food", "Thai")`."""

    name: str
    domain: str
    slot: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Piece:
    """A sentence before it is said, kept so that it can be said again in another language.

    Args:
        key: Section of the phrases without the speaker: `"request food"`.
        act: Name of the act; empty for small talk that is no act.
        slot: The slot of an act that has no value (a question).
        must: Slot -> value said for sure.
        may: Slot -> value that may be said.
    """

    key: str
    act: str = ""
    slot: str | None = None
    must: dict[str, str] = field(default_factory=dict)
    may: dict[str, str] = field(default_factory=dict)


@dataclass
class Turn:
    """A turn as planned and as said.

    Args:
        speaker: `"user"` or `"system"`.
        pieces: The sentences as planned, each with its domain.
        text: What is said.
        acts: What is done.
        spans: `(domain, slot, value, start, exclusive end)` of every value said.
        state: Domain -> slot -> value: what the user has asked for so far.
        intent: What the user is after: domain -> `"find"` or `"book"`.
        requested: Domain -> slots that the user asks about.
        call: On a system turn that looked something up or booked it: intent, parameters, results.
    """

    speaker: Literal["user", "system"]
    pieces: list[tuple[str, Piece]]
    text: str
    acts: list[Act]
    spans: list[tuple[str, str, str, int, int]]
    state: dict[str, dict[str, str]]
    intent: dict[str, str]
    requested: dict[str, list[str]]
    call: tuple[str, dict[str, str], list[Entity]] | None = None


def say_pieces(rng: Random, pieces: list[tuple[Phrases, str, Piece]]) -> list[Said]:
    """Says each piece with its phrases; the second member is the speaker."""
    return [
        phrases.say(rng, _key(rng, phrases, f"{speaker} {piece.key}"), piece.must, piece.may, piece.key.split()[-1])
        for phrases, speaker, piece in pieces
    ]


def _key(rng: Random, phrases: Phrases, key: str) -> str:
    """A question about a slot is asked in the slot's own words, or in general ones with a noun for the slot."""
    if not key.startswith("user request "):
        return key
    general = key.rsplit(" ", 1)[0]
    return key if key in phrases and rng.random() < 0.6 else general


class Conversation:
    """A dialogue while it grows; `turns` and `booked` (domain -> index of the turn, what was booked) are the result."""

    def __init__(self, rng: Random, seed: int) -> None:
        self.rng, self.seed = rng, seed
        self.turns: list[Turn] = []
        self.state: dict[str, dict[str, str]] = {}
        self.intent: dict[str, str] = {}
        self.booked: dict[str, tuple[int, Entity]] = {}
        self.domain: Domain = DOMAINS["restaurant"]
        self._previous: Domain | None = None

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.rng.random() < probability

    def add(self, speaker: Literal["user", "system"], *pieces: Piece, call: Any = None) -> None:
        """Says the pieces as one turn; a piece `thanks` right after a change of domain belongs to the domain before."""
        owners = [self._previous if piece.key == "more" and self._previous else self.domain for piece in pieces]
        said = say_pieces(self.rng, [(d.phrases, speaker, p) for d, p in zip(owners, pieces, strict=True)])
        acts, spans, offset = [], [], 0
        for owner, piece, one in zip(owners, pieces, said, strict=True):
            values = {**piece.may, **piece.must}
            used = dict.fromkeys(slot for slot, _, _ in one.spans)
            if piece.slot or (piece.act and not used):
                acts.append(Act(piece.act, owner.name, piece.slot, piece.must.get(piece.slot or "")))
            elif piece.act:
                acts += [Act(piece.act, owner.name, slot, values[slot]) for slot in used]
            spans += [(owner.name, s, values[s], offset + start, offset + end) for s, start, end in one.spans]
            offset += len(one.text) + 1
        requested: dict[str, list[str]] = {}
        for act in acts:
            if speaker == "user" and act.name == "request" and act.slot:
                requested.setdefault(act.domain, []).append(act.slot)
        self.turns.append(
            Turn(
                speaker,
                [(owner.name, piece) for owner, piece in zip(owners, pieces, strict=True)],
                " ".join(one.text for one in said),
                acts,
                spans,
                {name: dict(slots) for name, slots in self.state.items()},
                dict(self.intent),
                requested,
                call,
            )
        )

    def inform(self, key: str, act: str, slots: dict[str, str], *before: Piece) -> None:
        """A user turn that tells values, which enter the state."""
        self.state.setdefault(self.domain.name, {}).update(slots)
        self.add("user", *before, Piece(key, act, must=slots))

    # -- the parts of a task ------------------------------------------------------------------------------------

    def task(self, domain: Domain, about: Entity | None = None) -> Entity:
        """The user looks for something, asks about it and books it; returns what was found.

        Args:
            domain: What the user looks for.
            about: Values that this task takes over from an earlier one.
        """
        self._previous = self.domain if self.turns else None
        self.domain = domain
        self.intent[domain.name] = "find"
        self.world, self.offered, self.asked = entities(domain, self.seed), set[str](), set[str]()
        found = settle({**self.rng.choice(self.world), **(about or {})})
        self._search(found)
        self._offer(found)
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            found = self._question(found)
        if domain.booking and self.chance(0.8):
            self._book(found)
            if self.chance(0.3):
                found = self._question(found, only_ask=True)
        return found

    def _search(self, found: Entity) -> None:
        domain, rng = self.domain, self.rng
        slots = rng.sample(domain.constraints, k=rng.randint(1, min(3, len(domain.constraints))))
        before = [Piece("more", "thank_you")] if self._previous else []
        if not self.turns and self.chance(0.25):
            before = [Piece("greet")]
        self.inform("start", "start", {slot: found[slot] for slot in domain.constraints if slot in slots}, *before)
        for slot in rng.sample(domain.constraints, k=len(domain.constraints)):
            if slot in slots or (slot not in domain.needed and self.chance(0.6)):
                continue
            ack = [Piece("ack")] if self.chance(0.25) else []
            self.add("system", *ack, Piece(f"request {slot}", "request", slot))
            if slot not in domain.needed and self.chance(0.25):
                self.state[domain.name][slot] = DONTCARE
                self.add("user", Piece("dontcare", "dontcare", slot))
            else:
                self.inform(f"inform {slot}", "inform", {slot: found[slot]})

    def _wanted(self) -> dict[str, str]:
        state = self.state[self.domain.name]
        return {slot: state[slot] for slot in self.domain.constraints if state.get(slot, DONTCARE) != DONTCARE}

    def _matches(self) -> list[Entity]:
        return [entity for entity in self.world if self._wanted().items() <= entity.items()]

    def _offer(self, found: Entity, key: str = "offer") -> None:
        matches = self._matches() or [found]
        must = {"name": found["name"]} if "name" in found else {}
        may = {**found, "count": str(len(matches))} if len(matches) > 1 else found
        invite = self.domain.booking and self.chance(0.4)
        pieces = [Piece(key, "offer", must=must, may=may), *([Piece("invite", "offer_intent")] if invite else [])]
        self.add("system", *pieces, call=("find", dict(self.state[self.domain.name]), matches[:5]))
        self.asked = {act.slot or "" for act in self.turns[-1].acts}  # what was told need not be asked
        self.offered |= {found["name"]} if "name" in found else set()

    def _question(self, found: Entity, only_ask: bool = False) -> Entity:
        """The user asks about what was offered, for another one, or changes the mind."""
        domain, rng = self.domain, self.rng
        if not only_ask and "user alternative" in domain.phrases and self.chance(0.2):
            others = [entity for entity in self._matches() if entity.get("name") not in self.offered]
            self.add("user", Piece("alternative", "request_alts"))
            if others:
                found = dict(rng.choice(others))
                self._offer(found, "alternative")
            else:
                self.add("system", Piece("nomatch", "notify_failure", may=found))
            return found
        if not only_ask and "user change" in domain.phrases and self.chance(0.25):
            slot = rng.choice(domain.phrases.sections["user change"])
            kept = {s: v for s, v in self._wanted().items() if s != slot}
            others = [
                e for e in self.world if e[slot] != found[slot] and ("name" not in e or kept.items() <= e.items())
            ]
            if others:
                found = settle({**rng.choice(others), **kept})
                self.inform(f"change {slot}", "inform", {slot: found[slot]})
                self._offer(found)
                return found
        open_questions = [slot for slot in domain.requests if slot not in self.asked]
        asked = rng.sample(open_questions, k=min(len(open_questions), 2 if self.chance(0.2) else 1))
        unknown = [s for s in domain.constraints if s not in self.state[domain.name] and f"noun {s}" in domain.phrases]
        unknown = [slot for slot in unknown if slot not in self.asked]
        if unknown and self.chance(0.5):
            asked = [rng.choice(unknown)]
        if not asked:
            return found
        self.asked |= {*asked}
        name = {"name": found["name"]} if "name" in found else {}
        self.add("user", *(Piece(f"request {slot}", "request", slot, may=name) for slot in asked))
        answer = [Piece(f"inform {slot}", "inform", must={slot: found[slot]}, may=found) for slot in asked]
        more = [Piece("reqmore", "req_more")] if self.chance(0.25) else []
        self.add("system", *answer, *more)
        return found

    def _book(self, found: Entity) -> None:
        domain, rng, phrases = self.domain, self.rng, self.domain.phrases
        wish = {slot: draw(rng, phrases, slot) for slot in domain.booking}
        wish |= {slot: found[slot] for slot in domain.booking if slot in self.state[domain.name]}
        first = {s: wish[s] for s in domain.booking if self.chance(0.4) and s not in self.state[domain.name]}
        name = {"name": found["name"]} if "name" in found else {}
        self.intent[domain.name] = "book"
        self.state[domain.name] |= {**first, **name}
        self.add("user", Piece("book", "book", must=first, may=name))
        for slot in domain.booking:
            if slot not in self.state[domain.name]:
                self.add("system", Piece(f"request {slot}", "request", slot))
                self.inform(f"inform {slot}", "inform", {slot: wish[slot]})
        if self.chance(0.4):
            self._confirm(found, wish)
        if domain.retry and self.chance(0.2):
            wish[domain.retry] = self._another(wish, domain.retry)
            self.add("system", Piece("fail", "notify_failure", must={domain.retry: wish[domain.retry]}, may=name))
            self.state[domain.name][domain.retry] = wish[domain.retry]
            self.add("user", Piece("accept", "affirm"))
        ref = {"ref": draw(rng, phrases, "ref")}
        more = [Piece("reqmore", "req_more")] if self.chance(0.35) else []
        done = Piece("success", "notify_success", must=ref, may={**found, **wish})
        self.add("system", done, *more, call=("book", {**name, **wish}, [{**found, **wish, **ref}]))
        self.booked[domain.name] = (len(self.turns) - 1, {**found, **ref})

    def _another(self, wish: dict[str, str], slot: str) -> str:
        return next(v for v in iter(lambda: draw(self.rng, self.domain.phrases, slot), "") if v != wish[slot])

    def _confirm(self, found: Entity, wish: dict[str, str]) -> None:
        self.add("system", Piece("confirm", "confirm", must=dict(wish), may=found))
        if self.chance(0.25):
            slot = self.rng.choice(self.domain.booking)
            wish[slot] = self._another(wish, slot)
            self.inform(f"correct {slot}", "correct", {slot: wish[slot]})
            self.add("system", Piece("confirm", "confirm", must=dict(wish), may=found))
        self.add("user", Piece("affirm", "affirm"))

    def close(self) -> None:
        """Thanks and goodbye."""
        asked = any(act.name == "req_more" for act in self.turns[-1].acts)
        self.add("user", Piece("nomore" if asked else "thanks", "thank_you"))
        self.add("system", Piece("bye", "goodbye"))


def converse(rng: Random, seed: int, *domains: Domain) -> Conversation:
    """A whole dialogue about one domain after the other; a taxi takes the user to what was found before."""
    talk = Conversation(rng, seed)
    found: Entity = {}
    for domain in domains:
        if talk.turns and not any(act.name == "req_more" for act in talk.turns[-1].acts):
            talk.add("user", Piece("pause", "thank_you"))
            talk.add("system", Piece("reqmore", "req_more"))
        about = {"destination": found["name"]} if domain.name == "taxi" and "name" in found else None
        found = talk.task(domain, about)
    talk.close()
    return talk
