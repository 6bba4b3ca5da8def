"""What must not leave, by name: sources, ids and texts, also of rows that the build dropped."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import VALUE_LENGTH

LONG_TEXT = 5
"""Minimum words of a quotation: that two shorter strings are equal is chance ("train", "book a table")."""

_END_OF_ID = re.compile(r"(?![.~/-]?\w)")
"""`smd/train/1` is named by "smd/train/1#3" and "(smd/train/1).", not by "smd/train/12" or "smd/train/1-b"."""

_NAME_BEFORE = re.compile(r"[\w.-]*\Z")


@dataclass(frozen=True, eq=False)
class HeldBack:
    """The rows that must not leave.

    Attributes:
        sources: Names of the sources that are held back as a whole: every id that begins with `NAME/` is theirs.
        open_sources: Names of the sources that have rows which may leave.
        ids: Ids of dialogues, pairs and utterances, string [n], unique.
        texts: What only held-back rows say, string [m], unique; also as the drops cut it.
    """

    sources: frozenset[str]
    open_sources: frozenset[str]
    ids: pa.Array
    texts: pa.Array

    def names(self, strings: pa.Array | pa.ChunkedArray, *, by_source: bool = True) -> pa.Array:
        """True where a string is or contains the id of a held-back row; false where it is null.

        Args:
            strings: Strings, [n].
            by_source: Any id of a source that is held back counts, known or not. For columns of ids: in a text,
                "taxi/bus" need not be of the source `taxi`.
        """
        whole = strings.combine_chunks() if isinstance(strings, pa.ChunkedArray) else strings
        coded = whole.dictionary_encode()
        values = coded.dictionary
        named = pc.is_in(values, value_set=self.ids if by_source else self._unmistakable)
        if by_source and self.sources:
            begins = pc.match_substring_regex(values, f"^(?:{_any_of(self.sources)})/")
            named = pc.or_(named, begins)
        if self._prefixes:
            suspect = pc.and_not(pc.match_substring_regex(values, f"(?:{_any_of(self._prefixes)})/"), named)
            if pc.any(suspect).as_py():
                contained = [self._contained(text, by_source) for text in values.filter(suspect).to_pylist()]
                named = pc.replace_with_mask(named, suspect, pa.array(contained))
        return pc.fill_null(named.take(coded.indices), False)

    def quotes(self, strings: pa.Array | pa.ChunkedArray, *, long_only: bool = False) -> pa.Array:
        """True where a string is what only held-back rows say, of any length or of `LONG_TEXT` words and more."""
        texts = self._long_texts if long_only else self.texts
        return pc.is_in(strings, value_set=texts if len(strings) else texts[:0])  # the texts are hashed for each call

    @functools.cached_property
    def _prefixes(self) -> frozenset[str]:
        """The first part of every held-back id, up to its slash."""
        names = pc.extract_regex(self.ids, r"^(?P<name>[^/]+)/").drop_null()
        return self.sources.union(pc.struct_field(names, "name").unique().to_pylist())

    @functools.cached_property
    def _unmistakable(self) -> pa.Array:
        """The ids as a build makes them: `SOURCE/...`; a bare "7" says nothing outside of a column of ids."""
        return self.ids.filter(pc.match_substring(self.ids, "/"))

    @functools.cached_property
    def _known(self) -> tuple[frozenset[str], list[int]]:
        return frozenset(self.ids.to_pylist()), pc.utf8_length(self.ids).unique().to_pylist()

    @functools.cached_property
    def _long_texts(self) -> pa.Array:
        return self.texts.filter(pc.greater_equal(pc.count_substring(self.texts, " "), LONG_TEXT - 1))

    @functools.cached_property
    def _prefix(self) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w)({_any_of(self._prefixes)})/(?=\S)")

    def _contained(self, text: str, by_source: bool) -> bool:
        ids, lengths = self._known
        for match in self._prefix.finditer(text):
            begin = match.start()
            before = _NAME_BEFORE.search(text[max(0, begin - 64) : begin])
            if before and before[0] + match[1] in self.open_sources:  # `my-smd/1` is not of `smd`
                continue
            # a private file may be called train.csv, and `sgd/train/1` is not of a source `train`
            if by_source and match[1] in self.sources and text[begin - 1 : begin] != "/":
                return True
            if any(text[begin : begin + n] in ids and _END_OF_ID.match(text, begin + n) for n in lengths):
                return True
        return False


def as_drops_cut_it(texts: pa.Array) -> pa.Array:
    """The texts, and their beginnings as a drop record quotes them."""
    return pa.concat_arrays([texts, pc.utf8_slice_codeunits(texts, 0, VALUE_LENGTH)]).unique()


def _any_of(names: frozenset[str]) -> str:
    # longest first: "smd" must not hide "smd-2"
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
