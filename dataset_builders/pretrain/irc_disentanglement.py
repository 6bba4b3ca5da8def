"""IRC Disentanglement: technical support in chat rooms, taken apart into conversations (Kummerfeld et al., 2019)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.common.reading import text_lines
from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import RawDataError
from dataset_builders.sources.source import DialogueBuilder

_COMMIT = "82ed04f9627a45d0d6f2ec3c8683c88eb408a0d5"
_LOGS = {
    "train": "data/train/*",
    "dev": "data/dev/*",
    "test": "data/test/*",
    "channel-two": "data/channel-two/channel-two.all",  # the other files are parts of it
    "new-domains": "data/new-domains/*",
}
"""Split -> its logs."""

_MESSAGE = re.compile(r"(?:\S+ \S+ )?\[[\d:]+\] <([^>]*)> ?(.*)")
_ADDRESS = re.compile(r"[\s@\[(<]*([\w\\`^{|}-][\w\[\]\\`^{|}-]*?)[\])>]*\s*[:,]")


class IrcDisentanglement(DialogueBuilder):
    """The first speaker is the user, all others are the system. Nicknames are replaced by numbers, also in texts."""

    INFO = SourceInfo(
        name="irc_disentanglement",
        title="IRC Disentanglement",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="LICENSE.md of github.com/jkkummerfeld/irc-disentanglement, for `data`",
        homepage="https://github.com/jkkummerfeld/irc-disentanglement",
        citation="""@inproceedings{kummerfeld2019large,
  title={A Large-Scale Corpus for Conversation Disentanglement},
  author={Kummerfeld, Jonathan K. and Gouravajhala, Sai R. and Peper, Joseph and Athreya, Vignesh and
    Gunasekara, Chulaka and Ganhotra, Jatin and Patel, Siva Sankalp and Polymenakos, Lazaros and Lasecki, Walter S.},
  booktitle={ACL}, year={2019}}""",
        counts={
            "default": {
                "train": {"dialogues": 5685, "utterances": 56346},
                "dev": {"dialogues": 233, "utterances": 2259},
                "test": {"dialogues": 364, "utterances": 4430},
                "channel-two": {"dialogues": 108, "utterances": 1842},
                "new-domains": {"dialogues": 193, "utterances": 2343},
            }
        },
        configs={"default": "82ed04f"},
        files=(
            SourceFile(
                path=f"irc-disentanglement-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/jkkummerfeld/irc-disentanglement/tar.gz/{_COMMIT}",
                members="5bf7d5c4669e5736e5a7efe37cdd8822984e4ca53d2f580d1032a0b1ff617086",
                members_of=tuple(f"{log}.{kind}.txt" for log in _LOGS.values() for kind in ("ascii", "annotation")),
            ),
        ),
        notes="A sixth of the conversations has only one speaker. `<unconvertable>` is a character that upstream lost.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """Logs; the annotation of each lies beside it."""
        self._links = {file.name: file for log in _LOGS.values() for file in raw.glob(f"{log}.annotation.txt")}
        return {split: raw.glob(f"{log}.ascii.txt") for split, log in _LOGS.items()}

    def split_name(self, original_split: str) -> str:
        """The rooms beyond #ubuntu were annotated for evaluation."""
        return super().split_name({"channel-two": "test", "new-domains": "test"}.get(original_split, original_split))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Conversations of two or more messages: line number, nickname and text of each message, nicknames of the log.

        A link joins two lines by number; conversations are what links connect.
        """
        links = self._links.get(file.name.replace(".ascii.", ".annotation."))
        if not links:
            raise RawDataError(f"{file}: no annotation beside it; fetch the whole folder data/")
        matches = map(_MESSAGE.match, file.read().decode(errors="replace").split("\n"))
        messages = {number: match.groups() for number, match in enumerate(matches) if match}
        groups: dict[int, list[int]] = {}
        for line in text_lines(links.read().decode()):
            first, second = (groups.setdefault(int(number), [int(number)]) for number in line.split()[:2])
            if first is not second:
                first.extend(second)
                groups.update(dict.fromkeys(second, first))
        nicknames = {nickname.lower() for nickname, _ in messages.values()}
        for group in {id(group): sorted(group) for group in groups.values()}.values():
            conversation = [(number, *messages[number]) for number in group if number in messages]
            if len(conversation) > 1:
                yield conversation, nicknames

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """A nickname is replaced where it is that of a speaker of the conversation, or addressed by the text."""
        conversation, nicknames = record
        numbers: dict[str, str] = {}
        for _, nickname, _ in conversation:
            numbers.setdefault(nickname, str(len(numbers) + 1))
        by_name = {nickname.lower(): number for nickname, number in numbers.items()}
        for *_, text in conversation:
            if (match := _ADDRESS.match(text)) and (name := match[1].lower()) in nicknames:
                numbers.setdefault(match[1], by_name.setdefault(name, str(len(numbers) + 1)))
        longest_first = "|".join(map(re.escape, sorted(numbers, key=len, reverse=True)))
        names = re.compile(rf"@?(?<![\w-])({longest_first})(?![\w-])")
        turns = []
        for _, nickname, text in conversation:
            number, masked = numbers[nickname], names.sub(lambda match: f"@{numbers[match[1]]}", text)
            turns.append(Turn("user" if number == "1" else "system", masked, speaker_id=number))
        log = file.name.rpartition("/")[2].removesuffix(".ascii.txt")
        yield Dialogue(f"{split}/{log}/{conversation[0][0]}", split, turns)
