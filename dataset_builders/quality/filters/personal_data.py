"""E-mail addresses, phone and card numbers of persons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from dataset_builders.quality.filters.base import Action, Filter, Rows, findings, matching
from dataset_builders.quality.filters.masking import Span, mask_table, replaced
from dataset_builders.quality.findings import Findings
from dataset_builders.schema import Config

PATTERNS = {
    # ISO/IEC 7812: 13 to 19 digits, in groups or not; the check digit decides
    "card": r"[2-6](?:[ -]?[0-9]){12,18}",
    # the common subset of RFC 5322, and as speech recognition writes it: "jo at example dot com"
    "email": r"(?i:[a-z0-9][a-z0-9._%+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}"
    r"|[a-z0-9._-]+ at [a-z0-9-]+ dot (?:com|org|net|edu|co|de|ru|uk)\b)",
    # international (ITU-T E.164: at most 15 digits); trunk prefix 0; North American 3-3-4; Russian 8 9xx
    "phone": r"\+[1-9][0-9]{0,2}(?:[ .()/-]{0,2}[0-9]){6,12}|0[1-9][0-9]{1,3}[ /-]?(?:[ -]?[0-9]){5,8}"
    r"|\(?[2-9][0-9]{2}\)?[ .-]{1,2}[2-9][0-9]{2}[ .-][0-9]{4}|8[ -]?\(?9[0-9]{2}\)?[ -]?[0-9]{3}(?:[ -]?[0-9]{2}){2}",
}
"""RE2 and Python patterns by kind, in the order in which they claim a stretch of text."""

_FINDERS = {
    kind: re.compile(rf"(?<![\w.,/:+-])(?:{pattern})(?![\w/]|[.,:-]\d)" if kind != "email" else pattern)
    for kind, pattern in PATTERNS.items()
}
_ANY = "|".join(PATTERNS.values())


def personal_spans(text: str) -> list[Span]:
    """Where a text holds an e-mail address, a phone number or a card number, in order; nothing overlaps.

    >>> personal_spans("write to jo@example.org")
    [(9, 23, 'email')]
    """
    spans: list[Span] = []
    for kind, finder in _FINDERS.items():
        for match in finder.finditer(text):
            start, end = match.span()
            if kind == "card" and not is_card_number(match.group()):
                continue
            if all(end <= s or e <= start for s, e, _ in spans):
                spans.append((start, end, kind))
    return sorted(spans)


def is_card_number(text: str) -> bool:
    """Whether the digits end with a right Luhn check digit (ISO/IEC 7812-1, annex B) and are not all the same."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [d if i % 2 == 0 else 2 * d - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


@dataclass(frozen=True)
class PersonalData(Filter):
    """E-mail addresses, phone numbers and payment card numbers that may be a person's.

    A restaurant's number is task data: an address or number does not count when the system says it, when the system
    said it in the same dialogue (the user reads it back), or when the dialogue's annotations hold it as a slot value. A
    card number always counts. Names and street addresses are not looked for: task dialogues are made of them.

    With `mask` a finding is replaced by `[EMAIL]`, `[PHONE]` or `[CARD]` in every text of the row, slot positions move
    along, and slots that lie on it lose their position.

    Example: user "Send it to jo@example.org" -> `personal_data:email`; near misses: "on 12/03/2019", "a 3.50 fee",
    "at 1532 20th Street", "order 20905432".
    """

    name: ClassVar[str] = "personal_data"
    description: ClassVar[str] = "A text holds an e-mail address, phone or card number that is not task data."
    actions: ClassVar[tuple[Action, ...]] = ("off", "flag", "mask", "drop")

    def find(self, rows: Rows) -> dict[str, Findings]:
        """Rows by kind, `personal_data:email` and so on; value: the kind in brackets, for drops are published."""
        found: dict[str, list[int]] = {kind: [] for kind in PATTERNS}
        for row, kinds in _by_row(rows):
            for kind in kinds:
                found[kind].append(row)
        return {
            f"{self.name}:{kind}": findings(numbers, [f"[{kind.upper()}]"] * len(numbers))
            for kind, numbers in found.items()
        }

    def mask(self, rows: Rows, table: pa.Table, found: dict[str, Findings]) -> pa.Table:
        """The rows with placeholders in place of what was found."""
        numbers = np.unique(np.concatenate([f.rows for f in found.values()]))
        task_data = dict(zip(numbers.tolist(), _evidence(rows, numbers), strict=True))
        return mask_table(rows.config, table, numbers, lambda row, text: person_spans(text, task_data[row]))


def mask_texts(texts: pa.Array) -> pa.Array:
    """Texts without anything that looks personal, task data or not.

    >>> mask_texts(pa.array(["write to jo@example.org"])).to_pylist()
    ['write to [EMAIL]']
    """
    plain = texts.to_pylist()
    for number in matching(texts, _ANY).tolist():
        plain[number] = replaced(plain[number], personal_spans(plain[number]))
    return pa.array(plain, texts.type)


def without_personal_data(config: Config, table: pa.Table) -> pa.Table:
    """Rows whose own texts (not those before a pair) hold nothing that looks personal, task data or not."""
    if config != "dialogues":
        for name in ("utterance",) if config == "downstream" else ("anchor", "positive"):
            place = table.schema.get_field_index(name)
            table = table.set_column(place, table.schema.field(place), mask_texts(table[name].combine_chunks()))
        return table
    rows = Rows.of(config, table)
    numbers = np.unique(rows.row[np.isin(rows.text, matching(rows.distinct, _ANY))])
    return mask_table(config, table, numbers, lambda _, text: personal_spans(text))


def person_spans(text: str, task_data: str) -> list[Span]:
    """The spans of a text that are not part of the task's data (see `_evidence`)."""
    spans = personal_spans(text)
    return [s for s in spans if s[2] == "card" or _key(text[s[0] : s[1]], s[2]) not in task_data]


def _by_row(rows: Rows) -> Iterator[tuple[int, list[str]]]:
    """Rows with personal data and the kinds of it."""
    candidates = matching(rows.distinct, _ANY)
    spans = {
        number: found
        for number, text in zip(candidates.tolist(), rows.distinct.take(pa.array(candidates)).to_pylist(), strict=True)
        if (found := personal_spans(text))
    }
    is_hit = np.zeros(len(rows.distinct), bool)
    is_hit[list(spans)] = True
    has_card = np.zeros(len(rows.distinct), bool)
    has_card[[n for n, found in spans.items() if any(kind == "card" for *_, kind in found)]] = True
    # what the system says is task data, unless it is a card number
    occurrences = np.flatnonzero((is_hit[rows.text] & ~rows.by_system) | has_card[rows.text])
    numbers = np.unique(rows.row[occurrences])
    evidence = dict(zip(numbers.tolist(), _evidence(rows, numbers), strict=True))
    kinds: dict[int, set[str]] = {}
    for occurrence in occurrences.tolist():
        row, text = int(rows.row[occurrence]), rows.distinct[int(rows.text[occurrence])].as_py()
        kinds.setdefault(row, set()).update(kind for *_, kind in person_spans(text, evidence[row]))
    for row, these in kinds.items():
        yield row, [kind for kind in PATTERNS if kind in these]


def _evidence(rows: Rows, numbers: np.ndarray) -> list[str]:
    """For each of the rows the keys of all task data in it: what the system says and what is annotated."""
    evidence = []
    for row in rows.table.take(pa.array(numbers)).to_pylist():
        if rows.config == "downstream":
            said: list[str] = []
        elif rows.config == "pairs":
            turns = [
                *row["context"],
                *({"speaker": row[f"{s}_speaker"], "text": row[s]} for s in ("anchor", "positive")),
            ]
            said = [t["text"] for t in turns if t["speaker"] == "system"]
        else:
            said = [t["text"] for t in row["turns"] if t["speaker"] == "system"]
            said += [value for t in row["turns"] for value in _annotated(t["annotations"])]
        evidence.append("\n".join(_key(text, kind) for text in said for kind in ("email", "phone")))
    return evidence


def _annotated(annotations: dict) -> Iterator[str]:
    for slot in annotations["slots"] or []:
        yield slot["value"] or ""
    for entry in (*(annotations["acts"] or []), *(annotations["state"] or [])):
        yield from entry["values"] or []


def _key(text: str, kind: str) -> str:
    """What two writings of the same address or number share: the digits of a number, one by one."""
    return text.casefold() if kind == "email" else re.sub(r"\D+", "", text)
