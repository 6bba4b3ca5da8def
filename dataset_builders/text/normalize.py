"""Normal form of texts: equal for texts that differ only in case, punctuation, spacing and Unicode form.

The functions work on arrow arrays and process hundreds of thousands of texts per second.
"""

from __future__ import annotations

import hashlib
import unicodedata
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NOT_WORD = r"[^\pL\pN\pM]+"
"""Anything but letters, digits and combining marks of any script (RE2 syntax)."""

_MARK = r"[\pM\x{FF9E}\x{FF9F}]"
"""A combining mark, or a letter that NFKC turns into one."""
_TWO_MARKS = rf"{_MARK}{{2}}"
_LONG_RUN = rf"({_MARK}{{30}}){_MARK}+"
"""A run of more than 30 marks, of which 30 are used: no script needs more (stream-safe text, UAX #15, section 13)."""

_TABLE_END = 0x3000
"""Texts of characters below it need no search by patterns: those of all scripts but East Asian ones, and no emoji."""

_ASCII = np.full(128, ord(" "), np.uint8)
"""Replacement of each ASCII byte: lower-case letters and digits, a space for everything else."""
for _low, _high, _shift in (("0", "9", 0), ("a", "z", 0), ("A", "Z", 32)):
    _ASCII[ord(_low) : ord(_high) + 1] = np.arange(ord(_low), ord(_high) + 1) + _shift


def normalize(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Lower-case words of each text, separated by single spaces; the trimmed text if it has no word.

    Args:
        texts: n strings. Unicode variants of a character, such as full-width or decomposed forms, become equal (NFKC).

    Returns:
        n strings.
    """
    codes = texts.dictionary_encode()  # utterances repeat, so that each distinct text is processed once
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    distinct = codes.dictionary
    is_ascii = np.asarray(pc.string_is_ascii(distinct))
    if is_ascii.all():
        words = _ascii_words(distinct)
    else:
        order = np.argsort(np.concatenate([np.flatnonzero(is_ascii), np.flatnonzero(~is_ascii)]))
        parts = [_ascii_words(distinct.filter(pa.array(is_ascii))), _words(distinct.filter(pa.array(~is_ascii)))]
        words = pa.concat_arrays(parts).take(pa.array(order))
    words = pc.utf8_trim_whitespace(words)
    is_empty = pc.equal(words, "")
    if pc.any(is_empty).as_py():
        words = pc.if_else(is_empty, pc.utf8_trim_whitespace(distinct), words)
    return words if len(words) == len(codes) else words.take(codes.indices)  # in the order of their first occurrence


def _words(texts: pa.Array) -> pa.Array:
    """The words of texts, three times as fast as `_composed_words` where all characters of a text are in the table."""
    if not len(texts):
        return texts
    ends = np.cumsum(pc.utf8_length(texts).to_numpy(), dtype=np.int64)
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), np.uint32)
    letters = _table()[np.minimum(points, _TABLE_END)]
    others = np.unique(np.searchsorted(ends, np.flatnonzero(letters == 0), "right"))
    letters, bounds = _single_spaced(letters, np.append(0, ends))
    joined = letters.tobytes().decode("utf-32-le")
    words = pa.array([joined[start:end] for start, end in pairwise(bounds.tolist())], pa.string())
    if len(others):
        rows = np.arange(len(texts))
        rows[others] = len(texts) + np.arange(len(others))
        composed = _composed_words(texts.take(pa.array(others)))
        words = pa.concat_arrays([words, composed]).take(pa.array(rows))
    return words


@cache
def _table() -> np.ndarray:
    """What `_composed_words` makes of each character below `_TABLE_END` alone, uint32 of shape (`_TABLE_END` + 1,).

    0 at the end, and for characters that become several or depend on those beside them: combining marks, and the vowels
    and last consonants of Korean, which NFKC joins to the character before them.
    """
    characters = [chr(point) for point in range(_TABLE_END)]
    table = np.zeros(_TABLE_END + 1, np.uint32)
    for point, words in enumerate(_composed_words(pa.array(characters)).to_pylist()):
        is_joined = 0x1100 <= point < 0x1200 or unicodedata.category(characters[point]).startswith("M")
        table[point] = 0 if is_joined or len(words) != 1 else ord(words)
    return table


def _composed_words(texts: pa.Array) -> pa.Array:
    # Python's NFKC sorts a run of marks in quadratic time: a megabyte of them takes 20 minutes
    # (few texts have two marks in a row, which is much cheaper to see)
    stacked = texts.filter(pc.match_substring_regex(texts, _TWO_MARKS))
    if len(stacked) and pc.any(pc.match_substring_regex(stacked, _LONG_RUN)).as_py():
        texts = pc.replace_substring_regex(texts, pattern=_LONG_RUN, replacement=r"\1")
    # not pyarrow's NFKC, which decomposes instead of composing before version 26
    composed = pa.array([unicodedata.normalize("NFKC", text) for text in texts.to_pylist()], pa.string())
    folded = pc.utf8_lower(composed)
    return pc.replace_substring_regex(folded, pattern=_NOT_WORD, replacement=" ")


def _ascii_words(texts: pa.Array) -> pa.Array:
    """`_words` for ASCII texts, faster still because it works on bytes; the array must have no offset."""
    _, starts, content = texts.buffers()
    if content is None or not len(texts):
        return texts
    offsets = np.frombuffer(starts, np.int32)[: len(texts) + 1]
    letters, bounds = _single_spaced(_ASCII[np.frombuffer(content, np.uint8)[: offsets[-1]]], offsets)
    starts = pa.py_buffer(bounds.astype(np.int32))
    return pa.StringArray.from_buffers(len(texts), starts, pa.py_buffer(letters.tobytes()))


def _single_spaced(letters: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Characters of n texts with one space after each word and none elsewhere, and the bounds of each text in them.

    Args:
        letters: Characters of all texts, in which spaces separate words.
        offsets: Bounds of each text, shape (n + 1,).
    """
    is_word = letters != ord(" ")
    keep = is_word.copy()
    keep[1:] |= is_word[:-1]  # one space after a word
    first = offsets[:-1][np.diff(offsets) > 0]
    keep[first] = is_word[first]  # no space at the start of a text
    return letters[keep], offsets - np.searchsorted(np.flatnonzero(~keep), offsets)


def text_hashes(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Hash of each text's normal form (BLAKE2b), uint64 of shape (n,)."""
    return normal_hashes(normalize(texts))


def normal_hashes(normal: pa.Array) -> np.ndarray:
    """`text_hashes` of n texts whose normal forms are known."""
    digests = (hashlib.blake2b(text, digest_size=8).digest() for text in normal.cast(pa.binary()).to_pylist())
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def text_ids(texts: pa.Array | pa.ChunkedArray) -> list[str]:
    """`text_hashes` as ids of 16 hex digits.

    >>> first, second = text_ids(pa.array(["Thank  you!", "thank you"]))
    >>> first == second
    True
    """
    distinct = normalize(texts).dictionary_encode()
    ids = [_digest(text).hex() for text in distinct.dictionary.to_pylist()]
    return [ids[i] for i in distinct.indices.to_pylist()]


def id_of_hash(value: int) -> str:
    """Id of the text with this hash."""
    return f"{value:016x}"


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def ids_of_hashes(hashes: np.ndarray) -> pa.Array:
    """`id_of_hash` of n hashes, uint64 of shape (n,), as n strings.

    >>> ids_of_hashes(np.array([1, 255], np.uint64)).to_pylist()
    ['0000000000000001', '00000000000000ff']
    """
    digits = pa.py_buffer(hashes.astype(">u8").tobytes().hex().encode())
    offsets = pa.py_buffer(np.arange(0, 16 * len(hashes) + 1, 16, dtype=np.int32))
    return pa.StringArray.from_buffers(len(hashes), offsets, digits)


def group_hashes(hashes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Hashes of groups of texts, such as the turns of a dialogue; equal for equal sequences of texts.

    Args:
        hashes: `text_hashes` of the texts of all groups in order, uint64.
        lengths: Number of texts in each of n groups, shape (n,).

    Returns:
        uint64 of shape (n,).
    """
    ids = hashes.astype(">u8").tobytes().hex().encode()
    ends = (16 * np.cumsum(lengths)).tolist()
    digests = (hashlib.blake2b(ids[a:b], digest_size=8).digest() for a, b in zip([0, *ends], ends, strict=False))
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
