"""Generate dialogues act by act, for all dialogue sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from dataset_builders.sample.grammar import Phrases, Sentence
from dataset_builders.sample.world import DOMAINS, Domain, Entity, draw, entities, settle

DONTCARE = "dontcare"


@dataclass(frozen=True)
class Act:
    """A dialogue act of a turn: `Act("inform", "restaurant", "food", "Thai")`."""

    name: str
    domain: str
    slot: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Piece:
    """The plan of a sentence, from which it can be made in several languages.

    Args:
        key: Section of the phrases without the speaker: `"request food"`.
        act: Name of the act; empty for small talk.
        slot: Slot of an act without a value (a question).
        must: Values by slot that the sentence names.
        may: Values by slot that the sentence may name.
    """

    key: str
    act: str = ""
    slot: str | None = None
    must: dict[str, str] = field(default_factory=dict)
    may: dict[str, str] = field(default_factory=dict)


@dataclass
class Turn:
    """A turn with its plan and annotations.

    Args:
        speaker: `"user"` or `"system"`.
        pieces: (domain, plan) of each sentence.
        text: Text of the turn.
        acts: Dialogue acts.
        spans: (domain, slot, value, start, exclusive end) of each value in the text.
        state: Values by domain and slot that the user has stated so far.
        intent: Intent of the user by domain: `"find"` or `"book"`.
        requested: Slots that the user asks about, by domain.
        call: Intent, parameters and results of a search or booking; only in system turns.
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


def say_pieces(rng: Random, pieces: list[tuple[Phrases, str, Piece]]) -> list[Sentence]:
    """Make the sentence of each (phrases, speaker, piece)."""
    return [
        phrases.say(rng, _key(rng, phrases, f"{speaker} {piece.key}"), piece.must, piece.may, piece.key.split()[-1])
        for phrases, speaker, piece in pieces
    ]


def _key(rng: Random, phrases: Phrases, key: str) -> str:
    """The section of a piece; questions about a slot use its own phrases or general ones with a noun for the slot."""
    if not key.startswith("user request "):
        return key
    general = key.rsplit(" ", 1)[0]
    return key if key in phrases and rng.random() < 0.6 else general


class Conversation:
    """A growing dialogue.

    Attributes:
        turns: The turns so far.
        booked: Index of the turn and the entity of each booking, by domain.
    """

    def __init__(self, rng: Random, seed: int) -> None:
        self.rng, self.seed = rng, seed
        self.turns: list[Turn] = []
        self.state: dict[str, dict[str, str]] = {}
        self.intent: dict[str, str] = {}
        self.booked: dict[str, tuple[int, Entity]] = {}
        self.domain: Domain = DOMAINS["restaurant"]
        self._previous: Domain | None = None

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.rng.random() < probability

    def add(self, speaker: Literal["user", "system"], *pieces: Piece, call: Any = None) -> None:
        """Add a turn with one sentence per piece; a piece `more` after a change of domain is about the previous one."""
        owners = [self._previous if piece.key == "more" and self._previous else self.domain for piece in pieces]
        sentences = say_pieces(self.rng, [(d.phrases, speaker, p) for d, p in zip(owners, pieces, strict=True)])
        acts, spans, offset = [], [], 0
        for owner, piece, sentence in zip(owners, pieces, sentences, strict=True):
            values = {**piece.may, **piece.must}
            used = dict.fromkeys(slot for slot, _, _ in sentence.spans)
            if piece.slot or (piece.act and not used):
                acts.append(Act(piece.act, owner.name, piece.slot, piece.must.get(piece.slot or "")))
            elif piece.act:
                acts += [Act(piece.act, owner.name, slot, values[slot]) for slot in used]
            spans += [(owner.name, s, values[s], offset + start, offset + end) for s, start, end in sentence.spans]
            offset += len(sentence.text) + 1
        requested: dict[str, list[str]] = {}
        for act in acts:
            if speaker == "user" and act.name == "request" and act.slot:
                requested.setdefault(act.domain, []).append(act.slot)
        self.turns.append(
            Turn(
                speaker,
                [(owner.name, piece) for owner, piece in zip(owners, pieces, strict=True)],
                " ".join(sentence.text for sentence in sentences),
                acts,
                spans,
                {name: dict(slots) for name, slots in self.state.items()},
                dict(self.intent),
                requested,
                call,
            )
        )

    def inform(self, key: str, act: str, slots: dict[str, str], *before: Piece) -> None:
        """Add a user turn that states values, which enter the state."""
        self.state.setdefault(self.domain.name, {}).update(slots)
        self.add("user", *before, Piece(key, act, must=slots))

    # -- the parts of a task ------------------------------------------------------------------------------------

    def task(self, domain: Domain, about: Entity | None = None) -> Entity:
        """Add a task: the user searches for something, asks about it and books it.

        Args:
            domain: Domain of the task.
            about: Values from an earlier task.

        Returns:
            The entity that the user settles on.
        """
        self._previous = self.domain if self.turns else None
        self.domain = domain
        self.intent[domain.name] = "find"
        self.world, self.offered, self.mentioned = entities(domain, self.seed), set[str](), set[str]()
        entity = settle({**self.rng.choice(self.world), **(about or {})})
        self._search(entity)
        self._offer(entity)
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            entity = self._question(entity)
        if domain.booking and self.chance(0.8):
            self._book(entity)
            if self.chance(0.3):
                entity = self._question(entity, only_ask=True)
        return entity

    def _search(self, entity: Entity) -> None:
        domain, rng = self.domain, self.rng
        slots = rng.sample(domain.constraints, k=rng.randint(1, min(3, len(domain.constraints))))
        before = [Piece("more", "thank_you")] if self._previous else []
        if not self.turns and self.chance(0.25):
            before = [Piece("greet")]
        self.inform("start", "start", {slot: entity[slot] for slot in domain.constraints if slot in slots}, *before)
        for slot in rng.sample(domain.constraints, k=len(domain.constraints)):
            if slot in slots or (slot not in domain.needed and self.chance(0.6)):
                continue
            ack = [Piece("ack")] if self.chance(0.25) else []
            self.add("system", *ack, Piece(f"request {slot}", "request", slot))
            if slot not in domain.needed and self.chance(0.25):
                self.state[domain.name][slot] = DONTCARE
                self.add("user", Piece("dontcare", "dontcare", slot))
            else:
                self.inform(f"inform {slot}", "inform", {slot: entity[slot]})

    def _constraints(self) -> dict[str, str]:
        state = self.state[self.domain.name]
        return {slot: state[slot] for slot in self.domain.constraints if state.get(slot, DONTCARE) != DONTCARE}

    def _matches(self) -> list[Entity]:
        return [entity for entity in self.world if self._constraints().items() <= entity.items()]

    def _offer(self, entity: Entity, key: str = "offer") -> None:
        matches = self._matches() or [entity]
        must = {"name": entity["name"]} if "name" in entity else {}
        may = {**entity, "count": str(len(matches))} if len(matches) > 1 else entity
        invite = self.domain.booking and self.chance(0.4)
        pieces = [Piece(key, "offer", must=must, may=may), *([Piece("invite", "offer_intent")] if invite else [])]
        self.add("system", *pieces, call=("find", dict(self.state[self.domain.name]), matches[:5]))
        self.mentioned = {act.slot or "" for act in self.turns[-1].acts}  # the user need not ask about these
        self.offered |= {entity["name"]} if "name" in entity else set()

    def _question(self, entity: Entity, only_ask: bool = False) -> Entity:
        """Let the user ask about the offer or for another one, or change a constraint."""
        domain, rng = self.domain, self.rng
        if not only_ask and "user alternative" in domain.phrases and self.chance(0.2):
            others = [other for other in self._matches() if other.get("name") not in self.offered]
            self.add("user", Piece("alternative", "request_alts"))
            if others:
                entity = dict(rng.choice(others))
                self._offer(entity, "alternative")
            else:
                self.add("system", Piece("nomatch", "notify_failure", may=entity))
            return entity
        if not only_ask and "user change" in domain.phrases and self.chance(0.25):
            slot = rng.choice(domain.phrases.sections["user change"])
            other_values = {s: v for s, v in self._constraints().items() if s != slot}
            others = [
                e
                for e in self.world
                if e[slot] != entity[slot] and ("name" not in e or other_values.items() <= e.items())
            ]
            if others:
                entity = settle({**rng.choice(others), **other_values})
                self.inform(f"change {slot}", "inform", {slot: entity[slot]})
                self._offer(entity)
                return entity
        open_slots = [slot for slot in domain.requests if slot not in self.mentioned]
        questions = rng.sample(open_slots, k=min(len(open_slots), 2 if self.chance(0.2) else 1))
        unstated = [s for s in domain.constraints if s not in self.state[domain.name] and f"noun {s}" in domain.phrases]
        unstated = [slot for slot in unstated if slot not in self.mentioned]
        if unstated and self.chance(0.5):
            questions = [rng.choice(unstated)]
        if not questions:
            return entity
        self.mentioned |= {*questions}
        name = {"name": entity["name"]} if "name" in entity else {}
        self.add("user", *(Piece(f"request {slot}", "request", slot, may=name) for slot in questions))
        answer = [Piece(f"inform {slot}", "inform", must={slot: entity[slot]}, may=entity) for slot in questions]
        more = [Piece("reqmore", "req_more")] if self.chance(0.25) else []
        self.add("system", *answer, *more)
        return entity

    def _book(self, entity: Entity) -> None:
        domain, rng, phrases = self.domain, self.rng, self.domain.phrases
        wish = {slot: draw(rng, phrases, slot) for slot in domain.booking}
        wish |= {slot: entity[slot] for slot in domain.booking if slot in self.state[domain.name]}
        first = {s: wish[s] for s in domain.booking if self.chance(0.4) and s not in self.state[domain.name]}
        name = {"name": entity["name"]} if "name" in entity else {}
        self.intent[domain.name] = "book"
        self.state[domain.name] |= {**first, **name}
        self.add("user", Piece("book", "book", must=first, may=name))
        for slot in domain.booking:
            if slot not in self.state[domain.name]:
                self.add("system", Piece(f"request {slot}", "request", slot))
                self.inform(f"inform {slot}", "inform", {slot: wish[slot]})
        if self.chance(0.4):
            self._confirm(entity, wish)
        if domain.retry and self.chance(0.2):
            wish[domain.retry] = self._another(wish, domain.retry)
            self.add("system", Piece("fail", "notify_failure", must={domain.retry: wish[domain.retry]}, may=name))
            self.state[domain.name][domain.retry] = wish[domain.retry]
            self.add("user", Piece("accept", "affirm"))
        ref = {"ref": draw(rng, phrases, "ref")}
        more = [Piece("reqmore", "req_more")] if self.chance(0.35) else []
        done = Piece("success", "notify_success", must=ref, may={**entity, **wish})
        self.add("system", done, *more, call=("book", {**name, **wish}, [{**entity, **wish, **ref}]))
        self.booked[domain.name] = (len(self.turns) - 1, {**entity, **ref})

    def _another(self, wish: dict[str, str], slot: str) -> str:
        return next(v for v in iter(lambda: draw(self.rng, self.domain.phrases, slot), "") if v != wish[slot])

    def _confirm(self, entity: Entity, wish: dict[str, str]) -> None:
        self.add("system", Piece("confirm", "confirm", must=dict(wish), may=entity))
        if self.chance(0.25):
            slot = self.rng.choice(self.domain.booking)
            wish[slot] = self._another(wish, slot)
            self.inform(f"correct {slot}", "correct", {slot: wish[slot]})
            self.add("system", Piece("confirm", "confirm", must=dict(wish), may=entity))
        self.add("user", Piece("affirm", "affirm"))

    def close(self) -> None:
        """Add thanks and goodbye."""
        is_question = any(act.name == "req_more" for act in self.turns[-1].acts)
        self.add("user", Piece("nomore" if is_question else "thanks", "thank_you"))
        self.add("system", Piece("bye", "goodbye"))


def converse(rng: Random, seed: int, *domains: Domain) -> Conversation:
    """Generate a dialogue about one domain after the other; a taxi takes the user to the entity found before."""
    talk = Conversation(rng, seed)
    entity: Entity = {}
    for domain in domains:
        if talk.turns and not any(act.name == "req_more" for act in talk.turns[-1].acts):
            talk.add("user", Piece("pause", "thank_you"))
            talk.add("system", Piece("reqmore", "req_more"))
        about = {"destination": entity["name"]} if domain.name == "taxi" and "name" in entity else None
        entity = talk.task(domain, about)
    talk.close()
    return talk
