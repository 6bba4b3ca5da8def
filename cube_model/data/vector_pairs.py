"""Embedded question -> answer pairs: map-style datasets over one table of distinct embeddings, with a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from cube_model.data.config import DatasetConfig
from cube_model.data.held_out import split_rows
from cube_model.data.pairs import NO_TURN, QuestionAnswerPairs
from cube_model.data.training_data import TrainingData
from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER, TeacherUnavailableError
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import CacheStats, EmbeddingCache
from dataset_builders.common.progress import encoding_progress

if TYPE_CHECKING:
    from typing import Self

_CHUNK = 8192
"""Pairs whose cosines are computed at once; bounds the memory."""

_NORM_TOLERANCE = 0.01
"""Tolerance of the norm of a normalised embedding: bfloat16 rounds by up to 0.4 %."""

Pair = tuple[torch.Tensor, torch.Tensor]


class EmbeddingPairs(Dataset[Pair]):
    """n pairs of (question embedding, answer embedding), gathered from a table on access.

    Memory: 4 bytes times `dimension` per distinct text (100,000 texts of 768 dimensions: 307 MB) and 8 bytes per index;
    the training and validation pairs share the table.

    Args:
        pairs: n pairs, as indices of m texts.
        vectors: float32 `[m + 1, dimension]`: embeddings of the texts and a last row of zeros for missing turns.

    Example:
        >>> from cube_model import create_dialogue_dataset
        >>> pairs = create_dialogue_dataset([("Is there a gym?", "Yes."), ("A pool?", "No.")], teacher="minilm")
        >>> question, answer = pairs[0]
        >>> question.shape, answer.shape
        (torch.Size([384]), torch.Size([384]))
    """

    def __init__(self, pairs: QuestionAnswerPairs, vectors: torch.Tensor) -> None:
        self.pairs, self.vectors = pairs, vectors
        questions = torch.from_numpy(pairs.questions).long()
        # only some torch calls accept -1 for the last row, so use the index of the row of zeros
        self._questions = torch.where(questions < 0, len(vectors) - 1, questions)
        self._answers = torch.from_numpy(pairs.answers).long()

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, rows: int | slice | Sequence[int] | np.ndarray | torch.Tensor) -> Pair:
        """Get one pair, or a batch of k pairs for a slice or k rows.

        Returns:
            The question `[dimension]` and the answer `[dimension]`. With context the question is
            `[1 + context_turns, dimension]`: the question, then the turns before it, most recent first, zeros where
            there is none. A batch has a first axis of k.
        """
        index = rows if isinstance(rows, int | slice) else torch.as_tensor(rows, dtype=torch.long)
        questions, answers = self._questions[index], self._answers[index]
        if self.context_turns == 0:
            questions = questions.squeeze(-1)
        return self.vectors[questions], self.vectors[answers]

    def __iter__(self) -> Iterator[Pair]:
        return (self[row] for row in range(len(self)))

    @property
    def dimension(self) -> int:
        """Dimension of the embeddings."""
        return int(self.vectors.shape[1])

    @property
    def context_turns(self) -> int:
        """Number of turns before each question that the pairs include."""
        return int(self._questions.shape[1]) - 1

    def batches(
        self,
        batch_size: int = 32,
        *,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        num_workers: int = 0,
        pin_memory: bool = False,
        persistent_workers: bool = False,
    ) -> DataLoader[Pair]:
        """Load batches of `(questions, answers)`, each gathered with one indexing operation.

        Args:
            batch_size: Number of pairs in a batch; the last batch may be smaller.
            shuffle: Shuffle the pairs anew for every epoch.
            seed: Random seed of the shuffling.
            drop_last: Leave out the last batch if it is smaller.
            num_workers: Number of processes that load, see `torch.utils.data.DataLoader`.
            pin_memory: Load into memory that is copied to a graphics card quickly.
            persistent_workers: Keep the processes between epochs.

        Raises:
            ModelError: `batch_size` is not a positive integer.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ModelError(f"batch_size is {batch_size!r}: expected a whole number, at least 1")
        order = (
            RandomSampler(self, generator=torch.Generator().manual_seed(seed))
            if shuffle and len(self)
            else SequentialSampler(self)
        )
        return DataLoader(
            self,
            sampler=BatchSampler(order, batch_size, drop_last),
            batch_size=None,  # passes the sampler's list of rows to one `__getitem__` call
            num_workers=num_workers,
            pin_memory=pin_memory,
            persistent_workers=persistent_workers,
        )

    def cosines(self) -> np.ndarray:
        """Compute the cosine of each question, without its context, and its answer: float32 `[n]`."""
        cosines = [np.zeros(0, np.float32)]
        for start in range(0, len(self), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            questions, answers = self.vectors[self._questions[chunk, 0]], self.vectors[self._answers[chunk]]
            cosines.append(torch.nn.functional.cosine_similarity(questions, answers).numpy())
        return np.concatenate(cosines)


@dataclass
class EncodedPairs:
    """The pairs of a dataset and their embeddings, before the split.

    Attributes:
        pairs: n pairs, as indices of m texts.
        vectors: float32 `[m + 1, dimension]`: embeddings of the texts and a last row of zeros.
        teacher: `Teacher.describe()`, or those of its keys that are known for ready-made embeddings.
        keys: int64 `[n]`, equal for equal pairs.
        held_out: bool `[n]`, True for pairs that come from a validation file.
        read: Number of pairs read, plus that of records without a pair.
        dropped: Number of dropped pairs and records by reason.
        assessment: Flags and scores of the quality filters, as entries for `statistics()`.
        cache_stats: Hits and misses of the embedding cache.
    """

    pairs: QuestionAnswerPairs
    vectors: np.ndarray
    teacher: dict[str, Any]
    keys: np.ndarray
    held_out: np.ndarray
    read: int
    dropped: dict[str, int] = field(default_factory=dict)
    assessment: dict[str, Any] = field(default_factory=dict)
    cache_stats: CacheStats = field(default_factory=CacheStats)

    def select(self, rows: np.ndarray) -> EncodedPairs:
        """Return the pairs at `rows` only, over the same embeddings."""
        return replace(self, pairs=self.pairs.select(rows), keys=self.keys[rows], held_out=self.held_out[rows])


class SplitPairs(EmbeddingPairs):
    """The training pairs of a dataset; `validation` holds the validation pairs.

    Args:
        encoded: All pairs.
        config: Options of the split.

    Attributes:
        validation: The validation pairs, over the same table of embeddings.
        config: The options.
        teacher: Description of the teacher: name, fingerprint, dimension and more.
        cache_stats: Hits and misses of the embedding cache for this dataset.

    Raises:
        ModelError: No pair is left, an embedding is not finite, or the dimension is not `config.embedding_dim`.
    """

    def __init__(self, encoded: EncodedPairs, config: DatasetConfig) -> None:
        dimension = encoded.vectors.shape[1]
        if config.embedding_dim not in (None, dimension):
            raise ModelError(
                f"embedding_dim is {config.embedding_dim}, but embeddings of {encoded.teacher.get('name')} have "
                f"{dimension} dimensions: set it to {dimension}, leave it out, or choose another teacher"
            )
        if not len(encoded.pairs):
            raise no_pair_left(encoded.read, encoded.dropped)
        if not np.isfinite(encoded.vectors).all():
            raise ModelError(
                f"some embeddings of {encoded.teacher.get('name')} are not finite: try teacher_dtype float32"
            )
        pairs = encoded.pairs
        train, validation, duplicates = split_rows(
            pairs.dialogues, encoded.keys, config.validation_split, config.seed, encoded.held_out
        )
        vectors = torch.from_numpy(encoded.vectors)
        super().__init__(pairs.select(train), vectors)
        self.validation = EmbeddingPairs(pairs.select(validation), vectors)
        self.config, self.teacher, self.cache_stats = config, encoded.teacher, encoded.cache_stats
        self._encoded, self._assessment = encoded, encoded.assessment
        self._read, self._fingerprint = encoded.read, pairs.fingerprint
        self._dropped = {reason: count for reason, count in encoded.dropped.items() if count}
        if duplicates:
            self._dropped["held out, but training has it too"] = duplicates

    def get_dataloader(
        self,
        batch_size: int = 32,
        shuffle: bool = True,
        validation: bool = False,
        *,
        drop_last: bool = False,
        num_workers: int = 0,
        pin_memory: bool = False,
        persistent_workers: bool = False,
    ) -> DataLoader[Pair]:
        """Load batches of `(questions [b, dimension], answers [b, dimension])`; see `EmbeddingPairs.batches`.

        Args:
            batch_size: Number of pairs in a batch; the last batch may be smaller.
            shuffle: Shuffle the pairs anew for every epoch, seeded by `config.seed`.
            validation: Load the validation pairs instead of the training pairs.
            drop_last: Leave out the last batch if it is smaller.
            num_workers: Number of processes that load, see `torch.utils.data.DataLoader`.
            pin_memory: Load into memory that is copied to a graphics card quickly.
            persistent_workers: Keep the processes between epochs.

        Raises:
            ModelError: There are no validation pairs, or `batch_size` is not a positive integer.
        """
        pairs = self._require_validation() if validation else self
        return pairs.batches(
            batch_size,
            shuffle=shuffle,
            seed=self.config.seed,
            drop_last=drop_last,
            num_workers=num_workers,
            pin_memory=pin_memory,
            persistent_workers=persistent_workers,
        )

    def train_test_split(self, test_size: float = 0.2, seed: int | None = None) -> dict[str, Self]:
        """Split all pairs, by whole dialogues, as `datasets.Dataset.train_test_split` splits rows.

        No pair is in both splits.

        Args:
            test_size: Share of the dialogues in the test split, above 0 and below 1.
            seed: Random seed of the split. Default: that of `config`.

        Returns:
            `"train"`, a dataset with validation pairs of its own, and `"test"`, one without.

        Raises:
            ModelError: `test_size` is out of range, or too few pairs are left for validation.

        Example:
            >>> from cube_model import create_dialogue_dataset
            >>> pairs = [(f"Is there a bus number {i}?", f"Every {i} minutes.") for i in range(1, 21)]
            >>> splits = create_dialogue_dataset(pairs, teacher="minilm").train_test_split(test_size=0.25)
            >>> len(splits["train"]), len(splits["train"].validation), len(splits["test"])
            (12, 3, 5)
        """
        if not 0 < test_size < 1:
            raise ModelError(f"test_size is {test_size!r}: expected a share above 0 and below 1")
        encoded, seed = self._encoded, self.config.seed if seed is None else seed
        nothing = np.zeros(len(encoded.pairs), dtype=bool)
        train, test, _ = split_rows(encoded.pairs.dialogues, encoded.keys, test_size, seed, nothing)
        whole = replace(self.config, validation_split=0.0)
        return {
            "train": type(self)(encoded.select(train), self.config),
            "test": type(self)(replace(encoded.select(test), held_out=nothing[test]), whole),
        }

    def training_data(self) -> TrainingData:
        """Return the data that `CubeTrainer(config).train(dataset)` reads.

        Raises:
            ModelError: There are no validation pairs to select the best epoch with, or an embedding's norm is not 1.
        """
        validation, table = self._require_validation(), self.vectors.numpy()
        if not self.config.normalize_embeddings:
            norms = np.linalg.norm(table, axis=1)
            if not np.all((norms == 0) | (abs(norms - 1) < _NORM_TOLERANCE)):
                raise ModelError("a core requires embeddings of norm 1: set normalize_embeddings to True")
        return TrainingData(self.pairs, table, validation.pairs, table, self.teacher)

    def statistics(self) -> dict[str, Any]:
        """Count pairs and drops, and measure lengths and cosines.

        Returns:
            A dict that `json.dumps` accepts. `cosine` is the mean cosine of question and answer before any training,
            the figure that a trained core has to beat; `length` counts characters and is None if the texts are not
            known. `flagged` and `quality` (means, from 0 for poor to 1) are the quality filters' flags and scores of
            the pairs that they kept.
        """
        splits = (self.pairs, self.validation.pairs)
        lengths = np.array([len(text) for text in self.pairs.texts])
        questions = np.concatenate([lengths[pairs.questions[:, 0]] for pairs in splits])
        answers = np.concatenate([lengths[pairs.answers] for pairs in splits])
        texts = np.concatenate([index.ravel() for pairs in splits for index in (pairs.questions, pairs.answers)])
        return {
            "read": self._read,
            "pairs": len(self) + len(self.validation),
            "training_pairs": len(self),
            "validation_pairs": len(self.validation),
            "dropped": dict(sorted(self._dropped.items())),
            **self._assessment,
            "dialogues": len(np.unique(np.concatenate([pairs.dialogues for pairs in splits]))),
            "distinct_texts": len(np.unique(texts[texts != NO_TURN])),
            "context_turns": self.context_turns,
            "length": {"question": _spread(questions), "answer": _spread(answers)},
            "cosine": {"training": _mean(self.cosines()), "validation": _mean(self.validation.cosines())},
            "teacher": self.teacher,
            "data_fingerprint": self._fingerprint,
            "vector_bytes": self.vectors.numel() * self.vectors.element_size(),
        }

    def _require_validation(self) -> EmbeddingPairs:
        if not len(self.validation):
            raise ModelError(
                f"no validation pairs (validation_split is {self.config.validation_split}, {len(self):,} pairs for "
                "training): raise validation_split or add dialogues"
            )
        return self.validation


def load_teacher(config: DatasetConfig) -> Teacher:
    """Load the teacher of a config, or the first of its fallbacks that is available.

    Raises:
        TeacherUnavailableError: None of them is available; the message says what to do.
    """
    try:
        return Teacher.load(
            config.teacher,
            config.teacher_dtype,
            config.device,
            normalize=config.normalize_embeddings,
            fallback=config.fallback,
        )
    except TeacherUnavailableError as error:
        if config.fallback or config.teacher == DEFAULT_TEACHER:
            raise
        advice = f'allow another teacher with fallback=["{DEFAULT_TEACHER}"]'
        raise TeacherUnavailableError(f"{error}; or {advice}") from error


def encode_texts(texts: list[str], teacher: Teacher, config: DatasetConfig) -> tuple[np.ndarray, CacheStats]:
    """Encode texts, through the cache if the config allows it.

    Args:
        texts: m distinct texts.
        teacher: Encoder of the texts.
        config: Options of the cache and the progress bar.

    Returns:
        Embeddings of the texts and a last row of zeros, float32 `[m + 1, dimension]`; hits and misses of the cache.
    """
    if config.use_cache:
        cache = EmbeddingCache(config.cache_dir, vectors=config.vectors)
        vectors, stats = cache.embed(teacher, texts, progress=config.progress), cache.stats
    else:
        with encoding_progress(teacher, len(texts), config.progress) as advance:
            vectors, stats = teacher.encode(texts, advance=advance), CacheStats()
    # append the row of zeros in place: a copy would double the memory
    vectors.resize((len(texts) + 1, vectors.shape[1]), refcheck=False)
    return vectors, stats


def no_pair_left(read: int, dropped: Mapping[str, int]) -> ModelError:
    """Make the error of a dataset without pairs; it counts the drops by reason."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(dropped.items()) if count)
    return ModelError(f"no pair is left of {read:,} read ({reasons or 'the input is empty'})")


def _mean(values: np.ndarray) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _spread(lengths: np.ndarray) -> dict[str, float] | None:
    if not lengths.any():
        return None
    return {"mean": round(float(lengths.mean()), 1), "median": float(np.median(lengths)), "max": int(lengths.max())}
