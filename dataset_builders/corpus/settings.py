"""What a user sets for a build: the options of `dialogue-cube build` and the same keys of the pipeline's config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dataset_builders.common.choices import CONTEXT_TURNS, SPLITS, Direction, Origin, Split, SplitPolicy
from dataset_builders.common.languages import check_language
from dataset_builders.common.options import Options, option

_FILTERS, _PAIRS = "Quality", "Pairs"


@dataclass(frozen=True)
class RunSettings(Options):
    """Where a build reads and writes."""

    raw_dir: Path | None = option(
        None,
        "Raw folder with one folder per source, as `download --to` and `sample` make it, or its URL (`build` only).",
        none="downloads the named sources",
    )
    out: Path | None = option(None, "Output folder, or its URL (`build` only); replaces an earlier one.")
    num_proc: int | None = option(None, "Number of processes that parse raw files and write rows.", low=1)


@dataclass(frozen=True)
class Selection(Options):
    """What a build includes."""

    licenses: tuple[str, ...] = option(
        (),
        "Include only sources under these licences: `commercial`, or licence ids such as MIT.",
        flags=("--license",),
        none="all",
    )
    languages: tuple[str, ...] = option((), "Write only rows in these languages; `en` includes `en-US`.", none="all")
    origins: tuple[Origin, ...] = option(
        (),
        "Write only rows of these origins: human; machine, where a model wrote or translated a part; template. Rows of "
        "unknown origin, such as your own, are always written.",
        none="all",
    )
    splits: tuple[Split, ...] = option(
        SPLITS, "Write only these splits. Duplicates and leaks are still judged over all splits."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for language in self.languages:
            check_language(language)


@dataclass(frozen=True)
class RowSettings(Options):
    """How rows are split and paired."""

    seed: int = option(0, "Random seed of the same-intent pairs and of the splits of sources without official ones.")
    split_policy: SplitPolicy = option(
        "leak-free",
        "leak-free: no duplicates in different splits; official: splits as published, leaks flagged; original: every "
        "dialogue corpus except MultiWOZ in train.",
        panel=_FILTERS,
    )
    context_turns: int = option(
        CONTEXT_TURNS, "Maximum number of turns kept before the anchor of a pair.", low=0, panel=_PAIRS
    )
    directions: tuple[Direction, ...] = option((), "Speakers of anchor and positive.", none="all", panel=_PAIRS)
    same_intent: int = option(0, "Number of same-intent pairs for each training utterance.", low=0, panel=_PAIRS)
    encoder: str | None = option(
        None,
        "Text encoder that scores the relatedness of pairs and mines negatives: minilm, a folder or a Hub repository.",
        none="neither",
        panel=_PAIRS,
    )
    hard_negatives: int = option(
        0, "Number of negatives to mine for each training pair; requires the encoder.", low=0, panel=_PAIRS
    )


@dataclass(frozen=True)
class DatasetSettings(RowSettings):
    """Options of `dialogue-cube build`."""

    quality: str | dict = option(
        "default",
        "Quality filters: none, default, strict, a YAML file, or in YAML the filters themselves: "
        "{preset: strict, personal_data: {action: mask}}.",
        panel=_FILTERS,
    )
    min_words: int | None = option(
        None, "Drop pairs with a text of at most this many words.", low=0, none="3, for own data 0", panel=_PAIRS
    )
    decisions: Path | None = option(
        None,
        "File of decisions about rows, as `dashboard --annotate` writes it: rows are left out or get other labels.",
        panel=_FILTERS,
    )
