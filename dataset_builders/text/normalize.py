"""When two texts count as the same: equal but for case, punctuation, spacing and Unicode form.

Works on arrow arrays: hundreds of thousands of texts a second.
"""

from __future__ import annotations

import hashlib
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NOT_WORD = r"[^\pL\pN\pM]+"
"""Anything but letters, digits and the marks that belong to letters, of any script (RE2 syntax)."""

_MARK = r"[\pM\x{FF9E}\x{FF9F}]"
"""A mark, or a letter that NFKC makes one."""
_LONG_RUN = rf"({_MARK}{{30}}){_MARK}+"
"""Marks after the 30th of a run count for nothing: no writing has so many (stream-safe text, UAX #15, section 13)."""

_ASCII = np.full(128, ord(" "), np.uint8)
"""Each ASCII byte as a lower-case letter or digit, or as the blank that stands for anything else."""
for _low, _high, _shift in (("0", "9", 0), ("a", "z", 0), ("A", "Z", 32)):
    _ASCII[ord(_low) : ord(_high) + 1] = np.arange(ord(_low), ord(_high) + 1) + _shift


def normalize(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Lower-case words of each text with single blanks between; the trimmed text itself if it has no word.

    Args:
        texts: Strings; NFKC makes full-width and composed forms equal.
    """
    codes = texts.dictionary_encode()  # people repeat themselves: each distinct text is looked at once
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    distinct = codes.dictionary
    is_ascii = np.asarray(pc.string_is_ascii(distinct))
    order = np.argsort(np.concatenate([np.flatnonzero(is_ascii), np.flatnonzero(~is_ascii)]))
    parts = [_ascii_words(distinct.filter(pa.array(is_ascii))), _words(distinct.filter(pa.array(~is_ascii)))]
    words = pc.utf8_trim_whitespace(pa.concat_arrays(parts).take(pa.array(order)))
    return pc.if_else(pc.equal(words, ""), pc.utf8_trim_whitespace(distinct), words).take(codes.indices)


def _words(texts: pa.Array) -> pa.Array:
    # Python sorts a run of marks in quadratic time: a megabyte of them takes 20 minutes
    if pc.any(pc.match_substring_regex(texts, _LONG_RUN)).as_py():
        texts = pc.replace_substring_regex(texts, pattern=_LONG_RUN, replacement=r"\1")
    # not pyarrow's own: before version 26 it decomposes where NFKC composes
    composed = pa.array([unicodedata.normalize("NFKC", text) for text in texts.to_pylist()], pa.string())
    folded = pc.utf8_lower(composed)
    return pc.replace_substring_regex(folded, pattern=_NOT_WORD, replacement=" ")


def _ascii_words(texts: pa.Array) -> pa.Array:
    """`_words` of ASCII texts (an array without an offset), on their bytes: several times as fast."""
    _, starts, content = texts.buffers()
    if content is None or not len(texts):
        return texts
    offsets = np.frombuffer(starts, np.int32)[: len(texts) + 1]
    letters = _ASCII[np.frombuffer(content, np.uint8)[: offsets[-1]]]
    is_word = letters != ord(" ")
    kept = is_word.copy()
    kept[1:] |= is_word[:-1]  # one blank after a word
    begins = offsets[:-1][np.diff(offsets) > 0]
    kept[begins] = is_word[begins]  # none before the first
    moved = np.concatenate([np.zeros(1, np.int32), np.cumsum(kept, dtype=np.int32)])[offsets]
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(moved), pa.py_buffer(letters[kept].tobytes()))


def text_hashes(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """uint64 a text, equal for texts with the same `normalize` (64-bit BLAKE2b)."""
    distinct = normalize(texts).dictionary_encode()
    digests = b"".join(_digest(text) for text in distinct.dictionary.to_pylist())
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)[np.asarray(distinct.indices)]


def text_ids(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    """16 hex digits a text: `text_hashes` as ids.

    >>> first, second = text_ids(pa.array(["Thank  you!", "thank you"]))
    >>> first == second
    True
    """
    distinct = normalize(texts).dictionary_encode()
    ids = [_digest(text).hex() for text in distinct.dictionary.to_pylist()]
    return [ids[i] for i in distinct.indices.to_pylist()]


def id_of_hash(value: int) -> str:
    """The id of a text whose hash is known."""
    return f"{value:016x}"


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def group_ids(ids: list[str], lengths: list[int]) -> list[str]:
    """One id for each run of `lengths` ids: equal for equal runs. The id of a dialogue from those of its turns."""
    groups, start = [], 0
    for length in lengths:
        groups.append(_digest("".join(ids[start : start + length])).hex())
        start += length
    return groups
