"""The trainer of sentence-transformers, with batches free of false negatives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler

from cube_model.embedder.data import EmbedderData
from cube_model.errors import ModelError
from cube_model.training.resumable_trainer import ResumableTrainer


class DistinctAnswersSampler(DefaultBatchSampler):
    """Batches without two equal anchors or two equal `answer_id`s, determined by seed and epoch.

    The answers of a batch are each other's negatives, so a repeated answer would be pushed away from its own question.
    sentence-transformers' `NO_DUPLICATES` compares texts, which may differ in a comma.

    With n processes, each process takes every n-th batch; n consecutive batches are drawn together, as their answers
    meet in the loss. Repeats of frequent texts that fill no batch are not used in that epoch.

    Args:
        anchors: n texts.
        answer_ids: int64 `[n]`.
        groups: int `[n]`; a batch holds pairs of one group.
        batch_size: Pairs per batch.
        processes: Number of processes that share the batches.
        seed: Seed of the order.

    Raises:
        ModelError: A group does not fill one batch.
    """

    def __init__(
        self,
        anchors: Sequence[str],
        answer_ids: np.ndarray,
        groups: np.ndarray,
        *,
        batch_size: int,
        processes: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(range(len(anchors)), batch_size=batch_size, drop_last=True, seed=seed)
        numbers: dict[str, int] = {}
        self._anchors = [numbers.setdefault(text, len(numbers)) for text in anchors]
        self._answers: list[int] = answer_ids.tolist()
        self._members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        self._processes = processes
        self._length = len(self._batches(0, 0))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._batches(self.epoch, 0)
        again = 1
        while len(batches) < self._length:  # the order may give a batch or two fewer: draw again
            batches += self._batches(self.epoch, again)
            again += 1
        yield from batches[: self._length]

    def _batches(self, epoch: int, again: int) -> list[list[int]]:
        """All batches of an epoch, in random order of the groups."""
        rng = np.random.default_rng([self.seed, epoch, again])
        together: list[list[int]] = []
        for members in self._members:
            made = self._of_group(rng.permutation(members).tolist())
            if not made and not epoch and not again:
                raise ModelError(
                    f"{len(members)} pairs do not fill one batch of {self.batch_size * self._processes} with distinct "
                    "anchors and answers; lower --batch-size"
                )
            together += made
        size = self.batch_size
        return [
            together[i][part * size : (part + 1) * size]
            for i in rng.permutation(len(together))
            for part in range(self._processes)
        ]

    def _of_group(self, order: list[int]) -> list[list[int]]:
        """Greedy: a pair that would repeat a text waits for the next batch."""
        full, waiting, stream = self.batch_size * self._processes, list[int](), iter(order)
        made: list[list[int]] = []
        while True:
            batch: list[int] = []
            answers, anchors, still = set[int](), set[int](), list[int]()
            queue = iter(waiting)
            for i in chain(queue, stream):
                if self._answers[i] in answers or self._anchors[i] in anchors:
                    still.append(i)
                    continue
                answers.add(self._answers[i])
                anchors.add(self._anchors[i])
                batch.append(i)
                if len(batch) == full:
                    break
            if len(batch) < full:
                return made
            made.append(batch)
            waiting = [*still, *queue]


class PairTrainer(ResumableTrainer, SentenceTransformerTrainer):
    """Trains on batches without repeated texts, and writes no card.

    Args:
        data: The pairs, in the order of the training set.
        **options: Arguments of `SentenceTransformerTrainer`.
    """

    def __init__(self, *, data: EmbedderData, **options: Any) -> None:
        self._pairs = data
        super().__init__(**options)

    def get_batch_sampler(self, dataset: Any, batch_size: int, *args: Any, **options: Any) -> DistinctAnswersSampler:
        """A `DistinctAnswersSampler`; the library lets subclasses choose here."""
        return DistinctAnswersSampler(
            self._pairs.anchors,
            self._pairs.answer_ids,
            self._pairs.groups,
            batch_size=batch_size,
            processes=self.args.world_size,
            seed=self.args.seed,
        )

    def training_step(self, *args: Any, **options: Any) -> Any:
        """One step; a loss that is not finite ends the run."""
        loss = super().training_step(*args, **options)
        if not loss.isfinite():
            raise self.not_finite(float(loss), f"step {self.state.global_step + 1}")
        return loss

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No callback: it would read all texts for statistics and quote rows in the card."""
