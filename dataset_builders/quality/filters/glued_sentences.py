"""Filter: sentences without a blank between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import TextFilter, findings, matching
from dataset_builders.text.words import UNSPACED

_CANDIDATE = r"\p{Ll}{2}(?:\.\p{Lu}|[!?]+\p{L}{2})"
_NO_BLANK_NEEDED = rf"([!?])({UNSPACED})"
_SPOT = re.compile(r"(?<!\w)(\w+)([.!?]+)(?=(\w+))")  # begins at a word's beginning, so reads each character once

# a point after these is part of the word; a sentence never ends with an article ("Arc The.Hotel")
_NO_END = re.compile(
    "the|an|mrs|prof|rev|gen|col|capt|sgt|etc|vol|approx|bzw|evtl|inkl|ggf|str|nr|hr|tel|abs"
    "|ул|пр|им|гор|обл|стр|тел|проф|акад|корп|кв|пер|пл|наб"
)
# endings of names of sites, programs and files after the point
_NAME_ENDS = re.compile("com|net|org|edu|gov|info|biz|io|js|py|ru|de|uk|eu|tv|pdf|doc|txt|jpg")
_ADDRESS = re.compile(r"://|www\.|[@=/\\]")


@dataclass(frozen=True)
class GluedSentences(TextFilter):
    """Texts in which no blank separates two sentences: "want.Thank".

    The cause is line breaks that were removed instead of replaced (reported for SGD); a tokenizer then sees one odd
    word. A hit needs two lower-case letters before the mark and a capital after a point, which excludes "p.m.", "3.50",
    "e.g." and "www.example.com". A lower-case sentence after a point ("please.book") looks like the name of a site.
    Chinese, Japanese and other scripts without blanks between words need none after a mark.

    Example: "That is all I want.Thank you" -> "want.Thank".
    """

    name: ClassVar[str] = "glued_sentences"
    description: ClassVar[str] = "Two sentences follow each other without a space."

    def hits(self, texts: pa.Array) -> Findings:
        """The texts with glued sentences. Value: the first such spot."""
        rows, values = [], []
        candidates = matching(texts, _CANDIDATE)
        spaced = pc.replace_substring_regex(texts.take(pa.array(candidates)), _NO_BLANK_NEEDED, r"\1 \2")
        for row, text in zip(candidates.tolist(), spaced.to_pylist(), strict=True):
            if spot := _glued(text):
                rows.append(row)
                values.append(spot)
        return findings(rows, values)


def _glued(text: str) -> str | None:
    for token in text.split():
        if _ADDRESS.search(token):
            continue
        for match in _SPOT.finditer(token):
            before, mark, after = match.groups()
            if not (before[-2:].isalpha() and before[-2:].islower() and len(before) > 1):
                continue
            if _NO_END.fullmatch(before.lower()) or _NAME_ENDS.fullmatch(after.lower()):
                continue
            starts_sentence = after[0].isupper() if mark == "." else len(after) > 1 and after[:2].isalpha()
            if starts_sentence:
                return before + mark + after
    return None
