"""What a head says about one utterance."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Intent:
    """The intent of an utterance.

    Attributes:
        label: The most probable label; None if the utterance is out of scope.
        probability: Calibrated probability of the most probable label, given that the utterance is in scope.
        is_out_of_scope: Whether the utterance seems to belong to none of the labels.
        alternatives: The next most probable labels with their probabilities, best first; of an utterance out of scope
            the most probable one too.
        labels: All labels that apply: for a head of several labels a row any number, otherwise at most one.
        score: In-scope score, higher for utterances in scope; the head's threshold decides on it.
    """

    label: str | None
    probability: float
    is_out_of_scope: bool
    alternatives: list[tuple[str, float]]
    labels: list[str] = field(default_factory=list)
    score: float = 0.0
