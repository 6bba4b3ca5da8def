"""What a format yields: conversations of messages, and labelled texts, before roles and rows are made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from dataset_builders.schema import Speaker

Kind = Literal["text", "media", "notice", "prompt", "tool"]
"""What a message is: words of a person or an assistant, a placeholder for a file or picture, a notice of the program
("Anna joined"), instructions to an assistant, or an exchange between an assistant and a program."""


@dataclass(slots=True)
class Message:
    """One message of a conversation, as the export has it.

    Args:
        speaker: Name or id of the sender; empty if the format has none.
        text: Text of the message.
        time: Time in seconds since 1970; only differences and order matter. None if the format has none.
        role: Role, if the format itself says who is the customer and who answers; None to find it by the speaker.
        kind: See `Kind`.
        is_html: Whether the text is HTML.
    """

    speaker: str
    text: str
    time: float | None = None
    role: Speaker | None = None
    kind: Kind = "text"
    is_html: bool = False


@dataclass(slots=True)
class Conversation:
    """A conversation, as the export has it.

    Args:
        messages: Messages in the order of the file; they are put in the order of their times if all have one.
        id: Own id; empty if it has none.
        line: Line that it begins on, from 1; None where lines mean nothing.
        is_chat: Whether it is an endless chat, which may be cut into conversations at pauses, rather than one case.
        scenario: What the conversation is about.
        domains: Domains.
        language: BCP 47 tag; None if the format has none.
        split: Split that the record names; empty if it names none.
        metadata: The user's other columns, JSON values.
    """

    messages: list[Message]
    id: str = ""
    line: int | None = None
    is_chat: bool = False
    scenario: str | None = None
    domains: list[str] = field(default_factory=list)
    language: str | None = None
    split: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class LabelledText:
    """An utterance with its intent.

    Args:
        text: Utterance.
        label: Intent, or a list of several.
        id: Own id; empty if it has none.
        line: Line that it begins on, from 1; None where lines mean nothing.
        scenario: Coarser class of the intent.
        is_out_of_scope: Whether the utterance belongs to none of the intents.
        language: BCP 47 tag; None if the format has none.
        split: Split that the record names; empty if it names none.
        metadata: The user's other columns, JSON values.
    """

    text: str
    label: str | list[str]
    id: str = ""
    line: int | None = None
    scenario: str | None = None
    is_out_of_scope: bool = False
    language: str | None = None
    split: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class BadItem:
    """A part of a file that is not as the format says.

    Args:
        reason: Reason, one clause: what was expected and what is there.
        record: The part; its beginning is shown.
        line: Line that it begins on, from 1; None where lines mean nothing.
    """

    reason: str
    record: Any = ""
    line: int | None = None


Item = Conversation | LabelledText | BadItem
