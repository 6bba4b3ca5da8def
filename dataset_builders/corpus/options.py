"""Options that change the rows of a build."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from dataset_builders.common.choices import DIRECTIONS, SPLITS
from dataset_builders.common.decisions import RowDecisions, read_decisions
from dataset_builders.common.errors import DataError
from dataset_builders.common.options import option
from dataset_builders.corpus.settings import DatasetSettings, RowSettings, Selection
from dataset_builders.quality.config import QualityConfig

BENCHMARK_WORDS = 4
"""A pretraining dialogue is dropped if it contains a benchmark test utterance of more words than this.

Benchmarks include utterances such as "thank you goodbye" and "yes that's right": without a limit, up to half of a
corpus would be dropped. Utterances of more than four words cost 0.2 to 1 % (measured on MultiWOZ, SGD and SMD). Pairs
are dropped whatever the length of the utterance.
"""


@dataclass(frozen=True)
class BuildOptions(RowSettings, Selection):
    """Options of a build; the report and the dataset card record them."""

    quality: QualityConfig = option(QualityConfig.preset, "Settings of the quality filters.")
    own_min_words: int = option(
        0,
        "Replaces `quality.pair_length.min_words` for a user's own data, where short answers are intentional.",
        low=0,
    )
    benchmark_words: int = option(BENCHMARK_WORDS, "See `BENCHMARK_WORDS`.", low=0)
    decisions: RowDecisions = option(RowDecisions, "Decisions of people about rows, obeyed by the build.")

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered = tuple(direction for direction in DIRECTIONS if direction in (self.directions or DIRECTIONS))
        object.__setattr__(self, "directions", ordered)
        object.__setattr__(self, "splits", tuple(split for split in SPLITS if split in self.splits))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the report, in its order."""
        values = asdict(replace(self, decisions=RowDecisions())) | {"quality": self.quality.as_dict()}
        # only if there are any, so that a build without them is what it was before
        decisions = {"decisions": self.decisions.digest} if self.decisions else {}
        return {name: values[name] for name in _REPORTED} | decisions


_REPORTED = (
    *("seed", "split_policy", "quality", "own_min_words", "benchmark_words", "context_turns", "directions"),
    *("same_intent", "encoder", "hard_negatives", "licenses", "languages", "origins", "splits"),
)


def build_options(
    dataset: DatasetSettings, selection: Selection, decisions: RowDecisions | None = None
) -> BuildOptions:
    """The options of a build, from what a user sets.

    Args:
        dataset: How rows are filtered, split and paired.
        selection: Which rows are written.
        decisions: Content of the file of decisions; None to read it.

    Raises:
        DataError: The filters or the file of decisions are wrong, or negatives are wanted without an encoder.
    """
    if isinstance(dataset.quality, str):
        quality = QualityConfig.load(dataset.quality)
    else:
        quality = QualityConfig.of(dataset.quality, "dataset.quality")
    if dataset.min_words is not None:
        quality = quality.with_min_words(dataset.min_words)
    if dataset.hard_negatives and not dataset.encoder:
        raise DataError("hard negatives need an encoder: add one, for example --encoder minilm")
    if decisions is None:
        decisions = read_decisions(dataset.decisions) if dataset.decisions else RowDecisions()
    return BuildOptions(
        **_values(dataset, RowSettings),
        **_values(selection, Selection),
        quality=quality,
        own_min_words=dataset.min_words or 0,
        decisions=decisions,
    )


def _values(settings: Any, kind: type) -> dict[str, Any]:
    return {f.name: getattr(settings, f.name) for f in fields(kind)}
