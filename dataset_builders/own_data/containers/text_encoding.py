"""Detect the text encoding of a file, and open it as text."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.reading import is_text
from dataset_builders.own_data.containers.inputs import READ_ERRORS, SUPPORTED, open_bytes, unreadable
from dataset_builders.sources.raw_files import RawFile

BLOCK = 1 << 18

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"SQLite format 3\0": "a SQLite database; write its table of conversations to CSV",
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a Python pickle, which could run code"),
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"Obj\x01": "an Avro file; write it as parquet or JSON Lines",
    b"7z\xbc\xaf": "a 7-Zip archive, unpack it first",
    b"Rar!": "a RAR archive, unpack it first",
}
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
# Russian letters from frequent to rare, by the counts of the Russian National Corpus (ruscorpora.ru).
_RUSSIAN = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"
_RANK = {letter: 1 - rank / len(_RUSSIAN) for rank, letter in enumerate(_RUSSIAN)}
_DAMAGED = re.compile("[\udc80-\udcff]")
_CYRILLIC_WORD = re.compile("[Ѐ-ӿ]+")
_WORDS = re.compile(r"[^\W\d_]+")
# Letters and signs of cp1252 that Western European texts use; its other codes point to another encoding.
_WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÿÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒ«»“”„‘’–—…€£°¿¡\u00a0·•§©®™")
_OTHERS = ("cp1252", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "gb18030", "big5", "cp932", "euc_jp", "cp949")


def detect_encoding(file: RawFile) -> str:
    """The encoding of a file, as Python names it.

    Tries, in this order: a byte order mark, UTF-8, the Cyrillic encodings if the result looks like Russian, Western
    European, and charset-normalizer for the rest. Stops reading at the first block that is not ASCII.

    Raises:
        DataError: The file is empty, is not text, or cannot be read.
    """
    try:
        with open_bytes(file) as stream:
            block = stream.read(BLOCK)
            _check_text(block, file)
            if marked := next((name for bom, name in _BOMS if block.startswith(bom)), None):
                return marked
            if wide := _wide(block):
                return wide
            while block and block.isascii():
                block = stream.read(BLOCK)
    except READ_ERRORS as error:
        raise unreadable(file, error) from error
    return encoding_of(block)


def encoding_of(sample: bytes) -> str:
    """The encoding of bytes that have no byte order mark and are not UTF-16."""
    text = sample.decode("utf-8", "surrogateescape")
    damaged, other = len(_DAMAGED.findall(text)), len(text) - len(text.encode("ascii", "ignore"))
    if damaged * 3 <= other - damaged:  # a few damaged records are still UTF-8
        return "utf-8-sig"
    best = max(_CYRILLIC, key=lambda name: _russian(sample, name))
    if _russian(sample, best) > 0.6:  # Russian text scores about 0.75, and below 0.5 in a wrong encoding
        return best
    if _is_western(sample.decode("cp1252", "replace")):
        return "cp1252"
    from charset_normalizer import from_bytes

    guess = from_bytes(sample, cp_isolation=list(_OTHERS)).best()
    return guess.encoding if guess else "cp1252"


LONGEST_LINE = 1 << 26
"""Maximum length of a line, or of a record in a JSON document, in characters: it is held in memory."""


def open_text(file: RawFile, encoding: str) -> io.TextIOWrapper:
    r"""Open a file as text whose lines end with `\n`; bytes that cannot be decoded become lone surrogates.

    Iteration raises a `DataError` at a line of more than `LONGEST_LINE` characters.
    """
    return _Text(file, open_bytes(file), encoding)


def byte_lines(file: RawFile) -> Iterator[bytes]:
    """The lines of a file as bytes.

    Raises:
        DataError: A line has more than `LONGEST_LINE` bytes.
    """
    with open_bytes(file) as stream:
        for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE), b""), start=1):
            if len(line) == LONGEST_LINE:
                raise _too_long(file, number)
            yield line


class _Text(io.TextIOWrapper):
    def __init__(self, file: RawFile, stream: Any, encoding: str) -> None:
        super().__init__(stream, encoding, errors=_errors(encoding))
        self._file, self._number = file, 0

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline(LONGEST_LINE)
        self._number += 1
        if len(line) == LONGEST_LINE:
            raise _too_long(self._file, self._number)
        if not line:
            raise StopIteration
        return line


def _too_long(file: RawFile, number: int) -> DataError:
    return DataError(
        f"{file}: line {number}: longer than {LONGEST_LINE:,} characters; write one record per line, or leave the "
        "file out"
    )


def is_damaged(text: str) -> bool:
    """Whether a text has lone surrogates: undecodable bytes, or half of a character in JSON."""
    return not is_text(text)


def _errors(encoding: str) -> str:
    # surrogateescape replaces single bytes, but UTF-16 and UTF-32 fail in units of two and four bytes
    return "replace" if re.match(r"utf.?(16|32)", encoding, re.IGNORECASE) else "surrogateescape"


def _check_text(head: bytes, file: RawFile) -> None:
    if not head.strip(b" \t\r\n\0\xef\xbb\xbf\xfe\xff"):
        raise DataError(f"{file}: is empty; {SUPPORTED}")
    what = next((name for magic, name in _BINARY.items() if head.startswith(magic)), None)
    marked = any(head.startswith(bom) for bom, _ in _BOMS)
    if what is None and not marked and not _wide(head) and len(_CONTROLS.findall(head)) * 100 > len(head):
        what = "not text"
    if what:
        raise DataError(f"{file}: is {what}; {SUPPORTED}")


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: the zero bytes of blanks, digits and line ends are all at even or all at odd offsets."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 20 < len(head) or min(even, odd) * 20 > max(even, odd):
        return None
    name = "utf-16-le" if odd > even else "utf-16-be"
    text = head[: len(head) & ~1].decode(name, "replace")
    readable = sum(c.isprintable() or c in "\t\r\n\ufeff" for c in text)
    return name if readable >= 0.95 * len(text) and "\ufffd" not in text[:-1] else None


def _russian(sample: bytes, encoding: str) -> float:
    """How much a decoded sample looks like Russian, from 0 to 1.

    The mean frequency rank over all characters beyond ASCII. Only letters of purely Cyrillic words in one case count:
    a wrong encoding gives wOrDs, words of two scripts, signs or rare letters.
    """
    text = sample.decode(encoding, "replace")
    beyond = sum(not c.isascii() for c in text)
    score = 0.0
    for word in _words_beyond_ascii(text):
        # a single letter is no evidence: a French "à" would be a Russian word
        if len(word) > 1 and (word.islower() or word.istitle() or word.isupper()) and _CYRILLIC_WORD.fullmatch(word):
            weight = 0.9 if word.isupper() else 1.0  # capitals are less likely
            score += weight * sum(_RANK.get(c, 0.3) for c in word.lower())
    return score / beyond if beyond else 0.0


def _is_western(text: str) -> bool:
    beyond = [c for c in text if not c.isascii()]
    usual = sum(c in _WESTERN for c in beyond)
    accented = [word for word in _words_beyond_ascii(text) if len(word) > 1]
    foreign = sum(not any(c.isascii() for c in word) for word in accented)
    return usual >= 0.95 * len(beyond) and foreign * 2 <= len(accented)


def _words_beyond_ascii(text: str) -> Iterable[str]:
    return (word for word in _WORDS.findall(text) if not word.isascii())
