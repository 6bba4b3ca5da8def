"""What a format is: how it looks, by what it is recognised, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.messages import Item
from dataset_builders.own_data.probe import Probe
from dataset_builders.sources.raw_files import RawFile


def only_the_file(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """Companions of a file of a format whose every file is complete in itself: none."""
    return ()


@dataclass(frozen=True, repr=False)
class Format:
    """A format of conversations or labelled texts.

    Args:
        name: Short name, for `--format`.
        title: Product or convention, and file type: "Telegram Desktop, JSON".
        rows: What its files hold: `dialogues` or `intents`.
        looks: How it looks: (file or place, beginning of its content), a line each.
        checked: What the sample and the parser were checked against: documents and public parsers, with addresses.
        recognises: Whether a file is in this format, by its content. It must be sure: a file of another format that
            is recognised here gives wrong rows.
        read: The conversations or labelled texts of an export, one at a time; parts that are not as the format says
            are `BadItem`s.
        companions: The other files of a folder that are read together with a file of this format, such as the other
            days of a channel and the table of users.
        roles: How the format tells who is the user and who answers, for the summary of `build`; empty if only by names.
        is_chat: Whether it holds endless chats, which are cut at pauses.
    """

    name: str
    title: str
    rows: Literal["dialogues", "intents"]
    looks: tuple[tuple[str, str], ...]
    checked: str
    recognises: Callable[[Probe], bool]
    read: Callable[[Export], Iterator[Item]]
    companions: Callable[[RawFile, Sequence[RawFile]], tuple[RawFile, ...]] = only_the_file
    roles: str = ""
    is_chat: bool = False

    def __repr__(self) -> str:  # part of cache keys, which must not hold addresses of functions
        return f"Format({self.name!r})"
