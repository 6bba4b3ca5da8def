"""MetaLWOz: 51 small domains, a person and a person playing the bot (Lee et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_lines
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://download.microsoft.com/download/"


class MetaLWOz(DialogueBuilder):
    """The bot greets, then turns alternate: even turns are the system's. Version 1 is train, held-out is test."""

    INFO = SourceInfo(
        name="metalwoz",
        title="MetaLWOz",
        kind="dialogues",
        languages=("en",),
        license="LicenseRef-Microsoft-Research",
        license_evidence="LICENSE.pdf in the archive: non-commercial research, analysis and testing; no passing on",
        homepage="https://www.microsoft.com/en-us/research/project/metalwoz/",
        citation="""@misc{lee2019metalwoz,
  title={Multi-Domain Task-Completion Dialog Challenge},
  author={Lee, Sungjin and Schulz, Hannes and Atkinson, Adam and others}, year={2019}}""",
        counts={
            "default": {
                "train": {"dialogues": 37884},
                "test": {"dialogues": 2319, "utterances": 26201},
            }
        },
        configs={"default": "1"},
        files=(
            SourceFile(
                "metalwoz-v1.zip",
                f"{_URL}E/B/8/EB84CB1A-D57D-455F-B905-3ABDE80404E5/metalwoz-v1.zip",
                sha256="2a2ae3b25760aa2725e70bc6480562fa5d720c9689a508d28417631496d6764f",
            ),
            SourceFile(
                "metalwoz-test-v1.zip",
                f"{_URL}0/c/4/0c4a8893-cbf9-4a43-a44a-09bab9539234/metalwoz-test-v1.zip",
                sha256="6722d1d9ec05334dd801972767ae3bdefcd15f71bf73fea1d098f214a96a7c6c",
            ),
        ),
        accept_license=True,
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`dialogues/<DOMAIN>.txt`, without MultiWOZ 2.0, which is also in the held-out archive."""
        files = [f for f in raw.glob("dialogues/*.txt") if "multiwoz" not in f.name.lower()]
        held_out = [f for f in files if "heldout" in f.name.lower() or "test" in f.name.lower()]
        return {"train": [f for f in files if f not in held_out], "test": held_out}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """JSON lines."""
        return read_json_lines(file)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The position of a turn decides its speaker, which the record does not name."""
        turns = [Turn("user" if i % 2 else "system", text) for i, text in enumerate(record["turns"])]
        yield Dialogue(record["id"], split, turns, domains=[record["domain"]], scenario=record.get("task_id"))
