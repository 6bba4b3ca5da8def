"""Full-text search of turns, pairs and labelled utterances, as SQL; nothing here draws.

A plain scan with a regular expression answers within a second: 0.3 s of processor time on the 2.6 million turns of 52
sources. An index would have to be built for each corpus; DuckDB's own is an extension that needs a network to install.
Scoring is slower: "the" is in 654,119 of these turns and 803,445 of 1.9 million pairs. Of more than `RANKED` hits, a
part that is the same each time is scored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dataset_builders.dashboard.filters import Filters

Kind = Literal["dialogues", "pairs", "downstream"]
Order = Literal["relevance", "best", "worst"]

MOST = 1_000
"""Maximum number of hits that can be paged through; all are counted, and the download has all."""

RANKED = 100_000
"""About the maximum number of hits that are scored."""

_TERM = re.compile(r'(-?)(?:"([^"]+)"|(\S+))')

# letters of a word, in the syntax that RE2 and Python share
_BEFORE, _AFTER = r"(?:^|[^\pL\pM\pN])", r"(?:[^\pL\pM\pN]|$)"

_K1, _B = 1.2, 0.75
"""Usual constants of BM25 (Robertson & Zaragoza 2009)."""

_PART = 0.3
"""Weight of a term inside a longer word: `rest` in `restaurant`."""


@dataclass(frozen=True)
class Terms:
    """What a text must and must not contain, ignoring case.

    Attributes:
        wanted: Words and phrases that a hit contains.
        excluded: Words and phrases that it does not.

    >>> Terms.parse('cheap "train station" -taxi')
    Terms(wanted=('cheap', 'train station'), excluded=('taxi',))
    """

    wanted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Terms:
        """Read what a visitor typed: words, phrases in double quotes, `-` before what must not occur."""
        terms: dict[str, list[str]] = {"": [], "-": []}
        for sign, phrase, word in _TERM.findall(text):
            term = " ".join((phrase or word).replace('"', "").split())
            if term and term not in terms[sign]:
                terms[sign].append(term)
        return cls(tuple(terms[""]), tuple(terms["-"]))

    def __bool__(self) -> bool:
        return bool(self.wanted or self.excluded)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the wanted terms are in a text: half-open ranges of characters, ascending, without overlaps."""
        places = sorted(
            match.span() for term in self.wanted for match in re.finditer(pattern_of(term), text) if match.group()
        )
        merged: list[tuple[int, int]] = []
        for start, end in places:
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def pieces(self, text: str) -> Iterator[tuple[str, bool]]:
        """The text in pieces, each with whether it is a match."""
        done = 0
        for start, end in self.spans(text):
            if done < start:
                yield text[done:start], False
            yield text[start:end], True
            done = end
        if done < len(text):
            yield text[done:], False


def pattern_of(term: str) -> str:
    """Regular expression of a word or phrase, for RE2 and for Python; blanks match any white space."""
    return "(?i)" + r"\s+".join(re.escape(word) for word in term.split())


def _word_of(term: str) -> str:
    return f"(?i){_BEFORE}{pattern_of(term).removeprefix('(?i)')}{_AFTER}"


@dataclass(frozen=True)
class Search:
    """A search.

    Args:
        kind: What is searched: turns of dialogues, pairs or labelled utterances.
        terms: What a hit contains; nothing for all rows.
        filters: Filters of the page.
        flag: Flag of the pairs or labelled utterances; empty for all.
        label: Label of the labelled utterances; empty for all.
        order: Most relevant first, or pairs by their quality.
    """

    kind: Kind
    terms: Terms
    filters: Filters = field(default_factory=Filters)
    flag: str = ""
    label: str = ""
    order: Order = "relevance"

    @property
    def is_ranked(self) -> bool:
        """Whether the hits are in the order of their scores."""
        return bool(self.terms.wanted) and (self.kind != "pairs" or self.order == "relevance")

    @property
    def hits(self) -> tuple[str, list[Any]]:
        """SQL and parameters of the hits, at most `MOST`, in their order; ties in the order of their ids.

        The column `hits` has the number of all hits. If they are ranked and more than `RANKED`, an even sample of about
        `RANKED` of them is scored.
        """
        where, parameters = self._where()
        score, of_score = self._score("found_words")
        sample = f"WHERE hash({ORDER[self.kind]}) % greatest(1, ceil(hits / {RANKED}))::BIGINT = 0"
        sql = (
            f"WITH found AS MATERIALIZED (SELECT {COLUMNS[self.kind]}, {_WORDS[self.kind]} AS found_words "
            f"FROM {TABLES[self.kind]} {where}), size AS (SELECT count(*) AS hits FROM found) "
            f"SELECT found.* EXCLUDE (found_words), hits, {score} AS score FROM found, size "
            f"{sample if self.is_ranked else ''} ORDER BY {self._order}, {ORDER[self.kind]} LIMIT {MOST}"
        )
        return sql, [*parameters, *of_score]

    @property
    def every(self) -> tuple[str, list[Any]]:
        """SQL and parameters of all hits, for a download."""
        where, parameters = self._where()
        score, of_score = self._score(_WORDS[self.kind])
        sql = (
            f"SELECT {COLUMNS[self.kind]}, {score} AS score FROM {TABLES[self.kind]} {where} "
            f"ORDER BY {self._order}, {ORDER[self.kind]}"
        )
        return sql, [*of_score, *parameters]

    @property
    def _order(self) -> str:
        if self.kind == "pairs" and self.order != "relevance":
            return f"quality.score {'DESC' if self.order == 'best' else 'ASC'} NULLS LAST"
        return "score DESC"

    def _where(self) -> tuple[str, list[Any]]:
        texts = _TEXTS[self.kind]
        conditions, parameters = list[str](), list[Any]()
        for term in self.terms.wanted:
            conditions.append(f"({' OR '.join(f'regexp_matches({text}, ?)' for text in texts)})")
            parameters += [pattern_of(term)] * len(texts)
        for term in self.terms.excluded:
            conditions += [f"NOT regexp_matches({text}, ?)" for text in texts]
            parameters += [pattern_of(term)] * len(texts)
        if self.flag and self.kind != "dialogues":
            conditions.append("list_contains(flags, ?)")
            parameters.append(self.flag)
        if self.label and self.kind == "downstream":
            conditions.append("list_contains(coalesce(labels, [label]), ?)")
            parameters.append(self.label)
        where, of_filters = self.filters.where(("source", "split", "language"), *conditions)
        return where, [*of_filters, *parameters]

    def _score(self, words: str) -> tuple[str, list[Any]]:
        """BM25 without the weights by rarity, which are equal for all hits: each contains every term."""
        if not self.is_ranked:
            return "0.0", []
        texts = _TEXTS[self.kind]
        parts, parameters = [], []
        for term in self.terms.wanted:
            count = " + ".join(
                f"{weight} * len(regexp_extract_all({text}, ?))" for text in texts for weight in (1 - _PART, _PART)
            )
            parameters += [pattern for _ in texts for pattern in (_word_of(term), pattern_of(term))]
            frequency = f"({count})"
            parts.append(
                f"list_transform([{frequency}], lambda f: f * {_K1 + 1} / "
                f"(f + {_K1} * ({1 - _B} + {_B} * {words} / {_MEAN[self.kind]})))[1]"
            )
        return " + ".join(parts), parameters


def page_of(count: int, number: int, size: int) -> tuple[int, range]:
    """A page of hits that exists.

    Args:
        count: Number of hits.
        number: Number of the page, from 1.
        size: Hits on a page.

    Returns:
        The nearest page that exists, and the positions of its hits.
    """
    last = max(1, -(-count // size))
    number = min(max(number, 1), last)
    return number, range((number - 1) * size, min(number * size, count))


TABLES: dict[Kind, str] = {"dialogues": "turns", "pairs": "pairs", "downstream": "downstream"}
_TEXTS: dict[Kind, Sequence[str]] = {
    "dialogues": ("text",),
    "pairs": ("anchor", "positive"),
    "downstream": ("utterance",),
}
_WORDS: dict[Kind, str] = {"dialogues": "words", "pairs": "(anchor_words + positive_words)", "downstream": "words"}
_MEAN: dict[Kind, int] = {"dialogues": 12, "pairs": 24, "downstream": 8}
"""About the mean number of words in the corpus of 52 sources; the order of hits hardly depends on it."""
ORDER: dict[Kind, str] = {"dialogues": "dialogue_id, turn_index", "pairs": "pair_id", "downstream": "utterance_id"}
COLUMNS: dict[Kind, str] = {
    "dialogues": "dialogue_id, turn_index, speaker, text, source, split, language",
    "pairs": "pair_id, dialogue_id, turn_index, anchor_speaker, anchor, positive_speaker, positive, quality, flags, "
    "pair_type, context_turns, source, split, language",
    "downstream": "utterance_id, utterance, label, scenario, flags, source, split, language",
}
