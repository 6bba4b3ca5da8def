"""The trainer of sentence-transformers, with batches free of false negatives."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain, count, islice
from typing import Any, cast

import numpy as np
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.base.sampler import DefaultBatchSampler
from torch.utils.data import DataLoader

from cube_model.embedder.data import EmbedderData
from cube_model.embedder.neighbours import NeighboursTogether
from cube_model.embedder.streamed_data import StreamedEmbedderData
from cube_model.errors import ModelError
from cube_model.training.resumable_trainer import ResumableTrainer, SetEpoch


class DistinctAnswersSampler(DefaultBatchSampler):
    """Batches without two equal anchors or two equal `answer_id`s, determined by seed and epoch.

    The answers of a batch are each other's negatives, so a repeated answer would be pushed away from its own question.
    sentence-transformers' `NO_DUPLICATES` compares texts, which may differ in a comma.

    With n processes, each process takes every n-th batch; n consecutive batches are drawn together, as their answers
    meet in the loss. Repeats of frequent texts that fill no batch are not used in that epoch.

    Args:
        anchors: n texts.
        answer_ids: int64 `[n]`.
        groups: int `[n]`; a batch holds pairs of one group. Groups that fill no batch share theirs.
        batch_size: Pairs per batch.
        processes: Number of processes that share the batches.
        seed: Seed of the order.
        order: Draws the order of the pairs at `rows` (int `[k]`) from a generator. Default: any order.

    Raises:
        ModelError: The pairs do not fill one batch.
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
        order: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    ) -> None:
        super().__init__(range(len(anchors)), batch_size=batch_size, drop_last=True, seed=seed)
        numbers: dict[str, int] = {}
        self._anchors = [numbers.setdefault(text, len(numbers)) for text in anchors]
        self._answers: list[int] = answer_ids.tolist()
        self._processes = processes
        self._order = order or (lambda rows, rng: rng.permutation(rows))
        self._members = self._large_enough([np.flatnonzero(groups == group) for group in np.unique(groups)])
        self._length = len(self._batches(0, 0))
        if not self._length:
            raise _no_batch(len(anchors), batch_size * processes)

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
            together += self._of_group(self._order(members, rng).tolist())
        return _shares([together[i] for i in rng.permutation(len(together))], self.batch_size)

    def _large_enough(self, groups: list[np.ndarray]) -> list[np.ndarray]:
        """The groups that fill a batch, and the pairs of the others as one group."""
        fills = [bool(self._of_group(members.tolist())) for members in groups]
        small = [members for members, full in zip(groups, fills, strict=True) if not full]
        large = [members for members, full in zip(groups, fills, strict=True) if full]
        return [*large, np.sort(np.concatenate(small))] if small else large

    def _of_group(self, order: list[int]) -> list[list[int]]:
        return distinct_batches(order, self._anchors, self._answers, self.batch_size * self._processes)


class StreamedAnswersSampler(DefaultBatchSampler):
    """The batches of `DistinctAnswersSampler` for pairs that are streamed: each is made of one shuffled buffer.

    Pairs at the end of a buffer that fill no batch are not used in that epoch.

    Args:
        data: The pairs. They are read once, to count the batches.
        batch_size: Pairs per batch.
        processes: Number of processes that share the batches.

    Raises:
        ModelError: The pairs do not fill one batch.
    """

    def __init__(self, data: StreamedEmbedderData, *, batch_size: int, processes: int = 1) -> None:
        super().__init__(range(len(data)), batch_size=batch_size, drop_last=True)
        self._data, self._processes = data, processes
        data.order.set_epoch(0)
        self._length = sum(1 for _ in self._batches(0))
        if not self._length:
            raise _no_batch(len(data), batch_size * processes, ", or raise --shuffle-buffer")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[list[int]]:
        self._data.order.set_epoch(self.epoch)
        orders = (self._batches(again) for again in count())  # another order if the first has a batch or two fewer
        return islice(chain.from_iterable(orders), self._length)

    def _batches(self, again: int) -> Iterator[list[int]]:
        for block in self._data.order.blocks(again):
            texts, rows = self._data.at(block), range(len(block))
            size = self.batch_size * self._processes
            made = distinct_batches(rows, texts.anchors, texts.answer_ids.tolist(), size)
            yield from _shares([block[batch].tolist() for batch in made], self.batch_size)


def distinct_batches(
    order: Iterable[int], anchors: Sequence[Hashable], answers: Sequence[int], size: int
) -> list[list[int]]:
    """Divide pairs into batches without repeated texts; a pair that would repeat one waits for the next batch.

    Args:
        order: Numbers of pairs, in their order.
        anchors: By number, equal for equal anchors.
        answers: By number, equal for equal answers.
        size: Pairs per batch.

    Returns:
        Numbers of the pairs of each batch.
    """
    waiting, stream = list[int](), iter(order)
    made: list[list[int]] = []
    while True:
        batch: list[int] = []
        seen_answers, seen_anchors, still = set[int](), set[Hashable](), list[int]()
        queue = iter(waiting)
        for i in chain(queue, stream):
            if answers[i] in seen_answers or anchors[i] in seen_anchors:
                still.append(i)
                continue
            seen_answers.add(answers[i])
            seen_anchors.add(anchors[i])
            batch.append(i)
            if len(batch) == size:
                break
        if len(batch) < size:
            return made
        made.append(batch)
        waiting = [*still, *queue]


def _shares(batches: list[list[int]], size: int) -> list[list[int]]:
    """Divide the batches of all processes into those of each."""
    return [batch[start : start + size] for batch in batches for start in range(0, len(batch), size)]


def _no_batch(pairs: int, size: int, advice: str = "") -> ModelError:
    return ModelError(
        f"{pairs} pairs do not fill one batch of {size} with distinct anchors and answers; lower --batch-size{advice}"
    )


class PairTrainer(ResumableTrainer, SentenceTransformerTrainer):
    """Trains on batches without repeated texts, and writes no card.

    Args:
        data: The pairs, in the order of the training set.
        neighbours: Maximum number of consecutive pairs of a dialogue that come together.
        **options: Arguments of `SentenceTransformerTrainer`.
    """

    def __init__(self, *, data: EmbedderData | StreamedEmbedderData, neighbours: int = 1, **options: Any) -> None:
        self._pairs, self._neighbours = data, neighbours
        super().__init__(**options)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The library's loader; for streamed pairs, which no `datasets.Dataset` holds, one with the same settings."""
        if isinstance(self._pairs, EmbedderData):
            return super().get_train_dataloader()
        self.accelerator.even_batches = False
        batches = DataLoader[Any](
            cast("Any", self._pairs),
            batch_sampler=self.get_batch_sampler(None, self.args.train_batch_size),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return cast("DataLoader[Any]", self.accelerator.prepare(batches))

    def get_batch_sampler(self, dataset: Any, batch_size: int, *args: Any, **options: Any) -> DefaultBatchSampler:
        """A sampler of batches without repeated texts; the library lets subclasses choose here."""
        sampler: DefaultBatchSampler
        if isinstance(self._pairs, EmbedderData):
            sampler = DistinctAnswersSampler(
                self._pairs.anchors,
                self._pairs.answer_ids,
                self._pairs.groups,
                batch_size=batch_size,
                processes=self.args.world_size,
                seed=self.args.seed,
                order=NeighboursTogether(self._pairs.dialogues, self._neighbours),
            )
        else:
            sampler = StreamedAnswersSampler(self._pairs, batch_size=batch_size, processes=self.args.world_size)
        self.add_callback(SetEpoch(sampler))
        return sampler

    def training_step(self, *args: Any, **options: Any) -> Any:
        """One step; a loss that is not finite ends the run."""
        loss = super().training_step(*args, **options)
        if not loss.isfinite():
            raise self.not_finite(float(loss), f"step {self.state.global_step + 1}")
        return loss

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """No callback: it would read all texts for statistics and quote rows in the card."""
