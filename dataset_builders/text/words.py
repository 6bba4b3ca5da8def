"""The number of words of a text, in any script.

White space separates words. Chinese, Japanese, Thai, Lao, Khmer and Burmese have none between words, so there the
number of characters decides:

| script | characters per word |
|---|---|
| Chinese characters, hiragana, katakana | 2 |
| Thai, Lao, Khmer, Burmese | 6 |

A written Chinese word has 1.6 to 1.7 characters on average (DeFrancis and Zheng, in Hannas, "Asia's Orthographic
Dilemma"); the standard GMX-V 2.0 divides characters by 2.8 for Chinese, 3.0 for Japanese and 6.0 for Thai to get the
words of a translation. Two lies between: xpersona's translations then have 1.1 words per English one in Japanese and
0.66 in Chinese, as in Korean, which has blanks. A Khmer corpus of 1.1 million characters has 160,000 words (Bi and
Taing, 2014).

The macro `word_count` in `sql/macros.sql` gives the same number.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# in RE2's syntax; with planes 2 and 3, whose characters newer versions of Unicode name, and the marks of sound and
# length that belong to no script
_TWO = r"\p{Han}\x{20000}-\x{3FFFF}\p{Hiragana}\p{Katakana}\x{3099}-\x{309C}\x{30FC}\x{FF70}\x{FF9E}\x{FF9F}"
_SIX = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"

UNSPACED = f"[{_TWO}{_SIX}]"
"""A character of a script without blanks between words (RE2 syntax)."""

_OTHER = rf"[^{_TWO}{_SIX}\s\pZ\pC\pP\pS]+"
_WORD = rf"[{_TWO}]{{1,2}}|[{_SIX}]{{1,6}}|{_OTHER}(?:[[:punct:]’]+{_OTHER})*"
"""A word of a text with such a character; "3.5", "don't" and "a/b" are one word, punctuation alone is none."""


def word_counts(texts: pa.Array) -> np.ndarray:
    """Number of words of each text, int64 of shape (n,).

    >>> word_counts(pa.array(["I'd like tea - please.", "我想订一个便宜的酒店。", "wifi有吗？"])).tolist()
    [5, 5, 2]
    """
    is_ascii = np.asarray(pc.string_is_ascii(texts))
    counts = np.zeros(len(texts), np.int64)
    counts[is_ascii] = _ascii_counts(texts.filter(pa.array(is_ascii)))
    others = texts.filter(pa.array(~is_ascii))
    trimmed = pc.utf8_trim_whitespace(others)
    words = pc.list_value_length(pc.utf8_split_whitespace(trimmed)).to_numpy()
    # "" splits into one empty word
    counts[~is_ascii] = np.where(pc.equal(trimmed, "").to_numpy(zero_copy_only=False), 0, words)
    rows = unspaced(texts)
    if len(rows):
        counts[rows] = pc.count_substring_regex(texts.take(pa.array(rows)), _WORD).to_numpy()
    return counts


_BLANK = np.zeros(128, bool)
_BLANK[[*range(9, 14), *range(28, 33)]] = True
"""Whether each ASCII character separates words, as in `utf8_split_whitespace`."""


def _ascii_counts(texts: pa.Array) -> np.ndarray:
    """Number of words of ASCII texts, several times as fast since it works on bytes; the array must have no offset."""
    _, starts, content = texts.buffers()
    if content is None or not len(texts):
        return np.zeros(len(texts), np.int64)
    offsets = np.frombuffer(starts, np.int32)[: len(texts) + 1]
    is_blank = _BLANK[np.frombuffer(content, np.uint8)[: offsets[-1]]]
    begins = ~is_blank
    begins[1:] &= is_blank[:-1]
    first = offsets[:-1][np.diff(offsets) > 0]
    begins[first] = ~is_blank[first]
    return np.diff(np.searchsorted(np.flatnonzero(begins), offsets))


def unspaced(texts: pa.Array) -> np.ndarray:
    """Indices of the texts with a character of a script without blanks between words, int64 of shape (n,)."""
    rows = np.flatnonzero(~np.asarray(pc.string_is_ascii(texts)))
    some = texts if len(rows) == len(texts) else texts.take(pa.array(rows))
    return rows[pc.match_substring_regex(some, UNSPACED).to_numpy(zero_copy_only=False)]
