"""Chatbot_data: Korean questions on daily life, love and parting, each with an answer (Song, 2018)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of


class SongysChatbotData(DialogueBuilder):
    """A row is a question and its answer, both made up. The domain is the source's label: 0, 1 or 2."""

    INFO = SourceInfo(
        name="songys_chatbot_data",
        title="Chatbot data for Korean",
        kind="dialogues",
        languages=("ko",),
        license="MIT",
        license_evidence="LICENSE of github.com/songys/Chatbot_data",
        homepage="https://github.com/songys/Chatbot_data",
        citation="""@misc{song2018chatbot,
  title={Chatbot\\_data\\_for\\_Korean v1.0}, author={Song, Youngsook}, year={2018},
  howpublished={\\url{https://github.com/songys/Chatbot_data}}}""",
        counts={"default": {ALL: {"dialogues": 11823, "utterances": 23646}}},
        configs={"default": "1.0"},
        files=(
            SourceFile(
                path="ChatbotData.csv",
                url="https://raw.githubusercontent.com/songys/Chatbot_data/"
                "4cf20d13fc46f5037fd1c531cd566e2dd9f72974/ChatbotData.csv",
                git_blob="4cc2bfa9a124991dc5ca80f5da1786f4162f46e1",
            ),
        ),
        notes="One question and one answer each. The README says 11,876 pairs.",
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The one file."""
        return {ALL: raw.glob("ChatbotData.csv")[:1]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Rows with their numbers."""
        return enumerate(read_csv(file, ["Q", "A", "label"]), start=1)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """One label has blanks behind it."""
        number, row = record
        turns = [Turn("user", row["Q"]), Turn("system", row["A"])]
        yield Dialogue(str(number), split, turns, domains=[row["label"].strip()])
