"""Banking77: questions to a bank, 77 fine-grained intents (Casanueva et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_URL = (
    "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/"
    "57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/"
)


class Banking77(IntentBuilder):
    """CSV with quoted line breaks, without a validation split. The odd label `Refund_not_showing_up` is correct."""

    INFO = SourceInfo(
        name="banking77",
        title="Banking77",
        kind="downstream",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="LICENSE of github.com/PolyAI-LDN/task-specific-datasets",
        license_disputed="some copies say MIT",
        homepage="https://github.com/PolyAI-LDN/task-specific-datasets",
        citation="""@inproceedings{casanueva2020efficient,
  title={Efficient Intent Detection with Dual Sentence Encoders},
  author={Casanueva, I{\\~n}igo and Tem{\\v{c}}inas, Tadas and Gerz, Daniela and Henderson, Matthew and others},
  booktitle={NLP for ConvAI}, year={2020}}""",
        counts={"default": {"train": {"rows": 10003}, "test": {"rows": 3080}}},
        configs={"default": "57ec275"},
        files=(
            SourceFile(
                "train.csv",
                _URL + "train.csv",
                "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
            ),
            SourceFile(
                "test.csv",
                _URL + "test.csv",
                "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
            ),
        ),
        notes="11 test texts occur in train; about 14 % of train labels are suspect (Ying & Thomas, 2022).",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`train.csv` and `test.csv`."""
        return {split: raw.glob(f"{split}.csv")[:1] for split in ("train", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered CSV rows."""
        return enumerate(read_csv(file, ["text", "category"]))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """One row."""
        number, row = record
        yield Utterance(
            str(number),
            split,
            row["text"],
            row["category"],
            parallel_id=f"banking77/test/{number}" if split == "test" else None,
        )
