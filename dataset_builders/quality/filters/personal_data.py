"""Filter: e-mail addresses, phone numbers and card numbers of people."""

from __future__ import annotations

import bisect
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from dataset_builders.quality.drops import Findings
from dataset_builders.quality.filters.base import Action, Filter, Rows, findings, matching
from dataset_builders.quality.filters.masking import Span, json_texts, mask_table, replaced
from dataset_builders.schema import Config

# the end of an address: the common subset of RFC 5322, and the spoken form "jo at example dot com"
_AT_DOMAIN = r"@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}"
_SPOKEN_AT_DOMAIN = r" at [a-z0-9-]+ dot (?:com|org|net|edu|co|de|ru|uk)\b"

PATTERNS = {
    # ISO/IEC 7812: 13 to 19 digits, possibly in groups; the check digit decides
    "card": r"[2-6](?:[ -]?[0-9]){12,18}",
    "email": rf"(?i:[a-z0-9][a-z0-9._%+-]*{_AT_DOMAIN}|[a-z0-9._-]+{_SPOKEN_AT_DOMAIN})",
    # international (ITU-T E.164: at most 15 digits); trunk prefix 0; North American 3-3-4; Russian 8 9xx
    "phone": r"\+[1-9][0-9]{0,2}(?:[ .()/-]{0,2}[0-9]){6,12}|0[1-9][0-9]{1,3}[ /-]?(?:[ -]?[0-9]){5,8}"
    r"|\(?[2-9][0-9]{2}\)?[ .-]{1,2}[2-9][0-9]{2}[ .-][0-9]{4}|8[ -]?\(?9[0-9]{2}\)?[ -]?[0-9]{3}(?:[ -]?[0-9]{2}){2}",
}
"""RE2 patterns by kind; an earlier kind takes precedence where matches overlap.

RE2 reads each character once, whatever the pattern. Python's `re` is as fast for matches of bounded length, such as
card and phone numbers; for addresses see `_addresses`.
"""

_ANY = "|".join(PATTERNS.values())
_NUMBERS = {
    kind: re.compile(rf"(?<![\w.,/:+-])(?:{PATTERNS[kind]})(?![\w/]|[.,:-]\d)") for kind in PATTERNS if kind != "email"
}
_DOUBLED = str.maketrans("0123456789", "0246813579")  # each digit to the digit sum of its double
_DOMAINS = re.compile(rf"(?i:{_AT_DOMAIN}|{_SPOKEN_AT_DOMAIN})")
# the characters of (?i:[a-z0-9._-]) and (?i:[a-z0-9._%+-]): in Unicode "i", "s" and "k" have more than two cases
_SPOKEN_NAME = string.ascii_letters + string.digits + "\u0130\u0131\u017f\u212a" + "._-"
_NAME = _SPOKEN_NAME + "%+"


def personal_spans(text: str) -> list[Span]:
    """The spans of e-mail addresses, phone numbers and card numbers, in order and without overlap.

    >>> personal_spans("write to jo@example.org")
    [(9, 23, 'email')]
    """
    spans: list[Span] = []
    for kind in PATTERNS:
        matches = _addresses(text) if kind == "email" else _numbers(text, kind)
        spans = sorted([*spans, *((start, end, kind) for start, end in matches if _is_free(spans, start, end))])
    return spans


def _numbers(text: str, kind: str) -> Iterator[tuple[int, int]]:
    for match in _NUMBERS[kind].finditer(text):
        if kind != "card" or is_card_number(match.group()):
            yield match.span()


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    """The spans that match the pattern of addresses, in linear time.

    Python's `re` would search for the "@" anew from every letter of a long run, which takes quadratic time. This
    function searches for domains and reads each name backwards from its domain.
    """
    end = 0
    for match in _DOMAINS.finditer(text):
        before, is_spoken = text[end : match.start()], match.group()[0] == " "
        name = before[len(before.rstrip(_SPOKEN_NAME if is_spoken else _NAME)) :]
        if name := name if is_spoken else name.lstrip("._%+-"):
            end = match.end()
            yield match.start() - len(name), end


def _is_free(spans: list[Span], start: int, end: int) -> bool:
    """Whether `start` to `end` overlaps none of the spans, which are in order and do not overlap."""
    before = bisect.bisect_left(spans, (end,))
    return not before or spans[before - 1][1] <= start


def is_card_number(text: str) -> bool:
    """Whether the digits have a valid Luhn check digit (ISO/IEC 7812-1, annex B) and are not all the same."""
    digits = _digits(text)
    checksum = sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and checksum % 10 == 0


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


_PAIR_SIDES = ("anchor", "anchor_speaker", "positive", "positive_speaker")


@dataclass(frozen=True)
class PersonalData(Filter):
    """Texts with an e-mail address, phone number or payment card number that may be a person's.

    A restaurant's phone number is task data. So an address or phone number does not count if the system says it
    anywhere in the dialogue (the user may read it back), or if it is an annotated slot value. A card number always
    counts. Names and street addresses do not count: task dialogues are full of them.

    The action `mask` replaces findings with `[EMAIL]`, `[PHONE]` or `[CARD]` in all texts of the row and shifts slot
    positions; slots that overlap a finding lose theirs.

    Example: user "Send it to jo@example.org" -> `personal_data:email`; near misses: "on 12/03/2019", "a 3.50 fee",
    "at 1532 20th Street", "order 20905432".
    """

    name: ClassVar[str] = "personal_data"
    description: ClassVar[str] = "A text holds an e-mail address, phone or card number that is not task data."
    actions: ClassVar[tuple[Action, ...]] = ("off", "flag", "mask", "drop")
    is_overruled: ClassVar[bool] = False

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Rows by kind, `personal_data:email` and so on. Value: only the kind, because drop records are published."""
        rows_of: dict[str, list[int]] = {kind: [] for kind in PATTERNS}
        for row, kinds in _by_row(rows):
            for kind in kinds:
                rows_of[kind].append(row)
        return {
            f"{self.name}:{kind}": findings(numbers, [f"[{kind.upper()}]"] * len(numbers))
            for kind, numbers in rows_of.items()
        }

    def mask(self, rows: Rows, table: pa.Table, matches: dict[str, Findings]) -> pa.Table:
        """Replace the findings with placeholders."""
        numbers = np.unique(np.concatenate([findings.rows for findings in matches.values()]))
        task_data = dict(zip(numbers.tolist(), _task_data(rows, numbers), strict=True))

        def spans_of(row: int, text: str) -> list[Span]:
            return [span for span in personal_spans(text) if not task_data[row].holds(text, span)]

        return mask_table(rows.config, table, numbers, spans_of)


def mask_texts(texts: pa.Array) -> pa.Array:
    """Mask everything that looks like personal data, even task data.

    >>> mask_texts(pa.array(["write to jo@example.org"])).to_pylist()
    ['write to [EMAIL]']
    """
    plain = texts.to_pylist()
    for number in matching(texts, _ANY).tolist():
        plain[number] = replaced(plain[number], personal_spans(plain[number]))
    return pa.array(plain, texts.type)


def without_personal_data(config: Config, table: pa.Table) -> pa.Table:
    """Mask everything that looks like personal data in the rows' own texts, not in the context of pairs."""
    if config != "dialogues":
        for name in ("utterance",) if config == "downstream" else ("anchor", "positive"):
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(place), mask_texts(table[name].combine_chunks()))
        return table
    rows = Rows.of(config, table)
    numbers = np.unique(rows.row[np.isin(rows.text, matching(rows.distinct, _ANY))])
    return mask_table(config, table, numbers, lambda _, text: personal_spans(text))


def _by_row(rows: Rows) -> Iterator[tuple[int, list[str]]]:
    """Row numbers and the kinds of personal data in each row."""
    texts = rows.texts.once(_with_spans, lambda: _with_spans(rows.distinct))
    is_hit, has_card = np.zeros((2, len(rows.distinct)), bool)
    is_hit[list(texts)] = True
    has_card[[n for n, (_, spans) in texts.items() if any(kind == "card" for *_, kind in spans)]] = True
    # in the system's turns only card numbers are personal
    occurrences = np.flatnonzero((is_hit[rows.text] & ~rows.by_system) | has_card[rows.text])
    hits = [
        (row, *texts[number])
        for row, number in zip(rows.row[occurrences].tolist(), rows.text[occurrences].tolist(), strict=True)
    ]
    hits += _in_metadata(rows.table)
    numbers = np.unique(np.array([row for row, *_ in hits], np.int64))
    task_data = dict(zip(numbers.tolist(), _task_data(rows, numbers), strict=True))
    kinds: dict[int, set[str]] = {row: set() for row in numbers.tolist()}
    for row, text, matches in hits:
        for span in matches:
            if span[2] not in kinds[row] and not task_data[row].holds(text, span):
                kinds[row].add(span[2])
    for row, row_kinds in kinds.items():
        yield row, [kind for kind in PATTERNS if kind in row_kinds]


def _with_spans(texts: pa.Array) -> dict[int, tuple[str, list[Span]]]:
    """The texts with personal data and their spans, by number."""
    numbers = matching(texts, _ANY)
    spans_of = ((text, personal_spans(text)) for text in texts.take(pa.array(numbers)).to_pylist())
    return {number: (text, spans) for number, (text, spans) in zip(numbers.tolist(), spans_of, strict=True) if spans}


def _in_metadata(table: pa.Table) -> Iterator[tuple[int, str, list[Span]]]:
    """Row number, text and spans of each text in the metadata that has personal data."""
    metadata = table["metadata"].combine_chunks().dictionary_encode()
    objects = metadata.dictionary
    candidates = matching(objects, _ANY)
    texts = {number: list(json_texts(objects[number].as_py())) for number in candidates.tolist()}
    spans = {number: [(text, personal_spans(text)) for text in of_object] for number, of_object in texts.items()}
    numbers = metadata.indices.fill_null(-1).to_numpy()
    for row in np.flatnonzero(np.isin(numbers, candidates)).tolist():
        yield from ((row, text, matches) for text, matches in spans[numbers[row]] if matches)


class _TaskData:
    """Addresses and numbers of a row that are task data.

    Args:
        texts: The system's texts and the annotated values of the row.
    """

    def __init__(self, texts: list[str]) -> None:
        self._addresses = {text[start:end].casefold() for text in texts for start, end in _addresses(text)}
        self._digits = [_digits(text) for text in texts]
        self._runs: dict[int, set[str]] = {}

    def holds(self, text: str, span: Span) -> bool:
        """Whether a span of another text is task data, in any notation; a card number never is."""
        start, end, kind = span
        if kind == "email":
            return text[start:end].casefold() in self._addresses
        digits = _digits(text[start:end])
        return kind == "phone" and digits in self._runs_of(len(digits))

    def _runs_of(self, size: int) -> set[str]:
        """All sequences of `size` digits, ignoring other characters; a set, so that many look-ups stay fast."""
        if size not in self._runs:
            self._runs[size] = {d[i : i + size] for d in self._digits for i in range(len(d) - size + 1)}
        return self._runs[size]


def _task_data(rows: Rows, numbers: np.ndarray) -> Iterator[_TaskData]:
    """The task data of each row."""
    columns = {"dialogues": ["turns"], "pairs": list(_PAIR_SIDES)}.get(rows.config, ["utterance"])
    contexts = rows.context(numbers) if rows.config == "pairs" else []
    for place, row in enumerate(rows.table.select(columns).take(pa.array(numbers)).to_pylist()):
        turns: list[dict[str, Any]] = []
        if rows.config == "pairs":
            turns = [
                *contexts[place],
                *({"speaker": row[f"{s}_speaker"], "text": row[s]} for s in ("anchor", "positive")),
            ]
        elif rows.config == "dialogues":
            turns = row["turns"]
        texts = [turn["text"] for turn in turns if turn["speaker"] == "system"]
        if rows.config == "dialogues":
            texts += [value for turn in turns for value in _annotated(turn["annotations"])]
        yield _TaskData(texts)


def _annotated(annotations: dict) -> Iterator[str]:
    """The annotated values of a turn."""
    for slot in annotations["slots"] or []:
        yield slot["value"] or ""
    for entry in (*(annotations["acts"] or []), *(annotations["state"] or [])):
        yield from entry["values"] or []
