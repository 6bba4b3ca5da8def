"""Training texts of the dialogue embedder: anchors, positives, hard negatives, and which of them share no batch."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from cube_model.data.hub import read_rows
from cube_model.embedder.config import DIRECTIONS, EmbedderConfig
from cube_model.embedder.decontamination import benchmark_texts, without_texts
from cube_model.embedder.positives.group import PairGroup
from cube_model.embedder.positives.mixture import mixed_rows
from cube_model.embedder.positives.next_turn import NextTurnOptions, next_turn
from cube_model.embedder.positives.same_action import same_action
from cube_model.embedder.positives.same_intent import same_intent
from cube_model.embedder.positives.template import template
from cube_model.embedder.positives.translation import translation
from cube_model.errors import ModelError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbedderData:
    """n training pairs.

    Attributes:
        anchors, positives: n texts each.
        negatives: k columns of n texts each.
        answer_ids: int64 `[n]`, equal for pairs that share no batch.
        groups: int64 `[n]`; a batch holds pairs of one group (a direction, a kind of positives, a domain).
        dialogues: int64 `[n]`, a number per dialogue, whose pairs follow each other in their order.
        labels: int64 `[n]`, the label that anchor and positive share, of `label_texts`; -1 where there is none.
        label_texts: Distinct labels in words.
        kinds: Number of pairs of each kind.
        sources, licenses, languages: Distinct values, sorted.
        fingerprint: sha256 over everything above that training sees.
        left_out: Number of pairs skipped as leaks from a test split.
        decontaminated: Number of pairs skipped because a benchmark contains one of their texts.
    """

    anchors: list[str]
    positives: list[str]
    negatives: list[list[str]]
    answer_ids: np.ndarray
    groups: np.ndarray
    dialogues: np.ndarray
    labels: np.ndarray
    label_texts: list[str]
    kinds: dict[str, int]
    sources: list[str]
    licenses: list[str]
    languages: list[str]
    fingerprint: str
    left_out: int
    decontaminated: int

    def __len__(self) -> int:
        return len(self.anchors)

    def select(self, rows: np.ndarray) -> EmbedderData:
        """The pairs at `rows`, int `[k]`; the facts about the data stay those of all."""
        numbers = rows.tolist()
        return replace(
            self,
            anchors=[self.anchors[i] for i in numbers],
            positives=[self.positives[i] for i in numbers],
            negatives=[[texts[i] for i in numbers] for texts in self.negatives],
            **{name: getattr(self, name)[rows] for name in ("answer_ids", "groups", "dialogues", "labels")},
        )

    def texts(self, rows: np.ndarray) -> list[str]:
        """The anchors and positives of some pairs."""
        return [column[i] for column in (self.anchors, self.positives) for i in rows]

    def columns(self, *, numbered: bool = False) -> dict[str, list[Any]]:
        """The columns in the order that the losses of sentence-transformers expect.

        Args:
            numbered: Whether each label comes with the number of its pair.
        """
        wrong = {f"negative_{i + 1}": texts for i, texts in enumerate(self.negatives)}
        labels = {"label": self.labels.tolist()} if self.label_texts else {}
        if numbered:
            labels = {"label": [[label, number] for number, label in enumerate(self.labels.tolist())]}
        return {"anchor": self.anchors, "positive": self.positives, **wrong, **labels}

    def describe(self) -> dict[str, Any]:
        """The facts about the data for the record and the card."""
        names = ("fingerprint", "kinds", "sources", "licenses", "languages", "left_out", "decontaminated")
        return {"pairs": len(self), **{name: getattr(self, name) for name in names}}


def load_embedder_data(config: EmbedderConfig, separator: str) -> EmbedderData:
    """Read the training pairs of a run.

    Args:
        config: The run.
        separator: Text between the anchor and its earlier turns.

    Raises:
        ModelError: No such dataset, column or source; no pair is left; or the data lack a kind of positives.
    """
    _check_leave_out(config)
    groups = [_mixed(group, config) for group in _groups(config, separator)]
    if config.hard_negatives and not any(group.mined for group in groups):
        raise ModelError(f"{config.data}: no pair has mined negatives; build it with them, or drop --hard-negatives")
    left_out, before = sum(group.left_out for group in groups), sum(map(len, groups))
    if config.decontaminate:
        texts = benchmark_texts(config.decontaminate)
        groups = [without_texts(group, texts) for group in groups]
    warn_of_leaks(config, left_out)
    label_texts = sorted({label for group in groups for label in group.labels or ()})
    numbers = {label: number for number, label in enumerate(label_texts)}
    return EmbedderData(
        anchors=_joined(group.anchors for group in groups),
        positives=_joined(group.positives for group in groups),
        negatives=[_joined(group.negatives[i] for group in groups) for i in range(config.hard_negatives)],
        answer_ids=np.concatenate([group.answer_ids for group in groups]),
        groups=_parts(groups),
        dialogues=np.concatenate([_dialogues(group) for group in groups]),
        labels=np.array([numbers.get(label, -1) for group in groups for label in group.labels or [""] * len(group)]),
        label_texts=label_texts,
        kinds=_counted(groups),
        sources=sorted(set(chain.from_iterable(group.sources for group in groups))),
        licenses=sorted(set(chain.from_iterable(group.licenses for group in groups))),
        languages=sorted(set(chain.from_iterable(group.languages for group in groups))),
        fingerprint=fingerprint_of(config, separator, [group.fingerprint for group in groups]),
        left_out=left_out,
        decontaminated=before - sum(map(len, groups)),
    )


def fingerprint_of(config: EmbedderConfig, separator: str, fingerprints: Sequence[str]) -> str:
    """Return the fingerprint of training texts, from those of the groups of pairs."""
    digest = hashlib.sha256(repr((separator, config.hard_negatives)).encode())
    for fingerprint in fingerprints:
        digest.update(fingerprint.encode())
    return digest.hexdigest()


def warn_of_leaks(config: EmbedderConfig, left_out: int) -> None:
    """Warn of pairs that are skipped as leaks."""
    if left_out:
        logger.warning("%s: %d pairs skipped, as they also occur in a test split", config.data, left_out)


def _check_leave_out(config: EmbedderConfig) -> None:
    """Refuse the name of no source: it would leave nothing out."""
    if not config.leave_out:
        return
    available: set[str] = set()
    for part in ("pairs", "downstream"):
        with suppress(ModelError):  # a dataset may have one of them only
            available |= set(read_rows(config.data, part, "train", ("source",))["source"].unique().to_pylist())
    if unknown := sorted(set(config.leave_out) - available):
        names = ", ".join(sorted(available))
        raise ModelError(f"{config.data}: no source {', '.join(unknown)} to leave out; choose from {names}")


def _groups(config: EmbedderConfig, separator: str) -> list[PairGroup]:
    """All pairs of each kind, those of the next turn cut to their maximum."""
    data, leave_out = config.data, config.leave_out
    groups = []
    if config.max_pairs != 0:
        for direction in DIRECTIONS[config.direction]:
            options = NextTurnOptions(
                direction=direction,
                sources=config.sources,
                leave_out=leave_out,
                languages=config.languages,
                limit=config.max_pairs,
                temperature=config.temperature,
                context_turns=config.context_turns,
                vary_context=config.vary_context,
                hard_negatives=config.hard_negatives,
                negatives=config.negatives,
                smallest_part=4 * config.batch_size,
                separator=separator,
                seed=config.seed,
            )
            groups.append(next_turn(data, options))
    common: dict[str, Any] = {"leave_out": leave_out, "languages": config.languages}
    readers: dict[str, Callable[[], PairGroup]] = {
        "same_intent": lambda: same_intent(data, **common, seed=config.seed),
        "same_action": lambda: same_action(
            data, sources=config.sources, **common, any_speaker=config.any_speaker, seed=config.seed
        ),
        "templates": lambda: template(data, sources=config.sources, **common),
        "translations": lambda: translation(data, **common, seed=config.seed),
    }
    return groups + [read() for kind, read in readers.items() if getattr(config, kind)]


def _mixed(group: PairGroup, config: EmbedderConfig) -> PairGroup:
    """At most as many pairs of a kind as its option allows, the sources and labels mixed."""
    option = {"template": "templates", "translation": "translations"}.get(group.kind, group.kind)
    if option == "next_turn":
        return group
    keys = list(zip(group.sources, group.labels or group.languages, strict=True))
    rows = mixed_rows(keys, getattr(config, option), config.temperature, config.seed)
    return group if len(rows) == len(group) else group.select(rows)


def _joined(columns: Any) -> list[str]:
    return list(chain.from_iterable(columns))


def _parts(groups: list[PairGroup]) -> np.ndarray:
    """The part of each pair, int64 `[n]`, different in different groups."""
    parts, offset = [], 0
    for group in groups:
        part = np.zeros(len(group), dtype=np.int64) if group.part is None else group.part
        parts.append(part + offset)
        offset += int(part.max(initial=0)) + 1
    return np.concatenate(parts)


def _dialogues(group: PairGroup) -> np.ndarray:
    """The dialogue of each pair, int64 `[n]`; pairs of none have a number of their own."""
    return np.arange(len(group), dtype=np.int64) if group.dialogues is None else group.dialogues


def _counted(groups: list[PairGroup]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in groups:
        counts[group.kind] = counts.get(group.kind, 0) + len(group)
    return counts
