"""Conversations of an export -> dialogues: order, pauses, what is no turn, clean texts, and roles.

Every format goes through here, so that the same rules hold for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from dataset_builders.own_data.messages import Conversation, Message
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.rejects import LONGEST_TEXT, BadRecord, Tally, check_length
from dataset_builders.own_data.turns import speakers
from dataset_builders.own_data.turns.clean import clean, is_placeholder
from dataset_builders.own_data.turns.participants import Participants, name_parts, participants
from dataset_builders.own_data.turns.pauses import between_pauses
from dataset_builders.schema import ALL, Dialogue, Turn

DEFAULT_GAP = 6 * 3600.0
"""Pause in seconds that ends a conversation in an endless chat."""

_KEPT = {"media": "media", "notice": "notices", "tool": "tools", "prompt": "prompts"}
"""Kind of a message -> name of the option that keeps it, and of its count."""


def dialogues_of(
    conversation: Conversation, options: Options, tally: Tally, answering: frozenset[str] = frozenset()
) -> Iterator[Dialogue]:
    """The dialogues of a conversation; their ids are empty.

    Args:
        conversation: The conversation. Its messages are changed.
        options: Options of the user.
        tally: Counts to increase.
        answering: Names of those who answer, case-folded, if the whole file shows it.

    Raises:
        BadRecord: It has no turn with a text, or it is not evident who answers.
    """
    messages = in_order(conversation.messages)
    for message in messages:
        if len(message.text) > LONGEST_TEXT:
            check_length(message.text)
    people = None if options.keep_names else participants(frozenset([message.speaker for message in messages]))
    spoken, prompts = _spoken(messages, options, tally)
    if not any(message.text.strip() for message in spoken):
        raise BadRecord("no turn has a text")
    answering = options.answering or answering
    roles = _roles(spoken, answering)
    texts = [clean(m.text, m.is_html, tally) for m in spoken]
    if people:
        texts = _without_names(texts, people, dict(zip((m.speaker for m in spoken), roles, strict=True)), tally)
    turns = [Turn("user" if r == "user" else "system", t) for r, t in zip(roles, texts, strict=True)]
    scenario = "\n".join(filter(None, [conversation.scenario or "", *prompts])) or None
    gap = options.gap or (DEFAULT_GAP if conversation.is_chat else None)
    for start, end in between_pauses([m.time for m in spoken], gap):
        if part := turns[start:end]:
            yield Dialogue(
                "",
                conversation.split or ALL,
                part,
                language=conversation.language,
                domains=conversation.domains,
                scenario=scenario,
            )


def in_order(messages: list[Message]) -> list[Message]:
    """The messages in the order of their times, if all have one; else in the order of the file."""
    times = [message.time for message in messages]
    stamps = [time for time in times if time is not None]
    if len(stamps) < len(times) or all(a <= b for a, b in pairwise(stamps)):
        return messages
    return sorted(messages, key=lambda message: message.time or 0.0)


def speakers_of(conversation: Conversation) -> list[str]:
    """Names of those who speak and whose role the format does not know, in the order in which they first speak."""
    return list(dict.fromkeys(m.speaker for m in conversation.messages if m.kind == "text" and m.role is None))


def _spoken(messages: Iterable[Message], options: Options, tally: Tally) -> tuple[list[Message], list[str]]:
    """The messages that are turns, and the texts of the prompts."""
    spoken, prompts = [], []
    for message in messages:
        kind = message.kind
        if kind == "text" and is_placeholder(message.text):
            kind = "media"
        if kind == "text":
            spoken.append(message)
            continue
        tally.left_out[_KEPT[kind]] += 1
        if _KEPT[kind] in options.keep:
            spoken.append(replace(message, kind="text"))
        elif kind == "prompt" and message.text.strip():
            prompts.append(message.text.strip())
    return spoken, prompts


def _roles(spoken: list[Message], answering: frozenset[str]) -> list[str]:
    names = [m.speaker for m in spoken if m.role is None]
    if not names:
        return [m.role or "" for m in spoken]
    if any(m.role for m in spoken):  # the others are on the side that is free
        taken = {m.role for m in spoken if m.role}
        free = "user" if taken == {"system"} else "system" if taken == {"user"} else ""
        stated = {m.speaker: m.role for m in spoken if m.role}
        roles = [m.role or stated.get(m.speaker) or speakers.side(m.speaker) or free for m in spoken]
        if all(roles):
            return [role or "" for role in roles]
    by_name = iter(speakers.assign(names, answering=answering))
    return [m.role or next(by_name) for m in spoken]


def _without_names(texts: list[str], people: Participants, roles: dict[str, str], tally: Tally) -> list[str]:
    by_name = {part: role for name, role in roles.items() for part in (name.strip(), *name_parts(name))}
    replaced = [people.replace(text, lambda name: f"[{by_name.get(name, 'user').upper()}]") for text in texts]
    tally.left_out["names"] += sum(number for _, number in replaced)
    return [text for text, _ in replaced]
