"""NLU Evaluation Corpora: Ask Ubuntu, Web Applications and a bot for public transport (Braun et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/sebischair/NLU-Evaluation-Corpora/9bac08b980f0f570c4166e2d7243c2971df50d8f/"
_BLOBS = {
    "AskUbuntu": "59eab89d083673c84b666da91dcaae3cb89bae4f",
    "WebApplications": "2fda3d1c8a922d51fc1370ac1c1830abd3b07dd2",
    "Chatbot": "fa429affca997b25d85193b99ee2c0e82114d954",
}
_IS_TRAINING = {"train": True, "test": False}


class NluEvaluationCorpora(IntentBuilder):
    """Three small corpora; the corpus is the scenario."""

    INFO = SourceInfo(
        name="nlu_evaluation_corpora",
        title="NLU Evaluation Corpora",
        kind="downstream",
        languages=("en",),
        license="CC-BY-SA-3.0",
        license_evidence="LICENSE and README of github.com/sebischair/NLU-Evaluation-Corpora",
        homepage="https://github.com/sebischair/NLU-Evaluation-Corpora",
        citation="""@inproceedings{braun2017evaluating,
  title={Evaluating Natural Language Understanding Services for Conversational Question Answering Systems},
  author={Braun, Daniel and Hernandez-Mendez, Adrian and Matthes, Florian and Langen, Manfred},
  booktitle={SIGdial}, pages={174--185}, year={2017}}""",
        counts={"default": {"train": {"rows": 183}, "test": {"rows": 274}}},
        configs={"default": "9bac08b"},
        files=tuple(
            SourceFile(f"{name}Corpus.json", f"{_URL}{name}Corpus.json", git_blob=blob) for name, blob in _BLOBS.items()
        ),
        notes="The test set is larger than train. The test set of Web Applications lacks one of the intents.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file a corpus has both splits."""
        files = [file for name in _BLOBS for file in raw.glob(f"{name}Corpus.json")[:1]]
        return dict.fromkeys(_IS_TRAINING, files)

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered sentences of the split."""
        sentences = enumerate(read_json(file)["sentences"])
        return ((number, each) for number, each in sentences if each["training"] == _IS_TRAINING[split])

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """One sentence, without the names of the people who asked and answered."""
        number, row = record
        corpus = file.name.rsplit("/", 1)[-1].removesuffix("Corpus.json")
        intent = row["intent"]
        yield Utterance(f"{corpus}/{number}", split, row["text"], intent, corpus, intent == "None")
