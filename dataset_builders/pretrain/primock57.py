"""PriMock57: consultations of doctors with people who play patients (Papadopoulos Korfiatis et al., 2022)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Speaker, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import RawDataError
from dataset_builders.sources.source import DialogueBuilder

_COMMIT = "cd2ac707ad03cb4d2531f4ec6b90c659bf4357c5"
_INTERVAL = re.compile(r'xmin = ([\d.]+)\s+xmax = [\d.]+\s+text = "([^"]*)"')
_UNSURE = re.compile(r"</?UNSURE>")
_LOST = r"(?:\s*<(?:UNIN|INAUDIBLE_SPEECH)/>{})+"
_LOST_SENTENCE = re.compile(r"(^|[.,?!])" + _LOST.format("[.,?!]*"))
_LOST_WORDS = re.compile(_LOST.format("") + r"|\s+(?=[.,?!]|\s)")  # and the blanks around them


class PriMock57(DialogueBuilder):
    """The patient is the user, the doctor the system. A speaker may have several turns in a row."""

    INFO = SourceInfo(
        name="primock57",
        title="PriMock57",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="LICENSE.md of github.com/babylonhealth/primock57",
        homepage="https://github.com/babylonhealth/primock57",
        citation="""@inproceedings{korfiatis2022primock57,
  title={{PriMock57}: A Dataset Of Primary Care Mock Consultations},
  author={Papadopoulos Korfiatis, Alex and Moramarco, Francesco and Sarac, Radmila and Savkov, Aleksandar},
  booktitle={ACL}, year={2022}}""",
        counts={"default": {ALL: {"dialogues": 57}}},
        configs={"default": "cd2ac70"},
        files=(
            SourceFile(
                path=f"primock57-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/babylonhealth/primock57/tar.gz/{_COMMIT}",
                members="110e91e29610ed87f58abf8d5735d2b0a552535fd5aa66b3bbd38c58a82e66e1",
                members_of=("transcripts/*.TextGrid",),
            ),
        ),
        notes="Transcripts of speech; what could not be understood is missing, and turns of the two sides may overlap.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The doctor's file of each consultation; the patient's lies beside it."""
        self._patients = {file.name: file for file in raw.glob("transcripts/*_patient.TextGrid")}
        return {ALL: raw.glob("transcripts/*_doctor.TextGrid")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The one consultation: beginning in seconds, speaker and text of each interval of both files, by time."""
        patient = self._patients.get(file.name.replace("_doctor.", "_patient."))
        if not patient:
            raise RawDataError(f"{file}: no file of the patient beside it; fetch the whole folder transcripts/")
        sides: tuple[tuple[Speaker, RawFile], ...] = (("system", file), ("user", patient))
        intervals = [(side, interval) for side, each in sides for interval in _INTERVAL.findall(each.read().decode())]
        return [sorted((float(start), side, text) for side, (start, text) in intervals)]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """Intervals without a word are silence, or nothing but a tag. A sentence keeps one full stop at most."""
        turns = []
        for _, side, text in record:
            audible = _LOST_WORDS.sub("", _LOST_SENTENCE.sub(r"\1", _UNSURE.sub("", text))).strip()
            if audible:
                turns.append(Turn(side, audible))
        yield Dialogue(file.name.rpartition("/")[2].removesuffix("_doctor.TextGrid"), split, turns)
