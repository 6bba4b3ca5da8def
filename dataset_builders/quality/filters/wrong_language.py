"""Filter: texts in a language other than the row's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Filter, Rows, findings, limit
from dataset_builders.text.language import are_alike, identifier

_SAMPLE = 100
"""Number of characters of a side that suffice to judge it; whole turns are taken until it is reached."""

# words that are common in one language and rare in all others of its script; texts with several of them are surely in
# that language, which makes the filter many times faster for these languages
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
    """Utterances, or all turns of one speaker in a dialogue, in a language other than the row's `language`.

    py3langid (Lui & Baldwin 2012, retrained; offline) identifies the language; its confidence must be at least
    `min_confidence`. Texts of fewer than `min_characters` characters are skipped because names and loan words would
    decide, as are rows whose language is `und` or unknown to py3langid.

    Example: the German WOZ files hold the English system turns -> "system speaks en (1.00): ...".
    """

    name: ClassVar[str] = "wrong_language"
    description: ClassVar[str] = "A side speaks another language than the row says."

    min_characters: int = limit(60, low=1)
    min_confidence: float = limit(0.95, low=0, high=1)

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Rows with a side in the wrong language. Value: the speaker, the identified language and the text."""
        detectable = [tag for tag in rows.table["language"].unique().to_pylist() if _is_known(tag)]
        if not detectable:
            return {self.name: findings([], [])}
        sides = _sides(rows)
        samples = _samples(rows, sides, np.asarray(pc.is_in(rows.table["language"], pa.array(detectable))))
        samples = samples.only(pc.utf8_length(samples.texts).to_numpy() >= self.min_characters)
        declared = rows.table["language"].take(pa.array(samples.row))
        samples = samples.only(~_evidently(samples.texts, declared))
        declared = rows.table["language"].take(pa.array(samples.row)).to_pylist()
        wrong = np.full(sides.max(initial=-1) + 1, -1)
        values: list[str] = []
        for side, language, text, by_system in zip(
            samples.side.tolist(), declared, samples.texts.to_pylist(), samples.by_system.tolist(), strict=True
        ):
            if other := self._other_language(text, language):
                wrong[side] = len(values)
                who = "" if rows.config == "downstream" else ("system speaks " if by_system else "user speaks ")
                values.append(f"{who}{other}: {text}")
        which = wrong[sides]
        return {self.name: rows.at(np.flatnonzero(which >= 0), findings([], values).values, which)}

    def _other_language(self, text: str, declared: str) -> str | None:
        """Language and confidence, such as `"en (0.99)"`; None if the text may be in the declared language."""
        expected = _language(declared)
        language, confidence = _classify(text)
        return (
            None
            if are_alike(language, expected) or confidence < self.min_confidence
            else f"{language} ({confidence:.2f})"
        )


@dataclass(frozen=True)
class _Samples:
    """The first texts of each side; all arrays have shape (sides,).

    Attributes:
        side: Number of the side; see `_sides`.
        row: Number of one of its rows.
        by_system: Whether the system is the speaker.
        texts: The first texts, about `_SAMPLE` characters.
    """

    side: np.ndarray
    row: np.ndarray
    by_system: np.ndarray
    texts: pa.Array

    def only(self, mask: np.ndarray) -> _Samples:
        """The sides that a mask selects, bool of shape (sides,)."""
        return _Samples(self.side[mask], self.row[mask], self.by_system[mask], self.texts.filter(pa.array(mask)))


def _evidently(texts: pa.Array, languages: pa.ChunkedArray) -> np.ndarray:
    """Whether each text has enough common words of its language, bool of shape (texts,)."""
    evident = np.zeros(len(texts), bool)
    for language, words in _COMMON.items():
        numbers = np.flatnonzero(pc.match_substring_regex(languages, f"^{language}(-|$)").to_numpy())
        if not len(numbers):
            continue
        pattern = rf"(?i)(?:^|[^\pL'])(?:{words.replace(' ', '|')})(?:[^\pL']|$)"
        counts = pc.count_substring_regex(texts.take(pa.array(numbers)), pattern=pattern).to_numpy()
        evident[numbers] = counts >= _ENOUGH_COMMON
    return evident


def _sides(rows: Rows) -> np.ndarray:
    """Side of each occurrence: a number shared by all texts of one speaker in one dialogue, shape (occurrences,)."""
    if rows.config == "downstream":
        return rows.row
    dialogue = rows.row
    if rows.config == "pairs":
        ids = rows.table["dialogue_id"]
        dialogue = pc.index_in(ids, pc.unique(ids)).to_numpy().astype(np.int64)[rows.row]
    return dialogue * 2 + rows.by_system


def _samples(rows: Rows, sides: np.ndarray, judged: np.ndarray) -> _Samples:
    """The first texts of each side, until they have `_SAMPLE` characters.

    Args:
        rows: The n rows.
        sides: Side of each occurrence; see `_sides`.
        judged: Whether to judge each row, bool of shape (n,); the same for all rows of a dialogue.
    """
    order = np.flatnonzero(judged[rows.row])
    order = order[np.argsort(sides[order], kind="stable")]
    if rows.config == "pairs":  # the positive of one pair is the anchor of the next: take it once
        ordered_sides, ordered_texts = sides[order], rows.text[order]
        again = (ordered_sides[1:] == ordered_sides[:-1]) & (ordered_texts[1:] == ordered_texts[:-1])
        order = order[np.concatenate([[True], ~again])[: len(order)]]
    lengths = rows.texts.lengths[rows.text[order]]
    total = np.cumsum(lengths) - lengths  # characters before each text, over all sides
    side = sides[order]
    starts = np.flatnonzero(np.diff(side, prepend=-1))
    before = total - np.repeat(total[starts], np.diff(starts, append=len(side)))
    sample = order[before < _SAMPLE]
    side, first = np.unique(sides[sample], return_index=True)
    offsets = pa.array(np.append(first, len(sample)), pa.int32())
    texts = pa.ListArray.from_arrays(offsets, rows.distinct.take(pa.array(rows.text[sample])))
    joined = pc.utf8_slice_codeunits(pc.binary_join(texts, " "), 0, 2 * _SAMPLE)
    return _Samples(side, rows.row[sample[first]], rows.by_system[sample[first]], joined)


def _language(tag: str) -> str:
    return tag.split("-")[0].lower()


def _is_known(tag: str) -> bool:
    """Whether py3langid knows the language of a tag; `und`, the usual one of own data, needs no model."""
    return _language(tag) != "und" and _language(tag) in identifier().labels


@lru_cache(maxsize=20_000)
def _classify(text: str) -> tuple[str, float]:
    """Language of a text and the confidence in it, kept because pairs have the texts of their dialogues again."""
    return identifier().classify(text)
