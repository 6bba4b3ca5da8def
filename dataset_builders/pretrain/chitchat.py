"""Chit-Chat: strangers talk about a question on a web page (Myers et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_members
from dataset_builders.sources.source import DialogueBuilder


class ChitChat(DialogueBuilder):
    """A turn is one or more messages; whoever writes first is the user."""

    INFO = SourceInfo(
        name="chitchat",
        title="BYU Chit-Chat dataset",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE of github.com/BYU-PCCL/chitchat-dataset, also in its wheel",
        homepage="https://github.com/BYU-PCCL/chitchat-dataset",
        citation="""@article{myers2020conversational,
  title={Conversational Scaffolding: An Analogy-Based Approach to Response Prioritization in Open-Domain Dialogs},
  author={Myers, Will and Etchart, Tyler and Fulda, Nancy}, year={2020}}""",
        counts={"default": {ALL: {"dialogues": 7168}}},
        configs={"default": "ff8b113"},
        files=(
            SourceFile(
                path="dataset.json",
                url="https://raw.githubusercontent.com/BYU-PCCL/chitchat-dataset/"
                "ff8b113e06146003fc22c91202a03786297d1709/chitchat_dataset/dataset.json",
                git_blob="9c01c26ec1af30cb2a868708e7be59cb4ee2e441",
            ),
        ),
        notes="Unmoderated. In 3150 of the dialogues nobody answers, and many of these are only a greeting. The "
        "258,145 utterances of the README are messages; here, those of a turn are its lines.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The same file in the wheel and in the repository."""
        return {ALL: raw.glob("dataset.json")[:1]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The conversations with their ids."""
        return read_json_members(file)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The topic is a question that both sides see; the ids of the senders are personal."""
        name, conversation = record
        senders = [messages[0]["sender"] for messages in conversation["messages"]]
        turns = [
            Turn("user" if sender == senders[0] else "system", "\n".join(message["text"] for message in messages))
            for sender, messages in zip(senders, conversation["messages"], strict=True)
        ]
        yield Dialogue(name, split, turns, scenario=conversation.get("prompt"))
