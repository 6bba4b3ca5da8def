"""RealPersonaChat: Japanese small talk of two people who say who they really are (Yamashita et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder

_COMMIT = "28d0b6b3865b29cabc26c230a2db37cdf315e937"


class RealPersonaChat(DialogueBuilder):
    """Strict alternation. Whoever begins is the user."""

    INFO = SourceInfo(
        name="real_persona_chat",
        title="RealPersonaChat",
        kind="dialogues",
        languages=("ja",),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE and README of github.com/nu-dialogue/real-persona-chat",
        homepage="https://github.com/nu-dialogue/real-persona-chat",
        citation="""@inproceedings{yamashita2023realpersonachat,
  title={RealPersonaChat: A Realistic Persona Chat Corpus with Interlocutors' Own Personalities},
  author={Yamashita, Sanae and Inoue, Koji and Guo, Ao and Mochizuki, Shota and Kawahara, Tatsuya and
    Higashinaka, Ryuichiro},
  booktitle={PACLIC}, year={2023}}""",
        counts={"default": {ALL: {"dialogues": 13583, "utterances": 408619}}},
        configs={"default": "28d0b6b"},
        files=(
            SourceFile(
                path=f"real-persona-chat-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/nu-dialogue/real-persona-chat/tar.gz/{_COMMIT}",
                members="c8a92b56678d5cbeed68fbfee9dd1d62cb7ee7258c4e2108573a699eba37d851",
                members_of=("dialogues/*.json",),
            ),
        ),
        notes="Personal data are masked: names of the speakers are `@1` and `@2`, all other personal data `＊＊`.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file is a dialogue."""
        return {ALL: raw.glob("dialogues/*.json")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The one dialogue."""
        return [read_json(file)]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """Upstream masks a name by the id of its bearer, who has it in all dialogues."""
        first, second = record["interlocutors"]
        turns = [
            Turn(
                "user" if utterance["interlocutor_id"] == first else "system",
                utterance["text"].replace(f"<{first}>", "@1").replace(f"<{second}>", "@2"),
            )
            for utterance in record["utterances"]
        ]
        name = file.name.rpartition("/")[2].removesuffix(".json")  # two dialogues have the `dialogue_id` of another
        yield Dialogue(name, split, turns)
