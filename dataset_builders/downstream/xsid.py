"""xSID: a part of Snips and of Facebook's commands, in 19 languages and dialects (van der Goot et al., 2021)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/mainlp/xsid/761d926c3f2e9f6bea13192d2f39cec1d04d9777/"
_COMMENT = re.compile(r"^# ([a-z-]+)(?: =|:) ?(.*)$", re.MULTILINE)
# upstream's codes of German dialects: Bavarian, Munich and South Tyrol
_TAGS = {"de-ba": "bar", "de-muc": "bar-x-munich", "de-st": "bar-IT"}
_LANGUAGES = ("en", "ar", "da", "de", *_TAGS, "gsw", "id", "it", "ja", "kk", "lt", "nap", "nl", "no", "sr", "tr", "zh")


class Xsid(IntentBuilder):
    """Validation and test in every language, training data in English only.

    Norwegian has each sentence in Bokmål and ten dialects, Japanese has half of the sentences.
    """

    INFO = SourceInfo(
        name="xsid",
        title="xSID 0.7",
        kind="downstream",
        languages=(*(_TAGS.get(code, code) for code in _LANGUAGES), "nb"),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE of github.com/mainlp/xsid",
        homepage="https://github.com/mainlp/xsid",
        citation="""@inproceedings{vandergoot2021masked,
  title={From Masked Language Modeling to Translation: Non-{E}nglish Auxiliary Tasks Improve Zero-shot Spoken Language
    Understanding},
  author={van der Goot, Rob and Sharaf, Ibrahim and Imankulova, Aizhan and {\\"U}st{\\"u}n, Ahmet and others},
  booktitle={NAACL}, year={2021}}""",
        counts={"default": {"valid": {"rows": 8550}, "test": {"rows": 14250}}},
        configs={"default": "0.7"},
        files=file_table(__file__, _URL),
        notes="The English sentences are from Snips and Schuster et al. (2019), and some occur several times. "
        "49 rows have another intent than their English sentence. One Norwegian text is empty.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`<language>.<split>.conll`; the English sentences number those of all languages."""
        self._english = {
            split: [row["text"] for file in raw.glob(f"en.{split}.conll") for row in _read(file)]
            for split in ("valid", "test")
        }
        return {
            "train": raw.glob("en.train.conll"),
            **{s: [f for code in _LANGUAGES for f in raw.glob(f"{code}.{s}.conll")] for s in self._english},
        }

    def split_name(self, original_split: str) -> str:
        """`valid` is validation."""
        return "validation" if original_split == "valid" else original_split

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered sentences."""
        return enumerate(_read(file), start=1)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """Finds the English sentence of the row: the text is given with most, a number with the Norwegian ones."""
        number, row = record
        code = file.name.rsplit("/", 1)[-1].split(".")[0]
        row_id = row["id"] if code == "no" else number
        english, text = self._english.get(split, []), row.get("text-en", row["text"])
        if code == "no" and english:
            text = english[int(row["id"].split("/")[0]) - 1]
        parallel_id = f"xsid/{split}/{english.index(text) + 1}" if text in english else None
        language = "nb" if row.get("dialect") == "B" else _TAGS.get(code, code)
        yield Utterance(
            f"{code}/{row_id}", split, row["text"], row["intent"], language=language, parallel_id=parallel_id
        )


def _read(file: RawFile) -> list[dict[str, str]]:
    """Comments of each sentence; the lines of its words are left out."""
    blocks = file.read().decode().split("\n\n")
    sentences = [dict(_COMMENT.findall(block)) for block in blocks if block.strip()]
    return [{name: " ".join(value.split()) for name, value in each.items()} for each in sentences]
