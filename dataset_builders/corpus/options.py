"""Options that change the rows of a build."""

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
"""A pretraining dialogue is dropped if it contains a benchmark test utterance of more words than this.

Benchmarks include utterances such as "thank you goodbye" and "yes that's right": without a limit, up to half of a
corpus would be dropped. Utterances of more than four words cost 0.2 to 1 % (measured on MultiWOZ, SGD and SMD). Pairs
are dropped whatever the length of the utterance.
"""


@dataclass(frozen=True)
class BuildOptions:
    """Options of a build; the report and the dataset card record them.

    Args:
        seed: Random seed of the same-intent pairs and of the splits of sources without official ones.
        split_policy: Whether duplicates may be in different splits.
        quality: Settings of the quality filters.
        own_min_words: Replaces `quality.pair_length.min_words` for a user's own data, where short answers are
            intentional.
        benchmark_words: See `BENCHMARK_WORDS`.
        context_turns: Maximum number of turns kept before the anchor of a pair.
        directions: Speakers of anchor and positive, such as `"user-system"`.
        same_intent: Number of same-intent pairs for each training utterance of the intent sets.
        encoder: Text encoder that scores the relatedness of pairs and mines negatives; None for neither.
        hard_negatives: Number of negatives to mine for each training pair; requires `encoder`.
        licenses: Licences of the sources to include (`licenses.qualifies`); empty for all.
        languages: Languages of the rows to write; `en` includes `en-US`. Empty for all.
        splits: Splits to write. Duplicates and leaks are still judged over all splits, so the rows equal those of the
            whole dataset.
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
    """Validate split names and return them in the order of `SPLITS`.

    Raises:
        DataError: A name is not a split.
    """
    unknown = sorted(set(names) - set(SPLITS))
    if unknown:
        raise DataError(f"no split {', '.join(unknown)}; expected {', '.join(SPLITS)}")
    return tuple(split for split in SPLITS if split in set(names))
