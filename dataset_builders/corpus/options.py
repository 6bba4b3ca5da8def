"""What changes the rows of a build."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.pairs.consecutive import CONTEXT_TURNS, DIRECTIONS
from dataset_builders.quality.config import QualityConfig
from dataset_builders.schema import SPLITS, Split
from dataset_builders.survey.leaks import SplitPolicy

BENCHMARK_WORDS = 4
"""A pretraining dialogue that says a benchmark's test utterance of more words than this is left out.

Benchmarks hold "thank you goodbye" and "yes that's right": without a limit up to half of a corpus would go; above four
words it is 0.2 to 1 % (measured on MultiWOZ, SGD and SMD). Pairs are always cleaned, whatever the length.
"""


@dataclass(frozen=True)
class BuildOptions:
    """Written into the report and the card.

    Args:
        seed: Of the splits of sources that have none, and of same-intent pairs.
        split_policy: Whether duplicates may stand in several splits.
        quality: What the filters drop and flag.
        own_min_words: `quality.pair_length.min_words` of a user's own data: short answers are meant there.
        benchmark_words: See `BENCHMARK_WORDS`.
        context_turns: Turns kept before the anchor of a pair.
        directions: Who speaks first and second in a pair.
        same_intent: Pairs of the same intent for each training utterance of the intent sets.
        encoder: Encoder that measures how related the two sides of a pair are and mines negatives; None for neither.
        hard_negatives: Negatives mined for each training pair; needs the encoder.
        licenses: Keep only sources under these licences (`licenses.qualifies`); all when empty.
        languages: Write only rows of these languages; a tag is also its longer forms (`en` is also `en-US`).
        splits: Write only rows of these splits. Duplicates and leaks are judged over all rows, whatever is written:
            the rows are those of the whole dataset.
    """

    seed: int = 0
    split_policy: SplitPolicy = "leak-free"
    quality: QualityConfig = field(default_factory=QualityConfig.preset)
    own_min_words: int = 0
    benchmark_words: int = BENCHMARK_WORDS
    context_turns: int = CONTEXT_TURNS
    directions: tuple[str, ...] = DIRECTIONS
    same_intent: int = 0
    encoder: str | None = None
    hard_negatives: int = 0
    licenses: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    splits: tuple[Split, ...] = SPLITS

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the report."""
        return asdict(self) | {"quality": self.quality.as_dict()}


def check_splits(names: Collection[str]) -> tuple[Split, ...]:
    """The splits of those names, in the usual order.

    Raises:
        DataError: There is no such split.
    """
    unknown = sorted(set(names) - set(SPLITS))
    if unknown:
        raise DataError(f"no split {', '.join(unknown)}; expected {', '.join(SPLITS)}")
    return tuple(split for split in SPLITS if split in set(names))
