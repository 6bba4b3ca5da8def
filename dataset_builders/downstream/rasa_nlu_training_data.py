"""Rasa NLU training data: small sets of intents for bots in nine domains, written by volunteers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.common.reading import text_lines
from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_yaml
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/RasaHQ/NLU-training-data/adf95065e808be76f51ce2c39b9f564cde5a77ae/"
_BLOBS = {
    "banking/nlu.yml": "4ac78e014a40d91293af04c3f2c8b7890254dfba",
    "car-purchase/nlu.yml": "313be67fff886e1f585b602c46263360b72d6bc5",
    "education/nlu.yml": "c3ba24730690c4f07a7b351ea4bf2e7e1061a974",
    "fixing-internet/nlu.yml": "3f3e6c7c3276660f895e2be0cb98d5f58d90ea48",
    "mood/nlu.yml": "764702d6cc1eed3357ea7bc2975fbc2f95b00901",
    "restaurant/nlu.yml": "0090d7be77567fb35f093179a4662bd9d2efb26b",
    "retail/nlu.yml": "6a596d7478cc397f0dbf20835abd9032ddaf3e1b",
    "smalltalk/nlu.yml": "444371353e29f9daf497b91901c727f416326a9a",
    "weather/nlu.yml": "ab73dd26977baf3f9bf1dfb431f656414a775603",
}
_ENTITY = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})")  # `[Oslo](city)` or `[Oslo]{"entity": "city"}`


class RasaNluTrainingData(IntentBuilder):
    """A folder for each domain, without a split."""

    INFO = SourceInfo(
        name="rasa_nlu_training_data",
        title="Rasa NLU Training Data",
        kind="downstream",
        languages=("en",),
        license="Apache-2.0",
        license_evidence="LICENSE of github.com/RasaHQ/NLU-training-data",
        homepage="https://github.com/RasaHQ/NLU-training-data",
        citation="""@misc{rasanlutrainingdata,
  title={NLU Training Data}, author={{Rasa}}, howpublished={https://github.com/RasaHQ/NLU-training-data}}""",
        counts={"default": {ALL: {"rows": 1164}}},
        configs={"default": "adf9506"},
        files=tuple(SourceFile(path, _URL + path, git_blob=blob) for path, blob in _BLOBS.items()),
        notes="Some intents are lists of values, not sentences: 279 names of currencies. 13 texts have two labels.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`<domain>/nlu.yml`."""
        return {ALL: [file for path in _BLOBS for file in raw.glob(path)[:1]]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The intents; other entries list synonyms and expressions."""
        return (entry for entry in read_yaml(file)["nlu"] if "intent" in entry)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """The examples are a list in one string."""
        domain, intent = file.name.split("/")[-2], record["intent"]
        for number, line in enumerate(text_lines(record["examples"])):
            text = _ENTITY.sub(r"\1", line.removeprefix("- "))
            yield Utterance(f"{domain}/{intent}/{number}", split, text, intent, domain)
