"""3i4K: Korean sentences and what they do: state, ask, command (Cho et al., 2018)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/warnikchow/3i4k/cfa90c15f808becafca2d8ef8649b8b71f6bbe71/data/train_val_test/"
_LABELS = (
    "fragment",
    "statement",
    "question",
    "command",
    "rhetorical_question",
    "rhetorical_command",
    "intonation_dependent",
)
_BLOBS = {
    "train_val": "3d0453e8bbddf517844e1db4faad56f487800fdf",
    "test": "3760dce83f1fa5a64b9baceba1d4381075888543",
}


class _3i4k(IntentBuilder):  # noqa: N801  the name of the source begins with a digit
    """Seven speech acts, which are numbered in the files."""

    INFO = SourceInfo(
        name="3i4k",
        title="3i4K",
        kind="downstream",
        languages=("ko",),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE and README of github.com/warnikchow/3i4k",
        homepage="https://github.com/warnikchow/3i4k",
        citation="""@article{cho2018speech,
  title={Speech Intention Understanding in a Head-final Language: A Disambiguation Utilizing Intonation-dependency},
  author={Cho, Won Ik and Lee, Hyeon Seung and Yoon, Ji Won and Kim, Seok Min and Kim, Nam Soo},
  journal={arXiv:1811.04231}, year={2018}}""",
        counts={"default": {"train_val": {"rows": 55134}, "test": {"rows": 6121}}},
        configs={"default": "cfa90c1"},
        files=tuple(
            SourceFile(f"train_val_test/fci_{split}.txt", f"{_URL}fci_{split}.txt", git_blob=blob)
            for split, blob in _BLOBS.items()
        ),
        notes="Speech acts rather than intents. 3,761 rows repeat another, 215 texts have several labels.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file per split."""
        return {split: raw.glob(f"fci_{split}.txt")[:1] for split in _BLOBS}

    def split_name(self, original_split: str) -> str:
        """`train_val` is train; upstream leaves it to the user to hold out a part."""
        return super().split_name(original_split.removesuffix("_val"))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered lines."""
        return enumerate(file.read().decode().split("\n"))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """`<number of the label> TAB <text>`."""
        number, line = record
        if line:
            label, text = line.split("\t")
            yield Utterance(str(number), split, text, _LABELS[int(label)])
