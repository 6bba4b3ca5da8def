"""Speakers: words for user and system in English and Russian, and the role of each speaker of a dialogue."""

from __future__ import annotations

import functools
from collections.abc import Sequence
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

# A single letter is a role only together with its counterpart: "A" and "B" are just two people. Latin and Cyrillic
# letters that look alike are often confused.
LETTERS: tuple[dict[str, Speaker], ...] = (
    {"q": "user", "a": "system", "а": "system"},
    {"в": "user", "о": "system", "b": "user", "o": "system"},
)

Role = Literal["user", "system", "prompt", "tool"]


def side(name: str) -> Speaker | None:
    """Return the role that a speaker's name implies, or None for a person's name.

    >>> side("Оператор"), side("human"), side("Anna")
    ('system', 'user', None)
    """
    name = name.casefold()
    if name in USER:
        return "user"
    return "system" if name in SYSTEM else None


def assign(names: Sequence[str], prompt_first: bool = False) -> list[Role]:
    """The role of each turn of one dialogue.

    Args:
        names: Speaker of each turn, as in the file.
        prompt_first: Whether a single `system` at the beginning is a prompt, as in OpenAI's `messages`, even if no
            assistant answers.

    Returns:
        `"user"` or `"system"`; `"prompt"` for instructions and `"tool"` for programs, which are not turns.

    Raises:
        BadRecord: A turn names no speaker, or more than two people speak.
    """
    distinct = tuple(dict.fromkeys(names))
    roles = _roles(distinct, prompt_first and names.count(distinct[0] if distinct else "") == 1)
    return [roles[name] for name in names]


@functools.lru_cache(maxsize=4096)
def _roles(names: tuple[str, ...], prompt_first: bool) -> dict[str, Role]:
    """The role of each name; names are in the order of their first turns."""
    plain = {name: name.strip().casefold() for name in names}
    distinct = list(dict.fromkeys(plain.values()))
    roles: dict[str, Role] = {}
    for name in distinct:
        if name in TOOL:
            roles[name] = "tool"
        elif role := side(name):
            roles[name] = role
    for couple in LETTERS:
        letters = {name: couple[name] for name in distinct if name in couple}
        if len(set(letters.values())) == 2:
            roles.update(letters)
    prompts = [name for name in distinct if name in PROMPT]
    if prompts:
        answered = "system" in roles.values()
        leading = prompt_first and prompts == distinct[:1]
        roles.update(dict.fromkeys(prompts, "prompt" if answered or leading else "system"))
    unknown = [name for name in distinct if name not in roles]
    if "" in unknown:
        raise BadRecord("a turn has no speaker")
    sides: tuple[Speaker, ...] = ("user", "system")
    free = [each for each in sides if each not in roles.values()]
    if len(unknown) > len(free):
        raise BadRecord(f"the speaker {unknown[0][:40]!r} is neither user nor assistant")
    roles.update(zip(unknown, free, strict=False))
    return {name: roles[plain[name]] for name in names}
