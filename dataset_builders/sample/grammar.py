"""Phrase files and how a phrase becomes a sentence.

A phrase file holds sections (`## user start`) with one phrase a line; a line that starts with `# ` is a remark. In a
phrase

- `[a|b|]` stands for one of the alternatives (an empty one is allowed, they may be nested),
- `{slot}` is filled with the slot's value,
- `<in the {area}>` is said only when all its slots are known,
- `a` becomes `an` where the next word starts with a vowel, and a question gets its mark.

A section `show SLOT` with lines `value = words` gives the words for a value that is not said as it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random

_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_OPTIONAL = re.compile(r"<([^<>]*)>")
_SLOT = re.compile(r"\{(\w+)\}")
# a filled slot is wrapped as \0 slot \1 words \2 until the text is final, so that its place is known exactly
_FILLED = re.compile("\0(\\w+)\1([^\2]*)\2")
_AN = re.compile("\\b([Aa]) ((?:\0\\w+\1)?)(?=[aeiouAEIOU])")
_ASKED = re.compile(r"(^|[.?!] )((?:Can|Could|Would|May) [^.?!]*)\.(?= |$)")
_SENTENCE = re.compile("(^|[.?!] )((?:\0\\w+\1)?)(\\w)")
_TRIES = 300


@dataclass(frozen=True)
class Said:
    """A sentence with the places of its slot values.

    Args:
        text: The sentence.
        spans: `(slot, start, exclusive end)` in characters, in the order said.
    """

    text: str
    spans: tuple[tuple[str, int, int], ...]


@cache
def read_sections(name: str) -> dict[str, list[str]]:
    """The sections of `texts/<name>.txt`: heading -> phrases."""
    sections: dict[str, list[str]] = {}
    heading = ""
    for line in (resources.files(__package__) / "texts" / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            sections[heading] = []
        elif line.strip() and not line.startswith("# "):
            sections[heading].append(line.strip())
    return sections


class Phrases:
    """Phrases of one or more files; a section of an earlier file hides the one of the same name in a later file."""

    def __init__(self, *names: str) -> None:
        self.sections: dict[str, list[str]] = {}
        for name in reversed(names):
            self.sections.update(read_sections(name))
        self._words = {
            key[5:]: dict(line.split(" = ") for line in lines)
            for key, lines in self.sections.items()
            if key.startswith("show ")
        }

    def __contains__(self, key: str) -> bool:
        return key in self.sections

    def table(self, key: str) -> dict[str, str]:
        """The section as value -> words; empty when there is none."""
        return dict(line.split(" = ") for line in self.sections.get(key, []))

    def show(self, slot: str, value: str) -> str:
        """How the value of a slot is said."""
        return self._words.get(slot, {}).get(value, value)

    def say(
        self,
        rng: Random,
        key: str,
        must: Mapping[str, str] | None = None,
        may: Mapping[str, str] | None = None,
        noun: str = "",
    ) -> Said:
        """One sentence of a section, which names all of `must`, some of `may` and no other slot.

        Args:
            rng: Chooses the phrase and its alternatives.
            key: Heading of the section.
            must: Slot -> value to be said.
            may: Slot -> value that may be said.
            noun: What `{noun}` in the phrase is about: one phrase of the section `noun <noun>` is put there.

        Raises:
            KeyError: No phrase of the section fits these slots.
        """
        must = must or {}
        known = {**(may or {}), **must}
        for _ in range(_TRIES):
            phrase = rng.choice(self.sections[key])
            if "{noun}" in phrase:
                phrase = phrase.replace("{noun}", rng.choice(self.sections[f"noun {noun}"]))
            phrase = _expand(phrase, rng, must, known)
            used = set(_SLOT.findall(phrase))
            if must.keys() <= used <= known.keys():
                return _fill(phrase, {slot: self.show(slot, known[slot]) for slot in used})
        raise KeyError(f"no phrase of {key!r} says {sorted(must)} out of {sorted(known)}")


@cache
def load_phrases(*names: str) -> Phrases:
    """`Phrases(*names)`, read once."""
    return Phrases(*names)


def _expand(phrase: str, rng: Random, must: Mapping[str, str], known: Mapping[str, str]) -> str:
    """Chooses the alternatives and the optional parts of a phrase."""

    def optional(match: re.Match[str]) -> str:
        slots = set(_SLOT.findall(match[1]))
        keep = slots <= must.keys() or (slots <= known.keys() and rng.random() < 0.6)
        return match[1] if keep else ""

    while _ALTERNATIVES.search(phrase):
        phrase = _ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), phrase)
    while _OPTIONAL.search(phrase):
        phrase = _OPTIONAL.sub(optional, phrase)
    return phrase


def _fill(phrase: str, words: Mapping[str, str]) -> Said:
    """Puts the words in, tidies up spaces, articles and capitals, and notes where the words stand."""
    text = _SLOT.sub(lambda match: f"\0{match[1]}\1{words[match[1]]}\2", phrase)
    # parts that were left out leave spaces and marks behind: the stronger mark of two stays
    text = re.sub(r"\s+(?=[.,:?!])", "", re.sub(r" {2,}", " ", text)).strip()
    text = re.sub(r"[,:]+(?=[.,?!])|(?<=[.?!])[.,]+", "", text)
    text = re.sub(r"([Pp]lease\b[^.?!]*), please(?=[.?!])", r"\1", text)  # once is polite enough
    text = _AN.sub(r"\1n \2", text)
    text = _ASKED.sub(r"\1\2?", _SENTENCE.sub(lambda match: match[1] + match[2] + match[3].upper(), text))
    parts, spans, length, end = [], [], 0, 0
    for match in _FILLED.finditer(text):
        parts += [text[end : match.start()], match[2]]
        start = length + match.start() - end
        length, end = start + len(match[2]), match.end()
        spans.append((match[1], start, length))
    return Said("".join([*parts, text[end:]]), tuple(spans))
