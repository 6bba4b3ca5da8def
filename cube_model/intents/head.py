"""A head: the labels of utterances from the vectors of an encoder, with calibrated probabilities.

>>> head = IntentHead.fit(vectors, ["lamp/on", "lamp/off", "tea", ...])  # float32 [n, d], n labels
>>> head.predict(teacher.encode(["no light in the hall"]))[0].label
'lamp/off'
>>> head.add_label("music", teacher.encode(["play a song", "some music please"]))  # the others stay as they are
>>> head.save("my-intents")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.errors import ModelError
from cube_model.intents import label_names
from cube_model.intents.calibration import label_threshold, probabilities, scope_threshold
from cube_model.intents.intent import Intent
from cube_model.intents.scorer import Scorer, fit_scorer, unit
from cube_model.intents.selection import distinct_counts, select
from cube_model.intents.validation import Validation, validate
from dataset_builders.common.terminal import visible

if TYPE_CHECKING:
    from cube_model.intents.head_files import HeadParts
    from cube_model.teacher.teacher import Teacher

ACCEPTED = 0.95
"""Default share of the utterances in scope that are to be accepted as such."""

LEAST = 2
"""Smallest number of different examples of a label: one to learn from, and one to judge by."""

Labels = Sequence[str] | Sequence[Sequence[str]]


class IntentHead:
    """Labels, the scores that decide between them, and the thresholds. Create one with `IntentHead.fit` or `load`.

    Attributes:
        labels: k names, sorted; those that were added later at the end.
        added: The names that were added later.
        is_multi: Whether an utterance may have any number of labels.
        encoder: What the encoder's `Teacher.describe` returned; empty if it was not passed.
        data: Where the training rows are from; empty if it was not passed.
        temperature: Number that divides logits before they become probabilities.
        scope_weight: Weight of the cosine to the nearest example in the in-scope score; see `scores`.
        scope_threshold: In-scope score below which an utterance is out of scope; with several labels a row unused.
        label_threshold: Probability from which a label applies; with one label a row unused.
        validation: Figures by cross-validation on the training rows.
    """

    def __init__(
        self,
        labels: Sequence[str],
        scorer: Scorer,
        *,
        is_multi: bool,
        temperature: float,
        scope_weight: float,
        scope_threshold: float,
        label_threshold: float,
        validation: Validation,
        encoder: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        added: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        self.labels, self.added, self.is_multi = list(labels), list(added), is_multi
        self.scorer, self.temperature = scorer, temperature
        self.scope_weight, self.scope_threshold = scope_weight, scope_threshold
        self.label_threshold = label_threshold
        self.validation, self.encoder, self.data, self.seed = validation, dict(encoder or {}), dict(data or {}), seed

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        labels: Labels,
        *,
        name_vectors: Mapping[str, np.ndarray] | None = None,
        outside: np.ndarray | None = None,
        accepted: float = ACCEPTED,
        encoder: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> IntentHead:
        """Train a head. Settings, temperature and thresholds are chosen by cross-validation on these rows alone.

        Args:
            vectors: Vectors of n utterances, float `[n, d]`; their lengths do not matter.
            labels: n names; or n sequences of names, where an utterance may have any number of labels.
            name_vectors: Vectors of the labels' names as words, `label_names.words_of`, float `[d]` by label: one more
                example of each label, if that helps. Either for all labels or for none.
            outside: Vectors of utterances out of scope, float `[m, d]`, from which the threshold is chosen.
            accepted: Share of the utterances in scope to accept, if there are none out of scope.
            encoder: `Teacher.describe` of the encoder, recorded in the head.
            data: Where the rows are from, recorded in the head; JSON values.
            seed: Seed of the folds.

        Raises:
            ModelError: There are fewer than two labels, a label has fewer than two different examples or an empty name,
                or the vectors do not fit.

        Example:
            >>> rng = np.random.default_rng(0)
            >>> vectors = np.repeat(np.eye(2, 8), 4, axis=0) + 0.1 * rng.standard_normal((8, 8))
            >>> head = IntentHead.fit(vectors, ["tea"] * 4 + ["coffee"] * 4)
            >>> head.predict(np.eye(2, 8))[0].label
            'tea'
        """
        if not 0 < accepted < 1:
            raise ModelError(f"accepted is {accepted}: expected a share between 0 and 1")
        rows = _checked(vectors, "vectors")
        if len(rows) != len(labels):
            raise ModelError(
                f"{len(rows)} vectors but {len(labels)} labels; expected one entry of labels for each vector"
            )
        names, targets, is_multi = _targets(labels)
        _check_examples(names, distinct_counts(rows, targets))
        own_names = _names_of(names, name_vectors, rows.shape[1])
        others = None if outside is None or not len(outside) else _checked(outside, "outside", rows.shape[1])
        selection = select(rows, targets, own_names, single=not is_multi, seed=seed)
        scorer = fit_scorer(rows, targets, own_names, selection.settings, single=not is_multi, seed=seed)
        values = probabilities(selection.logits, selection.temperature, single=not is_multi)
        held, threshold = targets[selection.rows], 0.5
        if is_multi:
            threshold = label_threshold(values, held)
        largest, nearest = selection.logits.max(1), selection.nearest
        weight = float(largest.std() / nearest.std()) if nearest.std() > 0 else 0.0
        inside = (largest + weight * nearest)[held.any(1)]
        others_scores = None if others is None else _scores(*scorer.logits_and_nearest(others), weight)
        return cls(
            names,
            scorer,
            is_multi=is_multi,
            temperature=selection.temperature,
            scope_weight=weight,
            scope_threshold=scope_threshold(inside, others_scores, accepted),
            label_threshold=threshold,
            validation=validate(names, targets, held, values, selection, threshold if is_multi else None),
            encoder=encoder,
            data=data,
            seed=seed,
        )

    @property
    def dimension(self) -> int:
        """Dimension of the vectors."""
        return int(self.scorer.examples.shape[1])

    def probabilities(self, vectors: np.ndarray, level: int | None = None) -> tuple[np.ndarray, list[str]]:
        """Compute the probabilities of labels.

        Args:
            vectors: Vectors of n utterances, float `[n, d]`.
            level: Level of hierarchical names, from 1 at the top; the probabilities of the labels below each label are
                summed. Default: the labels as they are.

        Returns:
            float64 `[n, labels]`, and the labels. With one label a row, a row sums to 1.

        Raises:
            ModelError: The vectors do not fit, or the level is below 1.
        """
        return self._values(self._logits_and_nearest(vectors)[0], level)

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Compute in-scope scores, float32 `[n]`, higher for utterances in scope.

        A score is the largest logit, which of the detectors of `dialogue-cube evaluate intents` is the best one for
        CLINC150, plus the cosine to the nearest example, both with the same standard deviation over the held-out rows.
        On CLINC150's validation split this raises the AUROC of the largest logit from 97.7 to 98.6 %.

        Raises:
            ModelError: The vectors do not fit.
        """
        return _scores(*self._logits_and_nearest(vectors), self.scope_weight)

    def predict(self, vectors: np.ndarray, level: int | None = None, *, alternatives: int = 4) -> list[Intent]:
        """Predict the intents of n utterances.

        Args:
            vectors: Their vectors, float `[n, d]`.
            level: See `probabilities`.
            alternatives: Largest number of alternatives.

        Raises:
            ModelError: See `probabilities`.
        """
        logits, nearest = self._logits_and_nearest(vectors)
        values, names = self._values(logits, level)
        scores = _scores(logits, nearest, self.scope_weight)
        order = np.argsort(-values, axis=1, kind="stable")[:, : alternatives + 1]
        return [self._intent(*row, names) for row in zip(values, scores.tolist(), order.tolist(), strict=True)]

    def add_label(self, name: str, vectors: np.ndarray) -> None:
        """Add a label from its examples, without training the others again.

        Only the weights of the new label are fitted, against the examples of the others that the head keeps. The logits
        of the other labels stay as they are, so an utterance keeps its label unless the new one wins. Temperature and
        thresholds stay, too.

        Args:
            name: The new label.
            vectors: Vectors of its examples, float `[n, d]`; one is enough.

        Raises:
            ModelError: The head has this label, the name is empty, or the vectors do not fit.
        """
        if not isinstance(name, str) or not name.strip():
            raise ModelError("the name of the new label is empty; expected a text")
        if name in self.labels:
            raise ModelError(f"the head has a label {visible(name)} already; add other names, or train the head again")
        rows = _checked(vectors, "vectors", self.dimension)
        if not len(rows):
            raise ModelError(f"no example of {visible(name)}; expected one vector or more")
        self.scorer = self.scorer.with_label(rows, single=not self.is_multi, seed=self.seed)
        self.labels.append(name)
        self.added.append(name)

    def check_encoder(self, teacher: Teacher) -> None:
        """Check that an encoder is the one that the head was trained with.

        Raises:
            ModelError: The head records another encoder, or none.
        """
        if not self.encoder:
            raise ModelError("the head does not record its encoder; train it again with `dialogue-cube train-intents`")
        from cube_model.teacher.recorded import check_recorded

        check_recorded(self.encoder, teacher, what="the head", kind="encoder")

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the head to a folder, atomically: `intents.json` and `intents.safetensors`.

        Args:
            folder: Folder to create.
            overwrite: Replace an existing head.

        Raises:
            ModelError: The folder exists and must not be replaced, or it cannot be written.
        """
        from cube_model.intents.head_files import save_head

        save_head(self._parts(), folder, overwrite=overwrite)

    def write(self, folder: Path) -> None:
        """Write the two files into an existing folder, such as that of a larger output."""
        from cube_model.intents.head_files import write_head

        write_head(self._parts(), folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> IntentHead:
        """Load a head.

        Args:
            folder: Folder written by `save`.

        Raises:
            ModelError: The folder holds no head, or a damaged one.
        """
        from cube_model.intents.head_files import read_head

        return cls(**vars(read_head(folder)))

    def _parts(self) -> HeadParts:
        from cube_model.intents.head_files import HeadParts

        return HeadParts(**{each.name: getattr(self, each.name) for each in fields(HeadParts)})

    def _logits_and_nearest(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.scorer.logits_and_nearest(_checked(vectors, "vectors", self.dimension))

    def _values(self, logits: np.ndarray, level: int | None) -> tuple[np.ndarray, list[str]]:
        values = probabilities(logits, self.temperature, single=not self.is_multi)
        if level is None:
            return values, list(self.labels)
        if level < 1:
            raise ModelError(f"level {level}: expected 1 for the highest level of the labels' names, or more")
        return label_names.at_level(values, self.labels, level, single=not self.is_multi)

    def _intent(self, values: np.ndarray, score: float, order: list[int], names: list[str]) -> Intent:
        best = float(values[order[0]])
        ranked = [(names[number], float(values[number])) for number in order]
        outside = best < self.label_threshold if self.is_multi else score < self.scope_threshold
        if outside:
            return Intent(None, best, True, ranked[: max(1, len(ranked) - 1)], [], score)
        applies = [names[order[0]]]
        if self.is_multi:
            numbers = np.flatnonzero(values >= self.label_threshold)
            applies = [names[number] for number in numbers[np.argsort(-values[numbers], kind="stable")]]
        return Intent(names[order[0]], best, False, ranked[1:], applies, score)


def _scores(logits: np.ndarray, nearest: np.ndarray, weight: float) -> np.ndarray:
    """In-scope scores from the logits and the cosines to the nearest examples; see `IntentHead.scores`."""
    return np.asarray(logits.max(1) + np.float32(weight) * nearest, dtype=np.float32)


def _checked(vectors: np.ndarray, what: str, dimension: int | None = None) -> np.ndarray:
    """The vectors, scaled to norm 1."""
    array = np.asarray(vectors)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise ModelError(f"{what}: expected numbers of the shape [n, d], found {array.dtype} {list(array.shape)}")
    if dimension is not None and array.shape[1] != dimension:
        raise ModelError(
            f"{what} of dimension {array.shape[1]}, but the intents were trained on {dimension}; use the same encoder"
        )
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(1))[0])
        raise ModelError(f"{what}: row {row} holds a value that is not finite; encode that text again")
    return unit(array)


def _targets(labels: Labels) -> tuple[list[str], np.ndarray, bool]:
    """The names, sorted; the labels of each row, bool `[n, k]`; and whether a row may have several."""
    is_multi = any(not isinstance(each, str) for each in labels)
    if is_multi and any(isinstance(each, str) for each in labels):
        raise ModelError("labels: some are texts and some are lists; expected one kind for all rows")
    rows: list[Sequence[str]] = [list(each) if is_multi else [each] for each in labels]  # type: ignore[list-item]
    for number, own in enumerate(rows):
        if any(not isinstance(name, str) or not name.strip() for name in own):
            raise ModelError(f"labels: the label of row {number} is empty; expected a name")
    names = sorted({name for own in rows for name in own})
    if len(names) < 2:
        which = f"the only one is {visible(names[0])}" if names else "there is none"
        raise ModelError(f"labels: {which}; expected two labels or more, with {LEAST} examples or more each")
    numbers = {name: number for number, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), dtype=bool)
    for row, own in enumerate(rows):
        targets[row, [numbers[name] for name in own]] = True
    return names, targets, is_multi


def _check_examples(names: Sequence[str], counts: np.ndarray) -> None:
    few = [name for name, count in zip(names, counts.tolist(), strict=True) if count < LEAST]
    if few:
        more = f" and {len(few) - 3} more labels" if len(few) > 3 else ""
        raise ModelError(
            f"label {visible(', '.join(few[:3]))}{more}: a single example; expected {LEAST} different ones or more: "
            "write more of them, leave the label out, or add it later with add_label"
        )


def _names_of(names: Sequence[str], vectors: Mapping[str, np.ndarray] | None, dimension: int) -> np.ndarray | None:
    if vectors is None:
        return None
    if missing := [name for name in names if name not in vectors]:
        raise ModelError(f"name_vectors: no vector for the label {visible(missing[0])}; expected one for every label")
    return _checked(np.stack([np.asarray(vectors[name]) for name in names]), "name_vectors", dimension)
