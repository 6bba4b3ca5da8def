"""Names of participants in texts: recognised where they surely are names, and replaced by roles."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

from dataset_builders.own_data.turns import speakers

_SHORTEST = 3
_WORD = r"[^\W\d_][^\W\d_'’-]*(?:['’-][^\W\d_]+)*"
_BEFORE = "|".join(
    (
        r"hi|hello|hey|dear|mr\.?|mrs\.?|ms\.?|dr\.?|thanks|thank you|thx|bye|sorry|welcome|i am|i'm|i’m|this is|it is",
        r"it's|it’s|my name is|name is|called|привет|здравствуйте|здравствуй|добрый день|доброе утро|добрый вечер",
        r"уважаем\w+|дорог\w+|спасибо|извините|меня зовут|зовут|это|я|hallo|guten tag|guten morgen|guten abend|moin",
        r"liebe|lieber|herr|frau|danke|ich bin|hier ist|mein name ist",
    )
)
# A first or last name alone may be a word or a place ("Will you come to Chester?"). It is a name after a greeting,
# where somebody is introduced or addressed, and as a signature.
_NAMES = re.compile(
    rf"(?P<greeting>(?<!\w)(?i:{_BEFORE}),?\s+|@)(?P<greeted>{_WORD})"
    rf"|(?P<comma>,\s+)(?P<last>{_WORD})(?=\s*[.!?]*\s*$)"
    rf"|^(?P<blank>\s*)(?P<first>{_WORD})(?=\s*[,!:]|\s*\.?\s*$)",
    re.MULTILINE,
)


def name_parts(name: str) -> set[str]:
    """The parts by which a participant may be called: each capitalised word of the name.

    >>> sorted(name_parts("Zoe Ross (support)")), name_parts("Agent"), name_parts("Speaker 1")
    (['Ross', 'Zoe'], set(), set())
    """
    if not speakers.is_name(name) and not speakers.side(name):  # a label
        return set()
    words = {word for word in re.findall(_WORD, name) if word[0].isupper()}
    return {word for word in words if len(word) >= _SHORTEST and word.lower() not in speakers.ROLE_WORDS}


@functools.lru_cache(maxsize=1024)
def participants(names: frozenset[str]) -> Participants:
    """The participants with these names, made once: the conversations of a help desk have the same agents."""
    return Participants(names)


class Participants:
    r"""The participants of a conversation, whose names are replaced in its texts.

    Args:
        names: Names of the speakers.

    >>> Participants(["Will Ross", "Zoe (support)"]).replace("Hi Ross, will Will Ross come?\nZoe", lambda name: "[X]")
    ('Hi [X], will [X] come?\n[X]', 3)
    """

    def __init__(self, names: Iterable[str]) -> None:
        parts = {name.strip(): name_parts(name) for name in names}
        self._parts = {part for group in parts.values() for part in group}
        self._whole = sorted((name for name, group in parts.items() if group and " " in name), key=len, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is a name that a text may have."""
        return bool(self._parts)

    def replace(self, text: str, by: Callable[[str], str]) -> tuple[str, int]:
        """Replace names in a text.

        Args:
            text: The text.
            by: Function from a name, or a part of one, to what replaces it.

        Returns:
            The new text and the number of replacements.
        """
        if not any(part in text for part in self._parts):
            return text, 0
        count = 0
        for name in self._whole:
            if name in text:
                text, number = re.subn(rf"(?<!\w)@?{re.escape(name)}(?!\w)", by(name), text)
                count += number

        def one(match: re.Match[str]) -> str:
            nonlocal count
            name = match["greeted"] or match["last"] or match["first"]
            if name not in self._parts:
                return match[0]
            count += 1
            return match[0][: -len(name)].removeprefix("@") + by(name)

        return _NAMES.sub(one, text), count
