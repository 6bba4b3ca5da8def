"""Which sources, ids and texts are held back, including those of rows that the build dropped."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.quality.drops import VALUE_LENGTH

LONG_TEXT = 5
"""Minimum number of words of a quotation: two shorter strings are often equal by chance ("train", "book a table")."""

_END_OF_ID = re.compile(r"(?![.~/-]?\w)")
"""`smd/train/1` occurs in "smd/train/1#3" and "(smd/train/1).", but not in "smd/train/12" or "smd/train/1-b"."""

_NAME_BEFORE = re.compile(r"[\w.-]+\Z")


@dataclass(frozen=True, eq=False)
class HeldBack:
    """Sources, ids and texts that must not be published.

    Attributes:
        sources: Names of the sources that are held back entirely: all ids that begin with `NAME/` are theirs.
        open_sources: Names of the sources with rows that may be published.
        ids: Ids of dialogues, pairs and utterances, string [n], unique.
        texts: Texts that occur in held-back rows only, string [m], unique; also as cut in the drop records.
    """

    sources: frozenset[str]
    open_sources: frozenset[str]
    ids: pa.Array
    texts: pa.Array

    def find_ids(self, strings: pa.Array | pa.ChunkedArray, *, by_source: bool = True) -> pa.Array:
        """Find the strings that are or contain the id of a held-back row.

        Args:
            strings: Strings, [n].
            by_source: Whether every id of a held-back source counts, even if it is not in `ids`. Use it for columns of
                ids: in a text, "taxi/bus" need not be an id of the source `taxi`.

        Returns:
            A mask, boolean [n]; false for null.
        """
        array = strings.combine_chunks() if isinstance(strings, pa.ChunkedArray) else strings
        encoded = array.dictionary_encode()
        values = encoded.dictionary
        mask = pc.is_in(values, value_set=self.ids if by_source else self._ids_with_source)
        if by_source and self.sources:
            mask = pc.or_(mask, pc.match_substring_regex(values, f"^(?:{_any_of(self.sources)})/"))
        if self._prefixes:
            candidates = pc.and_not(pc.match_substring_regex(values, f"(?:{_any_of(self._prefixes)})/"), mask)
            if pc.any(candidates).as_py():
                contain_id = [self._contains_id(text, by_source) for text in values.filter(candidates).to_pylist()]
                mask = pc.replace_with_mask(mask, candidates, pa.array(contain_id))
        return pc.fill_null(mask.take(encoded.indices), False)

    def find_texts(self, strings: pa.Array | pa.ChunkedArray, *, long_only: bool = False) -> pa.Array:
        """Find the strings that are the text of held-back rows only.

        Args:
            strings: Strings, [n].
            long_only: Whether only texts of at least `LONG_TEXT` words count.

        Returns:
            A mask, boolean [n]; false for null.
        """
        texts = self._long_texts if long_only else self.texts
        return pc.is_in(strings, value_set=texts if len(strings) else texts[:0])  # each call hashes the texts

    @functools.cached_property
    def _prefixes(self) -> frozenset[str]:
        """The part before the first slash of every held-back id."""
        names = pc.extract_regex(self.ids, r"^(?P<name>[^/]+)/").drop_null()
        return self.sources.union(pc.struct_field(names, "name").unique().to_pylist())

    @functools.cached_property
    def _ids_with_source(self) -> pa.Array:
        """The ids in the form of a build, `SOURCE/...`; a bare "7" is an id in a column of ids only."""
        return self.ids.filter(pc.match_substring(self.ids, "/"))

    @functools.cached_property
    def _ids_and_lengths(self) -> tuple[frozenset[str], list[int]]:
        return frozenset(self.ids.to_pylist()), pc.utf8_length(self.ids).unique().to_pylist()

    @functools.cached_property
    def _long_texts(self) -> pa.Array:
        return self.texts.filter(pc.greater_equal(pc.count_substring(self.texts, " "), LONG_TEXT - 1))

    @functools.cached_property
    def _prefix(self) -> re.Pattern[str]:
        return re.compile(rf"(?<!\w)({_any_of(self._prefixes)})/(?=\S)")

    def _contains_id(self, text: str, by_source: bool) -> bool:
        ids, lengths = self._ids_and_lengths
        for match in self._prefix.finditer(text):
            begin = match.start()
            before = _NAME_BEFORE.search(text[max(0, begin - 64) : begin])
            if before and before[0] + match[1] in self.open_sources:  # `my-smd/1` is not an id of `smd`
                continue
            # a private file may be called train.csv: `sgd/train/1` is not an id of its source `train`
            if by_source and match[1] in self.sources and text[begin - 1 : begin] != "/":
                return True
            if any(text[begin : begin + n] in ids and _END_OF_ID.match(text, begin + n) for n in lengths):
                return True
        return False


def with_cut_texts(texts: pa.Array) -> pa.Array:
    """Return the texts together with their first `VALUE_LENGTH` characters, as drop records quote them."""
    return pa.concat_arrays([texts, pc.utf8_slice_codeunits(texts, 0, VALUE_LENGTH)]).unique()


def _any_of(names: frozenset[str]) -> str:
    # longest first, so that "smd" does not match where "smd-2" would
    return "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
