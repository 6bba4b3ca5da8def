"""Training pairs of one kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class PairGroup:
    """n training pairs of one kind; a batch holds pairs of one kind only.

    Attributes:
        kind: Name of the kind, as of its option: `next_turn`, `same_intent`, ...
        anchors, positives: n texts each.
        answer_ids: int64 `[n]`, equal for pairs that share no batch: the positive of one is right for the other, too,
            and nothing else says so.
        sources, licenses, languages: n strings each.
        fingerprint: SHA-256 of the rows.
        negatives: k columns of n texts each.
        mined: Number of negatives that were mined; the others are random.
        labels: n texts, what anchor and positive have in common; None for pairs that are just right or wrong.
        part: int64 `[n]`: a batch holds pairs of one part. None: of all.
        dialogues: int64 `[n]`, a number per dialogue. None: no pair is of a dialogue.
        left_out: Number of pairs skipped as leaks from a test split.
    """

    kind: str
    anchors: list[str]
    positives: list[str]
    answer_ids: np.ndarray
    sources: list[str]
    licenses: list[str]
    languages: list[str]
    fingerprint: str
    negatives: Sequence[list[str]] = ()
    mined: int = 0
    labels: list[str] | None = None
    part: np.ndarray | None = None
    dialogues: np.ndarray | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.anchors)

    def select(self, rows: np.ndarray) -> PairGroup:
        """Return the pairs at `rows` (int `[k]`) only."""

        def at(column: Sequence[str]) -> list[str]:
            return [column[i] for i in rows]

        return replace(
            self,
            anchors=at(self.anchors),
            positives=at(self.positives),
            answer_ids=self.answer_ids[rows],
            sources=at(self.sources),
            licenses=at(self.licenses),
            languages=at(self.languages),
            negatives=[at(column) for column in self.negatives],
            labels=None if self.labels is None else at(self.labels),
            part=None if self.part is None else self.part[rows],
            dialogues=None if self.dialogues is None else self.dialogues[rows],
            fingerprint=hashlib.sha256(
                self.fingerprint.encode() + np.ascontiguousarray(rows, "<i8").tobytes()
            ).hexdigest(),
        )


def text_ids(texts: Iterable[str]) -> np.ndarray:
    """Return an int64 for each of n texts, equal for equal texts in all kinds and sources."""
    digests = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8] for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<i8").astype(np.int64)
