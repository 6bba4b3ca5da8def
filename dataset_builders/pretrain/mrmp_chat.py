"""Multi-Relational Multi-Party Chat Corpus: Japanese small talk of three people (Tsuda et al., 2025)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder

_COMMIT = "e6e39cb896df88781c7a2e0451226a527c5f1e2e"


class MrmpChat(DialogueBuilder):
    """Three strangers, or two of a family and a third person. Whoever begins is the user."""

    INFO = SourceInfo(
        name="mrmp_chat",
        title="Multi-Relational Multi-Party Chat Corpus",
        kind="dialogues",
        languages=("ja",),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE and README of github.com/nu-dialogue/multi-relational-multi-party-chat-corpus",
        homepage="https://github.com/nu-dialogue/multi-relational-multi-party-chat-corpus",
        citation="""@inproceedings{tsuda2025constructing,
  title={Constructing a Multi-Party Conversational Corpus Focusing on Interlocutor Relationships},
  author={Tsuda, Taro and Yamashita, Sanae and Inoue, Koji and Kawahara, Tatsuya and Higashinaka, Ryuichiro},
  booktitle={SemDial}, year={2025}}""",
        counts={"default": {ALL: {"dialogues": 960, "utterances": 100680}}},
        configs={"default": "e6e39cb"},
        files=(
            SourceFile(
                path=f"multi-relational-multi-party-chat-corpus-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/nu-dialogue/multi-relational-multi-party-chat-corpus/tar.gz/{_COMMIT}",
                members="1f37e1ef2b250fb8eec31772326e2416b6cfaa037d42c9eea8b102276475e3f7",
                members_of=("dialogues/*/*.json",),
            ),
        ),
        notes="477 dialogues of strangers (A), 483 with a family (B), of 100 turns and more.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file is a dialogue; the folders are for strangers and for families."""
        return {ALL: raw.glob("dialogues/A_first_time/*.json", "dialogues/B_family/*.json")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The one dialogue."""
        return [read_json(file)]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """Speakers are addressed as `@` and their pseudonym, which is the same in all dialogues."""
        numbers = {
            who: str(i) for i, who in enumerate(dict.fromkeys(u["interlocutor_id"] for u in record["utterances"]), 1)
        }
        turns = []
        for utterance in record["utterances"]:
            number, text = numbers[utterance["interlocutor_id"]], utterance["text"]
            for who in sorted(numbers, key=len, reverse=True):
                text = text.replace(f"@{who}", f"@{numbers[who]}")
            turns.append(Turn("user" if number == "1" else "system", text, speaker_id=number))
        yield Dialogue(record["dialogue_id"], split, turns)
