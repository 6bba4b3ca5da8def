"""Filter: texts damaged by a wrong encoding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import TextFilter, findings, matching

# the replacement character, C0 controls except tab and line ends, C1 controls, noncharacters, private use, and the
# question marks that a lossy conversion puts in place of letters ("???????? ????")
_BROKEN = (
    r"\x{FFFD}|[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]|[\x{80}-\x{9F}]|[\x{E000}-\x{F8FF}]|[\x{FFFE}\x{FFFF}]"
    r"|(?:^|\s)\?{4,}\s+\?{2,}"
)
# first characters of UTF-8 read as Latin-1, Windows-1252 or Windows-1251: only such texts need a closer look
_SUSPECT = r"[ÂÃÄÅÎÏÐÑØÙâðàáâãåæçï][^\x00-\x7F]|[РСВГ][^\x00-\x7Fа-яё]|[вГ][Ђ€]"

_MAX_CHARACTERS = 20_000
"""Number of characters that ftfy reads, from the first suspect on; it takes up to 4 microseconds per character.

No utterance is as long, and a wrong encoding damages a text throughout.
"""


@dataclass(frozen=True)
class Encoding(TextFilter):
    """Texts with replacement or control characters, or with mojibake (UTF-8 that was read in another encoding).

    A text has mojibake if ftfy's `fix_encoding` would repair it; its authors report fewer than one false alarm in a
    million tweets (https://ftfy.readthedocs.io).

    Example: "CafÃ© MÃ¼ller" -> "reads: Café Müller"; near misses: "São Paulo", "«Ёлка…»", "naïve".
    """

    name: ClassVar[str] = "encoding"
    description: ClassVar[str] = "A text was damaged by a wrong encoding."

    def hits(self, texts: pa.Array) -> Findings:
        """The damaged texts. Value: the code points of broken characters, or the repaired text."""
        values: dict[int, str] = {}
        others = np.flatnonzero(~np.asarray(pc.string_is_ascii(texts)))
        if len(suspects := others[matching(texts.take(pa.array(others)), _SUSPECT)]):
            from ftfy import fix_encoding

            for row, text in zip(suspects.tolist(), texts.take(pa.array(suspects)).to_pylist(), strict=True):
                if len(text) > _MAX_CHARACTERS:
                    start = re.search(_SUSPECT, text).start()  # type: ignore[union-attr]  # RE2 has matched
                    text = text[start : start + _MAX_CHARACTERS]
                if (repaired := fix_encoding(text)) != text:
                    values[row] = f"reads: {repaired}"
        for row in matching(texts, _BROKEN).tolist():
            values[row] = _broken_characters(texts[row].as_py())
        rows = sorted(values)
        return findings(rows, [values[row] for row in rows])


def _broken_characters(text: str) -> str:
    broken = [
        c
        for c in dict.fromkeys(text)
        if c == "\ufffd" or 0xE000 <= ord(c) <= 0xF8FF or (not c.isprintable() and c not in "\t\n\r ")
    ]
    return " ".join(f"U+{ord(c):04X}" for c in broken) or text
