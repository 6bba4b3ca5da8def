"""Speakers: words for user and system in English and Russian, and the role of each speaker of a dialogue."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.schema import Speaker

_USER = (
    "user usr human customer client guest caller visitor student question prompter "
    "пользователь клиент покупатель человек гость посетитель абонент заказчик юзер вопрос"
)
_SYSTEM = (
    "assistant bot chatbot gpt chatgpt model ai agent operator support wizard sys answer bard llm "
    "ассистент бот чат-бот оператор агент помощник консультант поддержка менеджер специалист ответ"
)
USER, SYSTEM = frozenset(_USER.split()), frozenset(_SYSTEM.split())
PROMPT = frozenset({"system", "developer", "система"})
"""Names of either a prompt, which is not a turn, or the system: see `assign`."""

TOOL = frozenset({"tool", "function", "function_call", "observation", "tool_call", "tool_response"})
"""Names of messages between the assistant and programs, which are not turns."""

ROLE_WORDS = USER | SYSTEM | PROMPT | TOOL

# A single letter is a role only together with its counterpart: "A" and "B" are just two people. Latin and Cyrillic
# letters that look alike are often confused.
LETTERS: tuple[dict[str, Speaker], ...] = (
    {"q": "user", "a": "system", "а": "system"},
    {"в": "user", "о": "system", "b": "user", "o": "system"},
)

Role = Literal["user", "system", "prompt", "tool"]

_WORD = re.compile(r"[^\W\d_]+")
# labels that stand for people without naming them: "A", "Speaker 2", "0", "участник 1"
_LABEL = re.compile(
    r"(?:(?:speaker|spk|person|participant|party|говорящий|собеседник|участник|спикер)[\s_-]*)?(?:[a-zа-я]|\d{1,2})?"
)
_MIN_CONVERSATIONS = 3
"""Number of conversations from which the one name in all of them is evidence for the agent."""


@functools.lru_cache(maxsize=4096)
def side(name: str) -> Speaker | None:
    """Return the role that a speaker's name implies, or None for a person's name.

    >>> side("Оператор"), side("human"), side("Ann (Support)"), side("Anna")
    ('system', 'user', 'system', None)
    """
    name = name.strip().casefold()
    if name in USER:
        return "user"
    if name in SYSTEM:
        return "system"
    words = set(_WORD.findall(name))
    if len(words) < 2 or bool(words & USER) == bool(words & SYSTEM):
        return None
    return "user" if words & USER else "system"


def is_name(name: str) -> bool:
    """Whether a speaker's name is that of a person, rather than a role or a label such as "A" or "Speaker 2"."""
    plain = name.strip().casefold()
    return not (side(plain) or plain in PROMPT or plain in TOOL or _LABEL.fullmatch(plain))


def assign(names: Sequence[str], prompt_first: bool = False, answering: frozenset[str] = frozenset()) -> list[Role]:
    """The role of each turn of one conversation.

    Args:
        names: Speaker of each turn, as in the file.
        prompt_first: Whether a single `system` at the beginning is a prompt, as in OpenAI's `messages`, even if no
            assistant answers.
        answering: Names of those who answer, case-folded: from `--system-speaker`, or from `find_answering`. Then all
            other names are those of users.

    Returns:
        `"user"` or `"system"`; `"prompt"` for instructions and `"tool"` for programs, which are not turns.

    Raises:
        BadRecord: A turn names no speaker, or it is not evident who answers.
    """
    distinct = tuple(dict.fromkeys(names))
    first = prompt_first and bool(distinct) and names.count(distinct[0]) == 1
    roles = _roles(distinct, first, answering)
    return [roles[name] for name in names]


def find_answering(conversations: Iterable[Collection[str]]) -> frozenset[str]:
    """The one name that speaks in every conversation, if there is exactly one such name; else nothing.

    Args:
        conversations: Names of the speakers of each conversation.
    """
    count, appearances = 0, Counter[str]()
    for names in conversations:
        count += 1
        appearances.update({name.strip().casefold() for name in names})
    common = [name for name, number in appearances.most_common(2) if number == count]
    if count < _MIN_CONVERSATIONS or len(common) != 1 or len(appearances) < _MIN_CONVERSATIONS:
        return frozenset()
    return frozenset(common) if is_name(common[0]) else frozenset()


@functools.lru_cache(maxsize=4096)
def _roles(names: tuple[str, ...], prompt_first: bool, answering: frozenset[str]) -> dict[str, Role]:
    """The role of each name; names are in the order of their first turns."""
    plain = {name: name.strip().casefold() for name in names}
    distinct = list(dict.fromkeys(plain.values()))
    roles: dict[str, Role] = {}
    for name in distinct:
        if name in answering:
            roles[name] = "system"
        elif name in TOOL:
            roles[name] = "tool"
        elif role := side(name):
            roles[name] = role
    for couple in LETTERS:
        letters = {name: couple[name] for name in distinct if name in couple}
        if len(set(letters.values())) == 2:
            roles.update(letters)
    prompts = [name for name in distinct if name in PROMPT and name not in answering]
    if prompts:
        answered = "system" in roles.values()
        leading = prompt_first and prompts == distinct[:1]
        roles.update(dict.fromkeys(prompts, "prompt" if answered or leading else "system"))
    unknown = [name for name in distinct if name not in roles]
    if "" in unknown:
        raise BadRecord("a turn has no speaker")
    if answering:
        roles.update(dict.fromkeys(unknown, "user"))
    elif unknown:
        written = {plain[name]: name for name in reversed(names)}
        roles.update(zip(unknown, _free_roles(unknown, roles, written), strict=True))
    return {name: roles[plain[name]] for name in names}


def _free_roles(unknown: list[str], roles: dict[str, Role], written: dict[str, str]) -> list[Role]:
    """Roles of speakers whose names say nothing: the free one beside a known role, or labels in order of speaking."""
    taken = {role for role in roles.values() if role in ("user", "system")}
    if len(unknown) == 1 and len(taken) == 1:
        return ["system" if "user" in taken else "user"]
    people = [name for name in unknown if is_name(name)]
    if not people and not taken and len(unknown) <= 2:
        order: list[Role] = ["user", "system"]
        return order[: len(unknown)]
    shown = " or ".join(repr(written[name].strip()[:40]) for name in (people or unknown)[:3])
    raise BadRecord(f"it is not evident who answers, {shown}; name them: system_speaker (--system-speaker NAME)")
