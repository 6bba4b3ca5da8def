"""MInDS-14: spoken questions to a bank, transcribed, in 14 languages (Gerz et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_LOCALES = (
    "en-US",
    "cs-CZ",
    "de-DE",
    "en-AU",
    "en-GB",
    "es-ES",
    "fr-FR",
    "it-IT",
    "ko-KR",
    "nl-NL",
    "pl-PL",
    "pt-PT",
    "ru-RU",
    "zh-CN",
)


class Minds14(IntentBuilder):
    """Classify the transcript: no punctuation, recognition errors, some rows in another language. No split."""

    INFO = SourceInfo(
        name="minds14",
        title="MInDS-14",
        kind="downstream",
        languages=_LOCALES,
        license="CC-BY-4.0",
        license_evidence="dataset card of PolyAI/minds14 on the Hub",
        homepage="https://huggingface.co/datasets/PolyAI/minds14",
        citation="""@inproceedings{gerz2021multilingual,
  title={Multilingual and Cross-Lingual Intent Detection from Spoken Data},
  author={Gerz, Daniela and Su, Pei-Hao and Kusztos, Razvan and others}, booktitle={EMNLP}, year={2021}}""",
        counts={"default": {ALL: {"rows": 8168}}},
        configs={"default": "1.0"},
        files=(
            SourceFile(
                "MInDS-14.zip",
                "https://poly-public-data.s3.amazonaws.com/MInDS-14/MInDS-14.zip",
                sha256="595c040b4c5fba0cfa55138f4954ef68ee4d38bad2bb46d620feb75b40f476fc",
            ),
        ),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`text/<locale>.csv`."""
        return {ALL: [file for locale in _LOCALES for file in raw.glob(f"{locale}.csv")[:1]]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered CSV rows."""
        return enumerate(read_csv(file, ["filepath", "text_asr", "text_translated", "intent"]))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """Converts the intents, which are in capitals, to lower case."""
        number, row = record
        locale = file.name.rsplit("/", 1)[-1].removesuffix(".csv")
        yield Utterance(f"{locale}/{number}", split, row["text_asr"], row["intent"].lower(), language=locale)
