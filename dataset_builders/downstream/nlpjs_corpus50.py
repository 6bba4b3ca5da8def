"""Corpus 50 of nlp.js: fifty intents of small talk, trivia and support in six languages (AXA)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import IntentBuilder

_FOLDER = "examples/13-languages/corpora/"
_URL = f"https://raw.githubusercontent.com/axa-group/nlp.js/62731109b5dc5d9ed727c6e599443fb29eaea798/{_FOLDER}"
_BLOBS = {
    "en": "37226f0c749cac73b83f75aeb830b75e1ddf1877",
    "es": "7c234666b27dd0d695b8655d159dc0771841426e",
    "fr": "db945eae223b0d674efcfb3e7d12e025cec1ec0e",
    "he": "716d3b80a0a204b56759dc8cc1b75313c2b10ad0",
    "id": "b6ee4a4c3433e15ddb362a96d5972baa9327d45d",
    "it": "4c67253fb57c42dad598f227c9472cc86564101c",
}


class NlpjsCorpus50(IntentBuilder):
    """Five utterances for training and five for tests in each intent."""

    INFO = SourceInfo(
        name="nlpjs_corpus50",
        title="nlp.js Corpus 50",
        kind="downstream",
        languages=tuple(_BLOBS),
        license="MIT",
        license_evidence="LICENSE.md of github.com/axa-group/nlp.js",
        homepage="https://github.com/axa-group/nlp.js",
        citation="""@misc{nlpjs,
  title={NLP.js}, author={{AXA Group Operations Spain S.A.}}, howpublished={https://github.com/axa-group/nlp.js}}""",
        counts={"default": {"utterances": {"rows": 1499}, "tests": {"rows": 1536}}},
        configs={"default": "6273110"},
        files=tuple(
            SourceFile(f"{_FOLDER}corpus-{language}.json", f"{_URL}corpus-{language}.json", git_blob=blob)
            for language, blob in _BLOBS.items()
        ),
        notes="French, Hebrew, Indonesian and Italian are translated by a machine, in part with the names of keys and "
        "intents; the English names are used for all. Six test texts a language have the intent `None`.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`corpus-<language>.json`, with both splits; the entries have the same order in all languages."""
        files = [file for language in _BLOBS for file in raw.glob(f"corpus-{language}.json")[:1]]
        self._english = [entry for file in raw.glob("corpus-en.json")[:1] for entry in read_json(file)["data"]]
        return dict.fromkeys(("utterances", "tests"), files)

    def split_name(self, original_split: str) -> str:
        """`utterances` is train."""
        return {"utterances": "train", "tests": "test"}[original_split]

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The entries with those of the English file."""
        return zip(self._english, read_json(file)["data"], strict=True)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """The texts of an intent; they are translations in order unless one is missing."""
        english, entry = record
        intent, language = english["intent"], file.name.removesuffix(".json").rsplit("-", 1)[-1]
        is_aligned = len(entry[split]) == len(english[split])
        for number, text in enumerate(entry[split]):
            yield Utterance(
                f"{language}/{intent}/{number}",
                split,
                text,
                intent,
                is_out_of_scope=intent == "None",
                language=language,
                parallel_id=f"nlpjs_corpus50/{split}/{intent}/{number}" if is_aligned else None,
                origin="human" if language in ("en", "es") else "machine",
            )
