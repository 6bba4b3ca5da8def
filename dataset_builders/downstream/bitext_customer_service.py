"""Bitext: requests to a customer service, generated from a grammar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_URL = (
    "https://raw.githubusercontent.com/bitext/customer-support-intent-detection-training-dataset/"
    "e970229e6473109417301b5edddb283917a10aac/"
)
_NAME = "data/{}/Bitext_Sample_Customer_Service_{}_Dataset.csv"
_PARTS = {
    "train": ("Training", "f663eddce13c4bf93b76f22d83a1f3d7c618a779"),
    "dev": ("Validation", "75885b1363cdea571c01f28ea0855b2b9402e220"),
    "test": ("Testing", "1b5c71c8d3369f0bfbb1929db1fb5010461da92d"),
}
_HEADER = ["utterance", "intent", "entity_type", "entity_value", "start_offset", "end_offset", "category", "tags"]


class BitextCustomerService(IntentBuilder):
    """27 intents in 11 categories. Order numbers and names in the texts are invented."""

    INFO = SourceInfo(
        name="bitext_customer_service",
        title="Bitext Customer Service, sample",
        kind="downstream",
        languages=("en",),
        license="CDLA-Sharing-1.0",
        license_evidence="LICENSE of github.com/bitext/customer-support-intent-detection-training-dataset",
        homepage="https://github.com/bitext/customer-support-intent-detection-training-dataset",
        citation="""@misc{bitextcustomerservice,
  title={Customer Support Intent Detection Training Dataset}, author={{Bitext}},
  howpublished={https://github.com/bitext/customer-support-intent-detection-training-dataset}}""",
        counts={"default": {"train": {"rows": 6480}, "dev": {"rows": 810}, "test": {"rows": 810}}},
        configs={"default": "e970229"},
        files=tuple(
            SourceFile(_NAME.format(split, name), _URL + _NAME.format(split, name), git_blob=blob)
            for split, (name, blob) in _PARTS.items()
        ),
        notes="All parts come from one grammar, so that held-out texts are like those of train. The typing errors are "
        "on purpose.",
        origin="template",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file per split."""
        return {split: raw.glob(_NAME.format(split, name))[:1] for split, (name, _) in _PARTS.items()}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered rows."""
        return enumerate(read_csv(file, _HEADER))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """One row."""
        number, row = record
        yield Utterance(str(number), split, row["utterance"], row["intent"], row["category"])
