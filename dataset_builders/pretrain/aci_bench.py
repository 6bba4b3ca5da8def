"""ACI-Bench: whole consultations of doctor and patient, spoken and transcribed (Yim et al., 2023)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import marked_turns, read_csv
from dataset_builders.sources.source import DialogueBuilder

_URL = "https://raw.githubusercontent.com/wyim/aci-bench/b909b2bb9cf1d19de08df15cddde7bd0179665e4/"
_FILES = {
    "train": ("train.csv", "a6263b085ccc50a931dda21f7d1566eb170ba18e"),
    "valid": ("valid.csv", "731aefabee612fbd344511e2fdfd573a5128712d"),
    "test1": ("clinicalnlp_taskB_test1.csv", "bd467cd52a4da166af65d79651b1f14eca4a78a4"),
    "test2": ("clinicalnlp_taskC_test2.csv", "ccbb6876112f84b9447b3d8c03b22ad677193790"),
    "test3": ("clef_taskC_test3.csv", "073e58c2e6382f54759b7c2b49a365911bd95369"),
}
"""Split -> its file, and the id that git gives to that."""

_MARK = re.compile(r"\s*\[(doctor|patient|patient_guest)\]")


class AciBench(DialogueBuilder):
    """The patient and a companion are the user, the doctor is the system. Tokenised, in lower case."""

    INFO = SourceInfo(
        name="aci_bench",
        title="ACI-Bench",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="README of github.com/wyim/aci-bench",
        homepage="https://github.com/wyim/aci-bench",
        citation="""@article{aci-bench,
  title={ACI-BENCH: a Novel Ambient Clinical Intelligence Dataset for Benchmarking Automatic Visit Note Generation},
  author={Wen{-}wai Yim and Yujuan Fu and Asma {Ben Abacha} and Neal Snider and Thomas Lin and Meliha Yetisgen},
  journal={Nature Scientific Data}, year={2023}}""",
        counts={
            "default": {
                "train": {"dialogues": 67},
                "valid": {"dialogues": 20},
                "test1": {"dialogues": 40},
                "test2": {"dialogues": 40},
                "test3": {"dialogues": 40},
            }
        },
        configs={"default": "b909b2b"},
        files=tuple(
            SourceFile(f"data/challenge_data/{name}", f"{_URL}data/challenge_data/{name}", git_blob=blob)
            for name, blob in _FILES.values()
        ),
        notes="Speech recognition swapped some speakers; upstream leaves them so.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file per split, three of them for tests."""
        return {split: raw.glob(f"challenge_data/{name}")[:1] for split, (name, _) in _FILES.items()}

    def split_name(self, original_split: str) -> str:
        """All three test sets are for tests."""
        return super().split_name({"valid": "validation"}.get(original_split, original_split.rstrip("123")))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The rows."""
        return read_csv(file, ["dataset", "encounter_id", "dialogue", "note"])

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """Where the first mark is missing, the doctor speaks."""
        turns = [
            Turn("user" if who.startswith("patient") else "system", text, speaker_id=who or "doctor")
            for who, text in marked_turns(record["dialogue"], _MARK)
        ]
        yield Dialogue(record["encounter_id"], split, turns)
