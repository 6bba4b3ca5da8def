"""Texts in another language than the row says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings, limit

_SAMPLE = 100
"""Characters of a side that are enough to judge it (whole turns until there are so many)."""

# languages that a short text cannot tell apart: confusing them is no finding
_ALIKE = [
    {"no", "nb", "nn", "da", "sv"},
    {"hr", "sr", "bs", "sh", "sl"},
    {"id", "ms", "jv", "su"},
    {"cs", "sk"},
    {"pt", "gl"},
    {"en", "pcm"},
    {"fa", "prs", "tg"},
    {"zh", "yue", "wuu"},
]

# words that are common in one language and rare in every other of the Latin or Cyrillic script: texts with several of
# them need no closer look, which makes the filter many times faster for these languages (the others are all looked at)
_COMMON = {
    "de": "ich und der das nicht ist ein eine sie mir für mit bitte auf den wir haben einen",
    "en": "the you and what would that have are your please thank with this there my can i'd like need looking how "
    "about some which should could where when from i'm it's i'll that's yes going something they",
    "es": "que el los las una por para con está quiero gracias usted hay muy pero",
    "fr": "je vous les des est une pour dans avec que pas merci voudrais votre nous",
    "it": "che di il per non sono è vorrei nella della grazie gli anche cosa un",
    "ru": "что мне это есть или как вы если можно спасибо пожалуйста только меня нужно для хочу",
}
_ENOUGH_COMMON = 3


@dataclass(frozen=True)
class WrongLanguage(Filter):
    """One side of a dialogue (all that a speaker says in it), or an utterance, in another language than `language`.

    Found with py3langid (Lui & Baldwin 2012, retrained; offline), which must be at least `min_confidence` sure. Texts
    of fewer than `min_characters` characters are not judged: names and loan words decide there. Rows of language `und`
    and of languages the identifier does not know are skipped.

    Example: the German WOZ files hold the English system turns -> "system speaks en (1.00): ...".
    """

    name: ClassVar[str] = "wrong_language"
    description: ClassVar[str] = "A side speaks another language than the row says."

    min_characters: int = limit(60, low=1)
    min_confidence: float = limit(0.95, low=0, high=1)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Rows with a side in the wrong language; value: which side, the language found, and the text."""
        sides = _sides(rows)  # of every occurrence
        samples = _samples(rows, sides)
        declared = rows.table["language"].take(pa.array(samples.row))
        samples = samples.only(~_evidently(samples.texts, declared))
        declared = rows.table["language"].take(pa.array(samples.row)).to_pylist()
        wrong = np.full(sides.max(initial=-1) + 1, -1)
        values: list[str] = []
        for side, language, text, by_system in zip(
            samples.side.tolist(), declared, samples.texts.to_pylist(), samples.by_system.tolist(), strict=True
        ):
            if len(text) < self.min_characters:
                continue
            if found := self._other_language(text, language):
                wrong[side] = len(values)
                who = "" if rows.config == "downstream" else ("system speaks " if by_system else "user speaks ")
                values.append(f"{who}{found}: {text}")
        which = wrong[sides]
        return {self.name: rows.at(np.flatnonzero(which >= 0), findings([], values).values, which)}

    def _other_language(self, text: str, declared: str) -> str | None:
        """`"en (0.99)"`, or None when the text is, or may be, in the declared language."""
        wanted = declared.split("-")[0].lower()
        identifier = _identifier()
        if wanted not in identifier.labels:
            return None
        language, confidence = identifier.classify(text)
        alike = language == wanted or any({language, wanted} <= group for group in _ALIKE)
        return None if alike or confidence < self.min_confidence else f"{language} ({confidence:.2f})"


@dataclass(frozen=True)
class _Samples:
    """The first texts of each side.

    Attributes:
        side: Number of the side.
        row: A row it belongs to.
        by_system: Whether the system speaks.
        texts: About `_SAMPLE` characters.
    """

    side: np.ndarray
    row: np.ndarray
    by_system: np.ndarray
    texts: pa.Array

    def only(self, these: np.ndarray) -> _Samples:
        """Some of the sides."""
        return _Samples(self.side[these], self.row[these], self.by_system[these], self.texts.filter(pa.array(these)))


def _evidently(texts: pa.Array, languages: pa.ChunkedArray) -> np.ndarray:
    """Texts with enough common words of their language, bool of shape (texts,)."""
    evident = np.zeros(len(texts), bool)
    for language, words in _COMMON.items():
        these = np.flatnonzero(pc.match_substring_regex(languages, f"^{language}(-|$)").to_numpy())
        pattern = rf"(?i)(?:^|[^\pL'])(?:{words.replace(' ', '|')})(?:[^\pL']|$)"
        evident[these] = (
            pc.count_substring_regex(texts.take(pa.array(these)), pattern=pattern).to_numpy() >= _ENOUGH_COMMON
        )
    return evident


def _sides(rows: Rows) -> np.ndarray:
    """For each occurrence a number that it shares with the other texts of the same speaker in the same dialogue."""
    if rows.config == "downstream":
        return rows.row
    dialogue = rows.row
    if rows.config == "pairs":
        ids = rows.table["dialogue_id"]
        dialogue = pc.index_in(ids, pc.unique(ids)).to_numpy().astype(np.int64)[rows.row]
    return dialogue * 2 + rows.by_system


def _samples(rows: Rows, sides: np.ndarray) -> _Samples:
    order = np.argsort(sides, kind="stable")
    if rows.config == "pairs":  # the positive of one pair is the anchor of the next
        ordered_sides, ordered_texts = sides[order], rows.text[order]
        again = (ordered_sides[1:] == ordered_sides[:-1]) & (ordered_texts[1:] == ordered_texts[:-1])
        order = order[np.concatenate([[True], ~again])[: len(order)]]
    lengths = pc.utf8_length(rows.distinct).to_numpy().astype(np.int64)[rows.text[order]]
    said = np.cumsum(lengths) - lengths  # characters before, over all sides
    side = sides[order]
    starts = np.flatnonzero(np.diff(side, prepend=-1))
    before = said - np.repeat(said[starts], np.diff(starts, append=len(side)))
    chosen = order[before < _SAMPLE]
    side, first = np.unique(sides[chosen], return_index=True)
    offsets = pa.array(np.append(first, len(chosen)), pa.int32())
    texts = pa.ListArray.from_arrays(offsets, rows.distinct.take(pa.array(rows.text[chosen])))
    joined = pc.utf8_slice_codeunits(pc.binary_join(texts, " "), 0, 2 * _SAMPLE)
    return _Samples(side, rows.row[chosen[first]], rows.by_system[chosen[first]], joined)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
