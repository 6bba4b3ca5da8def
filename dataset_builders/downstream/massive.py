"""MASSIVE: what people say to a voice assistant, translated into 51 languages and more (FitzGerald et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_lines
from dataset_builders.sources.source import IntentBuilder

_URL = "https://amazon-massive-nlu-dataset.s3.amazonaws.com/amazon-massive-dataset-"
_SHA256 = {
    "1.0": "7df623fd2d300a4d235d6ee5bd396c9a28258d3a0ccb29abdb054506eba153f8",
    "1.1": "4cba5faa11c71437928e17cb1b9b3d8b8e727e7ea363a3a9a8045e19c0491577",
}
_LOCALES_1_0 = (  # noqa: SIM905  shorter to read as words
    "af-ZA am-ET ar-SA az-AZ bn-BD cy-GB da-DK de-DE el-GR en-US es-ES fa-IR fi-FI fr-FR he-IL hi-IN hu-HU hy-AM id-ID "
    "is-IS it-IT ja-JP jv-ID ka-GE km-KH kn-IN ko-KR lv-LV ml-IN mn-MN ms-MY my-MM nb-NO nl-NL pl-PL pt-PT ro-RO ru-RU "
    "sl-SL sq-AL sv-SE sw-KE ta-IN te-IN th-TH tl-PH tr-TR ur-PK vi-VN zh-CN zh-TW"
).split()
_LOCALES_1_1 = sorted([*_LOCALES_1_0, "ca-ES"])
_PER_LOCALE = {"train": 11514, "dev": 2033, "test": 2974}


def _counts(locales: list[str]) -> dict[str, dict[str, int]]:
    return {split: {"rows": rows * len(locales)} for split, rows in _PER_LOCALE.items()}


class Massive(IntentBuilder):
    """The same utterances, with the same id, in every language. 60 intents in 18 scenarios."""

    INFO = SourceInfo(
        name="massive",
        title="MASSIVE",
        kind="downstream",
        languages=tuple(_LOCALES_1_1),
        license="CC-BY-4.0",
        license_evidence="LICENSE of the dataset archive",
        license_disputed="the code repository alexa/massive, often cited, is Apache-2.0",
        homepage="https://github.com/alexa/massive",
        citation="""@inproceedings{fitzgerald2023massive,
  title={MASSIVE: A 1M-Example Multilingual Natural Language Understanding Dataset},
  author={FitzGerald, Jack and Hench, Christopher and Peris, Charith and others}, booktitle={ACL}, year={2023}}""",
        counts={"1.0": _counts(_LOCALES_1_0), "1.1": _counts(_LOCALES_1_1)},
        configs={"1.0": "1.0", "1.1": "1.1"},
        files=tuple(
            SourceFile(f"amazon-massive-dataset-{v}.tar.gz", f"{_URL}{v}.tar.gz", sha256=digest, config=v)
            for v, digest in _SHA256.items()
        ),
        notes="In English 21 of 2,974 test texts occur in train.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`<version>/data/<locale>.jsonl`, each with all splits."""
        return {split: raw.glob(f"{config}/data/*-*.jsonl") for split in _PER_LOCALE}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The records of the split."""
        return (record for record in read_json_lines(file) if record["partition"] == split)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """One utterance."""
        locale = record["locale"]
        row_id = f"{locale}/{record['id']}"
        yield Utterance(
            row_id,
            split,
            record["utt"],
            record["intent"],
            record["scenario"],
            language=locale,
            parallel_id=f"massive/{record['id']}",
        )
