"""MTS-Dialog: short consultations, written by people from the notes of doctors (Ben Abacha et al., 2023)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import marked_turns, read_csv
from dataset_builders.sources.source import DialogueBuilder

_URL = "https://raw.githubusercontent.com/abachaa/MTS-Dialog/3ff0801933608d6f570468c13125125fb5cabdea/Main-Dataset/"
_FILES = {
    "train": ("MTS-Dialog-TrainingSet.csv", "48098682fdbe5e511f250dc04b29d0812cea4648"),
    "validation": ("MTS-Dialog-ValidationSet.csv", "6a87218334f321eda481a0845dfe13077ba1aea0"),
    "test1": ("MTS-Dialog-TestSet-1-MEDIQA-Chat-2023.csv", "e9fa1cba6504841277570ec96e750c6708aaf7c7"),
    "test2": ("MTS-Dialog-TestSet-2-MEDIQA-Sum-2023.csv", "fd004f83d5b17fa61e5c96da9e07800c1743798d"),
}
"""Split -> its file, and the id that git gives to that."""

_MARK = re.compile(r'\s*"?((?:Doctor|Docotr|Patient|Guest|Gest)\w*)\s*[:.]')
_MISSPELT = {
    "docotr_2": "doctor_2",
    "gest_family": "guest_family",
    "guest_clinican": "guest_clinician",
    "guest_family2": "guest_family_2",
}


class MtsDialog(DialogueBuilder):
    """The patient and family are the user; doctors, and other clinicians who are present, are the system."""

    INFO = SourceInfo(
        name="mts_dialog",
        title="MTS-Dialog",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="LICENSE.txt and README of github.com/abachaa/MTS-Dialog",
        homepage="https://github.com/abachaa/MTS-Dialog",
        citation="""@inproceedings{mts-dialog,
  title={An Empirical Study of Clinical Note Generation from Doctor-Patient Encounters},
  author={Ben Abacha, Asma and Yim, Wen-wai and Fan, Yadan and Lin, Thomas},
  booktitle={EACL}, year={2023}}""",
        counts={
            "default": {
                "train": {"dialogues": 1201},
                "validation": {"dialogues": 100},
                "test1": {"dialogues": 200},
                "test2": {"dialogues": 200},
            }
        },
        configs={"default": "3ff0801"},
        files=tuple(SourceFile(f"Main-Dataset/{name}", _URL + name, git_blob=blob) for name, blob in _FILES.values()),
        notes="The augmented set, which is translated there and back by a model, is left out.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file per split, two of them for tests."""
        return {split: raw.glob(name)[:1] for split, (name, _) in _FILES.items()}

    def split_name(self, original_split: str) -> str:
        """Both test sets are for tests."""
        return super().split_name(original_split.rstrip("12"))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The rows."""
        return read_csv(file, ["ID", "section_header", "section_text", "dialogue"])

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """A few speakers are misspelt."""
        turns = []
        for mark, text in marked_turns(record["dialogue"], _MARK):
            who = _MISSPELT.get(mark.lower(), mark.lower())
            is_clinician = who.startswith(("doctor", "guest_clinician"))
            turns.append(Turn("system" if is_clinician else "user", text, speaker_id=who))
        yield Dialogue(f"{split}/{record['ID']}", split, turns, record["ID"])
