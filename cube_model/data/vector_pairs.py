"""Question -> answer pairs as vectors: a map-style dataset over one table of distinct vectors, with a held-out side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from cube_model.data.config import DatasetConfig
from cube_model.data.pairs import QuestionAnswerPairs
from cube_model.data.training_data import TrainingData
from cube_model.errors import ModelError
from cube_model.teacher.find import TeacherUnavailableError
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import CacheStats, EmbeddingCache
from dataset_builders.common.progress import encoding_progress

_ROWS_AT_ONCE = 8192

_LENGTH_TOLERANCE = 0.01
"""How far from 1 the length of a normalised vector may be: bfloat16 rounds by up to 0.4 %."""

Pair = tuple[torch.Tensor, torch.Tensor]


class EmbeddingPairs(Dataset[Pair]):
    """n pairs (question vector, answer vector), gathered from one table when they are asked for.

    Memory: 4 bytes times `dimension` for each distinct text (100,000 texts of 768 dimensions: 307 MB) and 8 bytes for
    each index; the held-out side shares the table.

    Args:
        pairs: Indices of n pairs over m texts.
        vectors: float32 `[m + 1, dimension]`, the last row zeros, for turns that are not there.

    Example:
        >>> question, answer = pairs[0]           # [dimension], [dimension]
        >>> questions, answers = pairs[[0, 1]]    # [2, dimension] each
    """

    def __init__(self, pairs: QuestionAnswerPairs, vectors: torch.Tensor) -> None:
        self.pairs, self.vectors = pairs, vectors
        questions = torch.from_numpy(pairs.questions).long()
        # torch takes a negative index for "from the end" in some calls only: name the row of zeros
        self._questions = torch.where(questions < 0, len(vectors) - 1, questions)
        self._answers = torch.from_numpy(pairs.answers).long()

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray | torch.Tensor) -> Pair:
        """One pair, or with a slice or several rows a batch of k.

        Returns:
            Question `[dimension]`, with earlier turns `[1 + context_turns, dimension]` (the question first, then the
            turns before it, most recent first, zeros where there is none), and answer `[dimension]`; k of each with
            several rows.
        """
        at = rows if isinstance(rows, int | slice) else torch.as_tensor(rows, dtype=torch.long)
        questions, answers = self._questions[at], self._answers[at]
        if self.context_turns == 0:
            questions = questions.squeeze(-1)
        return self.vectors[questions], self.vectors[answers]

    def __iter__(self) -> Iterator[Pair]:
        return (self[row] for row in range(len(self)))

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    @property
    def context_turns(self) -> int:
        """Earlier turns that come with each question."""
        return int(self._questions.shape[1]) - 1

    def batches(self, batch_size: int = 32, *, shuffle: bool = True, seed: int = 0, **options: Any) -> DataLoader[Pair]:
        """Batches of `(questions, answers)`, each gathered at once.

        Args:
            batch_size: Pairs of a batch; the last one may be smaller.
            shuffle: Another order every epoch, the same in every run with this seed.
            seed: Of that order.
            options: Of `torch.utils.data.DataLoader`, for example `num_workers` or `pin_memory`.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ModelError(f"batch_size is {batch_size!r}: expected a whole number, at least 1")
        order = (
            RandomSampler(self, generator=torch.Generator().manual_seed(seed))
            if shuffle and len(self)
            else SequentialSampler(self)
        )
        drop_last = bool(options.pop("drop_last", False))
        # batch_size=None: the sampler's list of rows goes to `__getitem__` as it is
        return DataLoader(self, sampler=BatchSampler(order, batch_size, drop_last), batch_size=None, **options)

    def cosines(self) -> np.ndarray:
        """Cosine of question and answer, without earlier turns: float32 `[n]`."""
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(self), _ROWS_AT_ONCE):
            at = slice(start, start + _ROWS_AT_ONCE)
            questions, answers = self.vectors[self._questions[at, 0]], self.vectors[self._answers[at]]
            parts.append(torch.nn.functional.cosine_similarity(questions, answers).numpy())
        return np.concatenate(parts)


@dataclass
class EncodedPairs:
    """All pairs of a dataset with their vectors, before the held-out side is taken.

    Attributes:
        pairs: n pairs over m texts.
        vectors: float32 `[m + 1, dimension]`.
        teacher: `Teacher.describe()`, or the same keys as far as they are known of ready-made vectors.
        keys: int64 `[n]`, equal for equal pairs.
        stated: bool `[n]`, pairs that the data itself holds out.
        read: Pairs, and records that gave none.
        dropped: Those that were left out, by reason.
        assessment: What the quality filters say of the others, for `statistics()`.
        cache_stats: Of the cache that the vectors went through.
    """

    pairs: QuestionAnswerPairs
    vectors: np.ndarray
    teacher: dict[str, Any]
    keys: np.ndarray
    stated: np.ndarray
    read: int
    dropped: dict[str, int] = field(default_factory=dict)
    assessment: dict[str, Any] = field(default_factory=dict)
    cache_stats: CacheStats = field(default_factory=CacheStats)

    def select(self, rows: np.ndarray) -> EncodedPairs:
        """Only the pairs at `rows`."""
        return replace(self, pairs=self.pairs.select(rows), keys=self.keys[rows], stated=self.stated[rows])


class SplitPairs(EmbeddingPairs):
    """The training side of a dataset; `validation` is the held-out side.

    Attributes:
        validation: The held-out pairs, over the same table of vectors.
        config: As given.
        teacher: What is known of the encoder: name, fingerprint, dimension and more.
        cache_stats: What the embedding cache was asked for by this dataset.
    """

    def __init__(self, encoded: EncodedPairs, config: DatasetConfig) -> None:
        dimension = encoded.vectors.shape[1]
        if config.embedding_dim not in (None, dimension):
            raise ModelError(
                f"embedding_dim is {config.embedding_dim}, but {encoded.teacher.get('name')} gives vectors of "
                f"{dimension}: set it to {dimension}, leave it out, or choose another teacher_model"
            )
        if not len(encoded.pairs):
            raise nothing_left(encoded.read, encoded.dropped)
        if not np.isfinite(encoded.vectors).all():
            raise ModelError(f"vectors of {encoded.teacher.get('name')} are not finite; try teacher_dtype float32")
        pairs = encoded.pairs
        train, held_out, repeated = held_out_rows(
            pairs.dialogues, encoded.keys, config.validation_split, config.seed, encoded.stated
        )
        vectors = torch.from_numpy(encoded.vectors)
        super().__init__(pairs.select(train), vectors)
        self.validation = EmbeddingPairs(pairs.select(held_out), vectors)
        self.config, self.teacher, self.cache_stats = config, encoded.teacher, encoded.cache_stats
        self._assessment = encoded.assessment
        self._read, self._fingerprint = encoded.read, pairs.fingerprint
        self._dropped = {reason: count for reason, count in encoded.dropped.items() if count}
        if repeated:
            self._dropped["held out, but training has it too"] = repeated

    def get_dataloader(
        self, batch_size: int = 32, shuffle: bool = True, validation: bool = False, **options: Any
    ) -> DataLoader[Pair]:
        """Batches of `(questions [b, dimension], answers [b, dimension])`; see `EmbeddingPairs.batches`.

        Args:
            batch_size: Pairs of a batch.
            shuffle: Another order every epoch, the same in every run with the same `config.seed`.
            validation: The held-out pairs instead of those for training.
            options: Of `torch.utils.data.DataLoader`.

        Raises:
            ModelError: Nothing was held out, or a bad `batch_size`.
        """
        if validation and not len(self.validation):
            raise ModelError(self._no_validation())
        side = self.validation if validation else self
        return side.batches(batch_size, shuffle=shuffle, seed=self.config.seed, **options)

    def training_data(self) -> TrainingData:
        """What `CubeTrainer(config).train(dataset)` asks for.

        Raises:
            ModelError: Nothing was held out to choose the best epoch by, or the vectors are not of length 1.
        """
        if not len(self.validation):
            raise ModelError(self._no_validation())
        table = self.vectors.numpy()
        if not self.config.normalize_embeddings:
            lengths = np.linalg.norm(table, axis=1)
            if not np.all((lengths == 0) | (abs(lengths - 1) < _LENGTH_TOLERANCE)):
                raise ModelError("a core reads vectors of length 1: set normalize_embeddings to True")
        return TrainingData(self.pairs, table, self.validation.pairs, table, self.teacher)

    def statistics(self) -> dict[str, Any]:
        """Counts, drops by reason, lengths, cosines and what made the vectors; ready for `json.dumps`.

        `cosine` is the mean cosine of question and answer before any training, the figure that a trained core has to
        beat; `length` counts characters and is None where the texts are not known. `flagged` and `quality` (means,
        from 0 for poor to 1) are what the quality filters say of the pairs that they kept.
        """
        both = (self.pairs, self.validation.pairs)
        texts = np.array([len(text) for text in self.pairs.texts])
        questions = np.concatenate([texts[p.questions[:, 0]] for p in both])
        answers = np.concatenate([texts[p.answers] for p in both])
        used = np.unique(np.concatenate([part.ravel() for p in both for part in (p.questions, p.answers)]))
        return {
            "read": self._read,
            "pairs": len(self) + len(self.validation),
            "training_pairs": len(self),
            "validation_pairs": len(self.validation),
            "dropped": dict(sorted(self._dropped.items())),
            **self._assessment,
            "dialogues": len(np.unique(np.concatenate([p.dialogues for p in both]))),
            "distinct_texts": int((used >= 0).sum()),
            "context_turns": self.context_turns,
            "length": {"question": _spread(questions), "answer": _spread(answers)},
            "cosine": {"training": _mean(self.cosines()), "validation": _mean(self.validation.cosines())},
            "teacher": self.teacher,
            "data_fingerprint": self._fingerprint,
            "vector_bytes": self.vectors.numel() * self.vectors.element_size(),
        }

    def _no_validation(self) -> str:
        return (
            f"no pair is held out (validation_split is {self.config.validation_split}, "
            f"{len(self):,} pairs for training): raise validation_split or give more dialogues"
        )


def load_teacher(config: DatasetConfig) -> Teacher:
    """The teacher of a config, or the first of its fallbacks that can be had.

    Raises:
        ModelError: None of them can be had; the message says what to do.
    """
    try:
        return Teacher.load(
            config.teacher_model,
            config.teacher_dtype,
            config.device,
            normalize=config.normalize_embeddings,
            fallback=config.fallback,
        )
    except TeacherUnavailableError as error:
        if config.fallback:
            raise
        raise TeacherUnavailableError(f'{error}; or allow another teacher with fallback=["minilm"]') from error


def encode_texts(texts: list[str], teacher: Teacher, config: DatasetConfig) -> tuple[np.ndarray, CacheStats]:
    """Vectors of m distinct texts and a last row of zeros, float32 `[m + 1, dimension]`, and what the cache did."""
    if config.use_cache:
        cache = EmbeddingCache(config.cache_dir)
        vectors, stats = cache.embed(teacher, texts, progress=config.progress), cache.stats
    else:
        with encoding_progress(teacher, len(texts), config.progress) as advance:
            vectors, stats = teacher.encode(texts, advance=advance), CacheStats()
    # in place, where a copy would double the memory; what is appended is zeros
    vectors.resize((len(texts) + 1, vectors.shape[1]), refcheck=False)
    return vectors, stats


def nothing_left(read: int, dropped: Mapping[str, int]) -> ModelError:
    """The error of a dataset without a pair: what became of those that were read."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(dropped.items()) if count)
    return ModelError(f"no pair is left of {read:,} read ({reasons or 'nothing was given'})")


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _spread(lengths: np.ndarray) -> dict[str, float] | None:
    if not lengths.any():
        return None
    return {"mean": round(float(lengths.mean()), 1), "median": float(np.median(lengths)), "max": int(lengths.max())}


def held_out_rows(
    dialogues: np.ndarray, keys: np.ndarray, share: float, seed: int, stated: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Divide n pairs into training and validation.

    Dialogues that consist of the same pairs count as one and stay together. A dialogue of the validation side loses the
    pairs that training has too (`"Thanks!" -> "You are welcome."` is in every second conversation): keeping all
    conversations together that share one would leave nothing to divide.

    Args:
        dialogues: int64 `[n]`, one number a dialogue.
        keys: int64 `[n]`, equal for equal pairs.
        share: Of the distinct dialogues that is held out, 0 to below 1. Above 0 it is at least one, and one is always
            left for training.
        seed: Of the choice.
        stated: bool `[n]`, pairs that the data itself holds out; where there are any, the share does not count.

    Returns:
        Ascending rows for training, ascending rows for validation, and the number of pairs that validation lost.
    """
    out = stated if stated.any() else _chosen(_contents(dialogues, keys), share, seed)
    leaking = out & np.isin(keys, keys[~out])
    return np.flatnonzero(~out), np.flatnonzero(out & ~leaking), int(leaking.sum())


def _contents(dialogues: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """int64 `[n]`: equal for pairs of one dialogue and of dialogues that consist of the same pairs."""
    said: dict[int, list[int]] = {}
    for dialogue, key in zip(dialogues.tolist(), keys.tolist(), strict=True):
        said.setdefault(dialogue, []).append(key)
    numbers: dict[tuple[int, ...], int] = {}
    content = {dialogue: numbers.setdefault(tuple(own), len(numbers)) for dialogue, own in said.items()}
    return np.fromiter((content[dialogue] for dialogue in dialogues.tolist()), dtype=np.int64, count=len(dialogues))


def _chosen(units: np.ndarray, share: float, seed: int) -> np.ndarray:
    count = int(units.max()) + 1 if len(units) else 0
    size = min(max(round(share * count), 1), count - 1) if share > 0 and count else 0
    return np.isin(units, np.random.default_rng(seed).choice(count, size=size, replace=False) if size else [])
