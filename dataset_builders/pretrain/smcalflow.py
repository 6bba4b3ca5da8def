"""SMCalFlow 2.0: calendar, weather, places and people, typed by people (Semantic Machines et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_lines
from dataset_builders.sources.source import DialogueBuilder

_URL = (
    "https://raw.githubusercontent.com/microsoft/task_oriented_dialogue_as_dataflow_synthesis/"
    "bbd16fe69687b1052a7b5937ee7d20b641f2e642/"
)
_GIT_BLOBS = {
    "train": "468c9b4612ea35cf2f79b278ae5683669da97f23",
    "valid": "006c95c6b1b210cc2f986dc85a2e7b685133f82c",
}
_FILE = "datasets/SMCalFlow-2.0/{}.dataflow_dialogues.jsonl.zip"


class SMCalFlow(DialogueBuilder):
    """The user starts, then turns alternate. The programs of the turns, which are no acts or slots, are ignored."""

    INFO = SourceInfo(
        name="smcalflow",
        title="SMCalFlow 2.0",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-SA-4.0",
        license_evidence="README.md of github.com/microsoft/task_oriented_dialogue_as_dataflow_synthesis",
        homepage="https://github.com/microsoft/task_oriented_dialogue_as_dataflow_synthesis",
        citation="""@article{SMDataflow2020,
  title={Task-Oriented Dialogue as Dataflow Synthesis},
  author={{Semantic Machines} and Andreas, Jacob and Bufe, John and Burkett, David and Chen, Charles and others},
  journal={Transactions of the Association for Computational Linguistics}, volume={8}, pages={556--571},
  year={2020}}""",
        counts={"default": {"valid": {"dialogues": 3646, "utterances": 29502}}},
        configs={"default": "2.0"},
        files=tuple(
            SourceFile(_FILE.format(split), _URL + _FILE.format(split), git_blob=blob)
            for split, blob in _GIT_BLOBS.items()
        ),
        notes="The test split is not public.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`SMCalFlow-2.0/<split>.dataflow_dialogues.jsonl`."""
        return {split: raw.glob(f"SMCalFlow-2.0/{split}.dataflow_dialogues.jsonl")[:1] for split in _GIT_BLOBS}

    def split_name(self, original_split: str) -> str:
        """`valid` is `validation`."""
        return "validation" if original_split == "valid" else original_split

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """JSON lines."""
        return read_json_lines(file)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """A raw turn is what the user says and the agent's answer."""
        turns = []
        for raw in record["turns"]:
            turns.append(Turn("user", raw["user_utterance"]["original_text"]))
            turns.append(Turn("system", raw["agent_utterance"]["original_text"]))
        yield Dialogue(record["dialogue_id"], split, turns)
