"""Mail: folders of mail as mbox (Google Takeout, Thunderbird, Apple Mail), and single messages (`.eml`)."""

from __future__ import annotations

import codecs
import io
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Mail
from email.utils import getaddresses
from typing import IO

from dataset_builders.own_data.containers.text_encoding import encoding_of
from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.formats.shared.mail_quotes import is_forwarded, own_html, own_words, without_answer_marks
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.turns.times import seconds
from dataset_builders.sources.raw_files import RawFile

_FROM_LINE = re.compile(rb"From \S+ .*\d{4}.*")
_HEADER = re.compile(rb"[!-9;-~]+:(?:[ \t]|$)")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_ID = re.compile(r"<[^<>\s]+>")
_EXTENSIONS = (".mbox", ".eml", ".mbox.gz", ".eml.gz")
# what the parser of the standard library raises on damaged headers and unknown encodings
_UNREADABLE = (MessageError, LookupError, ValueError, AttributeError, TypeError)


def recognises(probe: Probe) -> bool:
    """Whether it begins with the header of a mail, in an mbox after a line `From ... 2026`."""
    lines = probe.bytes.lstrip(b"\xef\xbb\xbf\r\n").splitlines()[:400]
    if lines and _FROM_LINE.fullmatch(lines[0]):
        lines = lines[1:]
    header = lines[: lines.index(b"")] if b"" in lines else lines
    if not header or not all(_HEADER.match(line) or line[:1] in b" \t" for line in header):
        return False
    keys = {line.partition(b":")[0].lower() for line in header if line[:1] not in b" \t"}
    return b"from" in keys and len(keys & {b"date", b"message-id", b"received", b"mime-version", b"subject"}) >= 2


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """All other mail: an answer is often in another folder than its question."""
    return tuple(f for f in files if f != file and f.name.lower().endswith(_EXTENSIONS))


def read(export: Export) -> Iterator[Item]:
    """A conversation for each thread, by the headers `References` and `In-Reply-To`."""
    threads = _Threads()
    with ExitStack() as stack:
        for file in (export.file, *export.companions):
            mbox = _mbox(export, file, stack)
            for mail in _mails(file, mbox):
                content = _content(mail, export)
                try:
                    threads.add(mail, message_from_bytes(_BLANK_LINE.split(content, maxsplit=1)[0] + b"\n\n"))
                except _UNREADABLE as error:
                    yield BadItem(f"expected a mail with the headers From, Date and Subject ({error})", content[:400])
        for mails in threads.in_order():
            conversation = Conversation([])
            for mail in mails:
                content = _content(mail, export)
                try:
                    parsed = message_from_bytes(content)
                    conversation.messages.append(_message(parsed))
                    subject = without_answer_marks(_header(parsed, "subject"))
                except _UNREADABLE as error:
                    yield BadItem(f"the mail cannot be read ({error})", content[:400])
                    continue
                conversation.scenario = conversation.scenario or subject or None
            if conversation.messages:
                yield conversation


@dataclass(frozen=True, slots=True)
class _Mail:
    """Place of a mail: a file, or half-open range of bytes in an mbox."""

    file: RawFile
    mbox: IO[bytes] | None = None
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class _Threads:
    """Mails by threads.

    Attributes:
        mails: Mails of each thread, in the order of the files; empty if it was merged into another.
        merged: Thread -> the thread that it was merged into.
        by_id: Message id -> a thread.
        by_subject: Subject and address of a participant -> a thread.
    """

    mails: list[list[_Mail]] = field(default_factory=list)
    merged: dict[int, int] = field(default_factory=dict)
    by_id: dict[str, int] = field(default_factory=dict)
    by_subject: dict[tuple[str, str], int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def add(self, mail: _Mail, header: Mail) -> None:
        """Add a mail to its thread. Second copies of a mail, as in two folders, are left out.

        Raises:
            ValueError: It has no sender.
        """
        if not header["from"]:
            raise ValueError("it has no From")
        own = set(_ID.findall(str(header["message-id"] or "")))
        if own and own <= self.seen:
            return
        self.seen |= own
        ids = own | set(_ID.findall(f"{header['references'] or ''} {header['in-reply-to'] or ''}"))
        ids |= {f"gmail {header['x-gm-thrid']}"} if header["x-gm-thrid"] else set()
        threads = {self._thread(self.by_id[i]) for i in ids if i in self.by_id}
        subject = _header(header, "subject")
        topic = without_answer_marks(subject).casefold()
        addresses = getaddresses([str(header[key]) for key in ("from", "to", "cc") if header[key]])
        keys = [(topic, address.lower()) for _, address in addresses if address and topic]
        if not threads and ids == own and topic != subject.casefold():  # an answer by a program that names no ids
            threads = {self._thread(self.by_subject[key]) for key in keys if key in self.by_subject}
        thread = min(threads, default=len(self.mails))
        if not threads:
            self.mails.append([])
        for other in threads - {thread}:
            self.mails[thread] += self.mails[other]
            self.mails[other] = []
            self.merged[other] = thread
        self.mails[thread].append(mail)
        self.by_id |= dict.fromkeys(ids, thread)
        self.by_subject |= dict.fromkeys(keys, thread)

    def in_order(self) -> Iterator[list[_Mail]]:
        """The mails of each thread."""
        yield from filter(None, self.mails)

    def _thread(self, number: int) -> int:
        while number in self.merged:
            number = self.merged[number]
        return number


def _mbox(export: Export, file: RawFile, stack: ExitStack) -> IO[bytes] | None:
    """The file as a stream in which one may go back quickly, if it is an mbox; None for a single mail."""
    stream = export.bytes(file)
    is_mbox = stream.read(5) == b"From "
    stream.seek(0)
    if not is_mbox:
        stream.close()
        return None
    if isinstance(stream, io.BufferedReader):
        return stack.enter_context(stream)
    with stream:
        unpacked = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  closed by the stack
        shutil.copyfileobj(stream, unpacked)
    return unpacked


def _mails(file: RawFile, mbox: IO[bytes] | None) -> Iterator[_Mail]:
    if mbox is None:
        yield _Mail(file)
        return
    start = place = 0
    after_blank = True
    mbox.seek(0)
    while line := mbox.readline():
        if after_blank and line[:5] == b"From " and _FROM_LINE.fullmatch(line.rstrip(b"\r\n")):
            if place > start:
                yield _Mail(file, mbox, start, place)
                mbox.seek(place + len(line))
            start = place
        place += len(line)
        after_blank = line in (b"\n", b"\r\n")
    yield _Mail(file, mbox, start, place)


def _content(mail: _Mail, export: Export) -> bytes:
    if mail.mbox is None:
        with export.bytes(mail.file) as stream:
            return stream.read()
    mail.mbox.seek(mail.start)
    content = mail.mbox.read(mail.end - mail.start).partition(b"\n")[2]
    return re.sub(rb"(?m)^>(>*From )", rb"\1", content)  # mbox marks lines of the text that begin like a new mail


def _header(mail: Mail, name: str) -> str:
    """A header as text on one line; empty if it is missing, as it is if its encoding is unknown."""
    value = str(mail[name] or "")
    with suppress(MessageError, LookupError, ValueError):
        value = str(make_header(decode_header(value))) if "=?" in value else value
    return " ".join(value.split())


def _text(part: Mail) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    charset = part.get_content_charset("")
    try:
        codecs.lookup(charset)
    except LookupError:  # none, or one that no program knows
        charset = encoding_of(content)
    return content.decode(charset, "replace")


def _message(mail: Mail) -> Message:
    names = getaddresses([_header(mail, "from")])
    name, address = names[0] if names else ("", "")
    message = Message(name.strip() or address, "", seconds(_header(mail, "date")))
    texts = [
        p for p in mail.walk() if p.get_content_maintype() == "text" and p.get_content_disposition() != "attachment"
    ]
    by_type = {part.get_content_subtype(): part for part in reversed(texts)}  # the first of each type
    if part := by_type.get("plain") or by_type.get("html"):
        text = _text(part)
        is_forward = is_forwarded(_header(mail, "subject"))
        message.is_html = part.get_content_subtype() == "html"
        is_flowed = part.get_param("format") == "flowed"
        message.text = own_html(text, is_forward) if message.is_html else own_words(text, is_flowed, is_forward)
    is_automatic = (_header(mail, "auto-submitted") or "no").lower() != "no"
    if is_automatic or mail.get_content_type() == "multipart/report":
        message.kind = "notice"
    elif not message.text.strip():
        message.kind = "media"
    return message


FORMAT = Format(
    name="mail",
    title="Mail, mbox and eml",
    rows="dialogues",
    looks=(
        ("Inbox.mbox", "From 1234@xxx Sat Jan 31 12:00:00 +0000 2026 / From: ... / Subject: ..."),
        ("question.eml", "From: Anna <anna@example.org> / Date: ... / Message-ID: <...> / Subject: ..."),
    ),
    checked=(
        "RFC 4155 (mbox), RFC 5322 (References, In-Reply-To), RFC 3676 (signatures, format=flowed), RFC 3834 "
        "(Auto-Submitted); jwz.org/doc/threading.html; compared with no parser"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
)
