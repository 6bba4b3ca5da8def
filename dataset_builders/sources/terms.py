"""Acts, domains and slots of a source in words that all sources share.

`Hotels_1`, `hotel` and `hotels` are one domain, `INFORM` and `inform` one act. Each source has a table beside its
builder, `<source>_terms.tsv`, with the columns kind (`act`, `domain` or `slot`), the source's own word, and the common
one. The rows keep both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

Kind = Literal["act", "domain", "slot"]

ACTS: Mapping[str, str] = {
    "inform": "gives information",
    "request": "asks for the value of a slot",
    "confirm": "asks whether something is right",
    "affirm": "says yes",
    "negate": "says no",
    "offer": "proposes an entity or a value",
    "select": "lets the other side choose between values, or chooses one",
    "recommend": "advises one of several",
    "request_alternatives": "asks for another proposal",
    "inform_count": "says how many entities fit",
    "no_offer": "finds nothing that fits",
    "offer_booking": "proposes to book, order or start something",
    "book": "books, orders or starts something",
    "notify_success": "says that it is done",
    "notify_failure": "says that it failed",
    "inform_intent": "says what it wants to do",
    "negate_intent": "does not want to do it",
    "request_more": "asks whether there is anything else",
    "greet": "greets or introduces itself",
    "thank": "thanks",
    "welcome": "answers to thanks",
    "goodbye": "ends the conversation",
    "instruct": "tells the other side what to do",
    "explain": "explains or reasons",
    "give_opinion": "says what it thinks or feels",
    "ask_opinion": "asks what the other side thinks",
    "hint": "leads towards an answer without giving it",
    "correct": "corrects what was said",
    "acknowledge": "shows that it understood",
    "repeat": "asks to repeat, or repeats",
    "wait": "asks to wait",
    "apologise": "apologises",
    "general": "any other talk",
}
"""The common acts, with the meaning of each. A union of those of SGD and MultiWOZ with those of tutoring and chat."""


@dataclass(frozen=True)
class Terms:
    """The table of a source.

    Attributes:
        common: Kind -> the source's own word -> the common one.
    """

    common: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path | None) -> Terms:
        """Read a table; None gives an empty one.

        Raises:
            ValueError: A line has no three columns or repeats a word, or its act is none of `ACTS`.
        """
        common: dict[str, dict[str, str]] = {"act": {}, "domain": {}, "slot": {}}
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
        for number, line in enumerate(lines, start=1):
            kind, *words = line.split("\t")
            if kind not in common or len(words) != 2 or words[0] in common[kind]:
                raise ValueError(f"{path}: line {number}: expected kind, a new word and the common one: {line!r}")
            if kind == "act" and words[1] not in ACTS:
                raise ValueError(f"{path}: line {number}: {words[1]!r} is no common act")
            common[kind][words[0]] = words[1]
        return cls(common)

    def of(self, kind: Kind, words: pa.Array) -> pa.Array:
        """Common words of n of the source's own; null where there is none."""
        table = self.common[kind]
        encoded = words.dictionary_encode()
        shared = pa.array([table.get(word) for word in encoded.dictionary.to_pylist()], pa.string())
        return shared.take(encoded.indices)

    def of_lists(self, kind: Kind, lists: Iterable[Iterable[str]]) -> list[list[str]]:
        """The same for lists of words, each common word once, in their order."""
        table = self.common[kind]
        return [list(dict.fromkeys(table[word] for word in words if word in table)) for words in lists]


def terms_of(module: str) -> Path:
    """Path of the table of a source.

    Args:
        module: `__file__` of the source's module.
    """
    return Path(module).with_name(f"{Path(module).stem}_terms.tsv")
