"""Hinglish-TOP: commands to an assistant in a mix of Hindi and English (Agarwal et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_URL = (
    "https://raw.githubusercontent.com/google-research-datasets/Hinglish-TOP-Dataset/"
    "fdd3998a6573130659bfa1ce4b1ebe698df2bf3a/Dataset/Human%20Annotated%20Data/"
)
_BLOBS = {
    "train": "6cf6ac0f8c063cb3bd8de3ad45c317d252ff5334",
    "validation": "2d9c2845361711a2ce47a17e2d43a03f0baca369",
    "test": "f2222270df547e0b0abd85c1373abab246f51394",
}


class HinglishTop(IntentBuilder):
    """The part that people wrote: English queries of TOPv2, put into Hinglish."""

    INFO = SourceInfo(
        name="hinglish_top",
        title="Hinglish-TOP",
        kind="downstream",
        languages=("hi-Latn",),
        license="Apache-2.0",
        license_evidence="LICENSE.md of github.com/google-research-datasets/Hinglish-TOP-Dataset",
        license_disputed="its queries are derived from TOPv2, which is CC-BY-SA-4.0",
        homepage="https://github.com/google-research-datasets/Hinglish-TOP-Dataset",
        citation="""@misc{hinglishtop,
  title={{CST5}: Data Augmentation for Code-Switched Semantic Parsing}, note={arXiv:2211.07514}, year={2022}}""",
        counts={"default": {"train": {"rows": 2993}, "validation": {"rows": 1390}, "test": {"rows": 6513}}},
        configs={"default": "fdd3998"},
        files=tuple(
            SourceFile(f"Human Annotated Data/{name}.tsv", f"{_URL}{name}.tsv", git_blob=blob)
            for name, blob in _BLOBS.items()
        ),
        notes="The test set has six intents that are not in train. The 170,000 sentences of a model are not read.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file per split."""
        return {split: raw.glob(f"Human Annotated Data/{split}.tsv")[:1] for split in _BLOBS}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered rows, in which a quotation mark is a character as any other."""
        header = ["en_query", "cs_query", "en_parse", "cs_parse", "domain"]
        return enumerate(read_csv(file, header, delimiter="\t", quoted=False))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """The intent is the outermost of the parse: `[IN:GET_WEATHER kal ka [SL:...`."""
        number, row = record
        intent = row["cs_parse"].removeprefix("[IN:").split(" ", 1)[0]
        is_out_of_scope = intent.startswith("UNSUPPORTED")
        yield Utterance(str(number), split, row["cs_query"], intent, row["domain"], is_out_of_scope)
