"""Pairs of a split that are read from the parquet files as they are needed.

The unit of reading is the row group of a file (5,000 rows in a folder made by `dialogue-cube build`). An epoch visits
the row groups in random order and shuffles some of them together (`BufferedOrder`), as CorgiPile does (Xu et al. 2022,
doi:10.1145/3514221.3526150), which converges like a full shuffle. The order depends on seed, epoch and buffer size
alone, and is known without reading, so a position in it is a number of batches. The shuffled buffer of `datasets` mixes
neighbouring rows only, and is lost when a run is resumed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from torch.utils.data import Sampler

from cube_model.data.pairs import COLUMNS, QuestionAnswerPairs, RowsDigest, pairs_of_table
from cube_model.data.row_groups import RowGroups
from cube_model.data.selection import check_selection, flagged_as_leaks, selected_rows
from cube_model.errors import ModelError
from dataset_builders.common.progress import step_bar

if TYPE_CHECKING:
    import pyarrow as pa

Content = TypeVar("Content")


@dataclass(frozen=True)
class PairSelection:
    """Which rows of the `pairs` config are read, and what of them.

    Attributes:
        split: Name of the split.
        sources: Names of the sources. None: all.
        direction: Speakers of anchor and positive.
        context_turns: Number of turns before each question.
        hard_negatives: Number of mined wrong answers per pair.
        pair_type: Type of the pairs; leaks from a test split are skipped, too. None: all rows.
    """

    split: str
    sources: Sequence[str] | None = None
    direction: tuple[str, str] = ("user", "system")
    context_turns: int = 0
    hard_negatives: int = 0
    pair_type: str | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns to read."""
        negatives = ("negatives",) if self.hard_negatives else ()
        return [*COLUMNS, *negatives, *(("pair_type", "flags") if self.pair_type else ())]

    def of(self, table: pa.Table) -> tuple[pa.Table, int]:
        """Return the selected rows of a table, and the number of skipped leaks."""
        import pyarrow.compute as pc

        table = table.filter(selected_rows(table, self.sources, self.direction))
        if self.pair_type is None:
            return table, 0
        table = table.filter(pc.equal(table["pair_type"], self.pair_type))
        leaks = flagged_as_leaks(table)
        return table.filter(~leaks), int(leaks.sum())


@dataclass
class Survey:
    """What one pass over a split tells.

    Attributes:
        counts: Number of selected rows of each row group.
        fingerprint: As that of `QuestionAnswerPairs`.
        origins: Distinct (source, licence, language).
        leaks: Number of rows skipped as leaks.
        negatives: Number of pairs with mined negatives.
    """

    counts: list[int] = field(default_factory=list)
    fingerprint: str = ""
    origins: set[tuple[str, str, str]] = field(default_factory=set)
    leaks: int = 0
    negatives: int = 0


class PairStream:
    """n pairs of a split, on disk or on the Hub. Rows are numbered as without streaming.

    Opening it reads the split once, a row group at a time.

    Args:
        data: Folder made by `dialogue-cube build`, or Hub dataset repository.
        selection: Which rows are read.
        revision: Branch, tag or commit of a Hub repository.
        progress: Show a progress bar while the split is read, if the error stream is a terminal.

    Attributes:
        data, selection: The arguments.
        survey: Facts about the pairs.
        starts: int64 `[groups + 1]`, the number of the first pair of each row group, and n.

    Raises:
        NoPairsError: No pair is selected.
        ModelError: The dataset, split or a column does not exist or cannot be read.

    Example:
        >>> stream = PairStream("my-corpus", PairSelection("train", context_turns=2))
        >>> len(stream), stream.pairs([5, 100_000]).questions.shape
        (111878, (2, 3))
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        selection: PairSelection,
        revision: str | None = None,
        *,
        progress: bool = False,
    ) -> None:
        self.data, self.selection = data, selection
        self._rows = RowGroups(data, "pairs", selection.split, selection.columns, revision=revision)
        self._places: list[tuple[int, int]] = []
        with step_bar() if progress else nullcontext(lambda *_: None) as advance:
            self.survey = self._read_all(advance)
        self.starts = np.concatenate([[0], np.cumsum(self.survey.counts)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def table(self, group: int) -> pa.Table:
        """Read the selected rows of a row group.

        Raises:
            ModelError: The file cannot be read, or has changed.
        """
        table, _ = self.selection.of(self._rows.read(self._places[group]))
        if len(table) != self.survey.counts[group]:
            raise ModelError(
                f"{self.data}: the split {self.selection.split} has changed while it is read; start again, with "
                "--overwrite if there are checkpoints"
            )
        return table

    def load(self, group: int) -> QuestionAnswerPairs:
        """Read the pairs of a row group; see `table`."""
        return self._pairs(self.table(group))

    def pairs(self, rows: Sequence[int] | np.ndarray) -> QuestionAnswerPairs:
        """Read the pairs at ascending rows."""
        import pyarrow as pa

        return self._pairs(pa.concat_tables(self.table(group).take(at) for group, _, at in self.places(rows)))

    def places(self, rows: Sequence[int] | np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Find k rows.

        Yields:
            Each row group that holds some of them, the earliest in `rows` first; their positions in `rows`; and their
            positions in the row group.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        groups = np.searchsorted(self.starts, wanted, side="right") - 1
        for group in dict.fromkeys(groups.tolist()):
            at = np.flatnonzero(groups == group)
            yield group, at, wanted[at] - self.starts[group]

    def _pairs(self, table: pa.Table) -> QuestionAnswerPairs:
        return pairs_of_table(table.combine_chunks(), self.selection.context_turns, self.selection.hard_negatives)

    def _read_all(self, advance: Callable[[str, int, int], object]) -> Survey:
        import pyarrow.compute as pc

        selection, survey = self.selection, Survey()
        digest = RowsDigest(selection.context_turns, selection.hard_negatives)
        sources: set[str] = set()
        for place, rows in self._rows.all():
            self._places.append(place)
            advance(f"{selection.split} pairs", place[0] + 1, len(self._rows))
            sources.update(pc.unique(rows["source"]).to_pylist())
            table, leaks = selection.of(rows)
            survey.counts.append(len(table))
            survey.leaks += leaks
            digest.update(table)
            origins = table.group_by(["source", "license", "language"]).aggregate([]).to_pylist()
            survey.origins.update((row["source"], row["license"], row["language"]) for row in origins)
            if selection.hard_negatives:
                lengths = pc.fill_null(pc.list_value_length(table["negatives"]), 0)
                survey.negatives += int(np.count_nonzero(lengths.to_numpy()))
        check_selection(self.data, selection.split, sum(survey.counts), selection.sources, sources, selection.direction)
        survey.fingerprint = digest.hexdigest()
        return survey


class RecentGroups(Generic[Content]):
    """The row groups that were used last, in memory.

    Args:
        load: Function that returns the content of a row group.
        stream: Pairs of all row groups.
        rows: Maximum number of pairs in memory, besides the row group in use.
    """

    def __init__(self, load: Callable[[int], Content], stream: PairStream, rows: int) -> None:
        self._load, self._counts, self._rows = load, stream.survey.counts, rows
        self._contents: dict[int, Content] = {}

    def __getitem__(self, group: int) -> Content:
        if group not in self._contents:
            held = sum(self._counts[other] for other in self._contents)
            for oldest in list(self._contents):
                if held + self._counts[group] <= self._rows:
                    break
                held -= self._counts[oldest]
                del self._contents[oldest]
            self._contents[group] = self._load(group)
        self._contents[group] = self._contents.pop(group)  # the last one is the one used last
        return self._contents[group]


class BufferedOrder(Sampler[int]):
    """Row numbers in the order of an epoch: row groups in random order, shuffled together as many as fill a buffer.

    Args:
        counts: Number of pairs of each row group.
        buffer: Number of pairs that are shuffled together; the last row group may exceed it.
        seed: Seed of the order.

    Attributes:
        epoch: Number of the epoch.
    """

    def __init__(self, counts: Sequence[int], *, buffer: int, seed: int) -> None:
        self._counts = np.asarray(counts, dtype=np.int64)
        self._starts = np.cumsum(self._counts) - self._counts
        self._buffer, self._seed, self.epoch = buffer, seed, 0

    def __len__(self) -> int:
        return int(self._counts.sum())

    def __iter__(self) -> Iterator[int]:
        for block in self.blocks():
            yield from block.tolist()

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next iteration; `accelerate` and the trainers call it."""
        self.epoch = epoch

    @property
    def largest_block(self) -> int:
        """Maximum number of pairs that are shuffled together."""
        return min(len(self), self._buffer + int(self._counts.max()))

    def blocks(self, again: int = 0) -> Iterator[np.ndarray]:
        """Return the shuffled row numbers of one buffer after the other.

        Args:
            again: Number of another order of the same epoch.
        """
        rng = np.random.default_rng([self._seed, self.epoch, again])
        waiting: list[np.ndarray] = []
        count = 0
        for group in rng.permutation(len(self._counts)).tolist():
            waiting.append(np.arange(self._starts[group], self._starts[group] + self._counts[group]))
            count += len(waiting[-1])
            if count >= self._buffer:
                yield rng.permutation(np.concatenate(waiting))
                waiting, count = [], 0
        if count:
            yield rng.permutation(np.concatenate(waiting))
