"""Read phrase files, and make sentences from phrases.

A phrase file has sections (`## user start`) with one phrase per line; lines that start with `# ` are comments. In a
phrase

- `[a|b|]` is replaced with one of the alternatives, which may be empty or nested,
- `{slot}` is replaced with the slot's value,
- `<in the {area}>` is optional, and omitted if one of its slots has no value,
- `a` becomes `an` before a vowel, and questions get a question mark.

A section `show SLOT` with lines `value = words` holds the words for values that are spoken differently.
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
# filled slots are wrapped as \0 slot \1 words \2 until the text is final, to find their exact positions
_FILLED = re.compile("\0(\\w+)\1([^\2]*)\2")
_AN = re.compile("\\b([Aa]) ((?:\0\\w+\1)?)(?=[aeiouAEIOU])")
_ASKED = re.compile(r"(^|[.?!] )((?:Can|Could|Would|May) [^.?!]*)\.(?= |$)")
_SENTENCE = re.compile("(^|[.?!] )((?:\0\\w+\1)?)(\\w)")
_TRIES = 300


@dataclass(frozen=True)
class Sentence:
    """A sentence with the positions of its slot values.

    Args:
        text: The sentence.
        spans: (slot, start, exclusive end) of each value in characters, in order.
    """

    text: str
    spans: tuple[tuple[str, int, int], ...]


@cache
def read_sections(name: str) -> dict[str, list[str]]:
    """The sections of `texts/<name>.txt`: phrases by heading."""
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
    """Phrases of one or more files. A section hides the sections of the same name in later files."""

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
        """The lines `value = words` of a section as a dict; empty if there is no such section."""
        return dict(line.split(" = ") for line in self.sections.get(key, []))

    def show(self, slot: str, value: str) -> str:
        """The words for the value of a slot."""
        return self._words.get(slot, {}).get(value, value)

    def say(
        self,
        rng: Random,
        key: str,
        must: Mapping[str, str] | None = None,
        may: Mapping[str, str] | None = None,
        noun: str = "",
    ) -> Sentence:
        """Make a sentence from a section; it names all slots in `must`, some in `may` and no others.

        Args:
            rng: Random generator that chooses the phrase and its alternatives.
            key: Heading of the section.
            must: Values by slot that the sentence has to name.
            may: Values by slot that the sentence may name.
            noun: Name of the section `noun <noun>` with the phrases that replace `{noun}`.

        Raises:
            KeyError: No phrase of the section fits these slots.
        """
        must = must or {}
        values = {**(may or {}), **must}
        for _ in range(_TRIES):
            phrase = rng.choice(self.sections[key])
            if "{noun}" in phrase:
                phrase = phrase.replace("{noun}", rng.choice(self.sections[f"noun {noun}"]))
            phrase = _expand(phrase, rng, must, values)
            used = set(_SLOT.findall(phrase))
            if must.keys() <= used <= values.keys():
                return _fill(phrase, {slot: self.show(slot, values[slot]) for slot in used})
        raise KeyError(f"no phrase of {key!r} names {sorted(must)} out of {sorted(values)}")


@cache
def load_phrases(*names: str) -> Phrases:
    """`Phrases(*names)`, read once."""
    return Phrases(*names)


def _expand(phrase: str, rng: Random, must: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Choose the alternatives and the optional parts of a phrase."""

    def optional(match: re.Match[str]) -> str:
        slots = set(_SLOT.findall(match[1]))
        keep = slots <= must.keys() or (slots <= values.keys() and rng.random() < 0.6)
        return match[1] if keep else ""

    while _ALTERNATIVES.search(phrase):
        phrase = _ALTERNATIVES.sub(lambda match: rng.choice(match[1].split("|")), phrase)
    while _OPTIONAL.search(phrase):
        phrase = _OPTIONAL.sub(optional, phrase)
    return phrase


def _fill(phrase: str, words: Mapping[str, str]) -> Sentence:
    """Insert the words, tidy up spaces, articles and capitals, and find the positions of the words."""
    text = _SLOT.sub(lambda match: f"\0{match[1]}\1{words[match[1]]}\2", phrase)
    # omitted parts leave spaces and marks behind: keep the stronger of two marks
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
    return Sentence("".join([*parts, text[end:]]), tuple(spans))
