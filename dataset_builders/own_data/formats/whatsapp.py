"""WhatsApp: "Export chat" of one chat, a text file (iPhone: `_chat.txt` in a zip), in English, Russian or German."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import PurePosixPath

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns.times import find_order, seconds
from dataset_builders.sources.raw_files import RawFile

_DATE = r"(?P<date>\d{1,4}([-/.])[ ]?\d{1,2}\2[ ]?\d{2,4})\.?"
_TIME = r"(?P<time>\d{1,2}[:.]\d{2}(?:[:.]\d{2})?)(?P<half>\s?[AaPp]\.?\s?[Mm]\.?)?"
# `31/01/2026, 12:00 - Anna: text` (Android), `[31.01.26, 12:00:05] Anna: text` (iPhone)
_ANDROID = re.compile(rf"{_DATE},?\s(?:\w{{1,4}}\s)?{_TIME} - (?P<rest>.*)", re.DOTALL)
_IPHONE = re.compile(rf"\[{_DATE},\s?(?:\w{{1,4}}\s)?{_TIME}\]\s(?P<rest>.*)", re.DOTALL)
# what the program says of a group has no sender, but may have a colon inside quotes
_SENDER = re.compile(r"(?P<sender>[^:\n\"“„«]{1,80}): ?(?P<text>.*)", re.DOTALL)
_LEVELS = {"info", "warn", "warning", "error", "debug", "trace", "fatal", "critical", "notice"}

_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_EDITED = re.compile(
    r"\s*\u200e?<(?:This message was edited|Message edited|Diese Nachricht wurde bearbeitet"
    r"|(?:Это )?[Сс]ообщение изменено)\.?>\s*$"
)
_NOTICE = re.compile(
    r"(?:Messages and calls are (?:now )?end-to-end encrypted|Сообщения и звонки (?:теперь )?защищены"
    r"|Nachrichten und Anrufe sind (?:jetzt )?(?:mit )?Ende-zu-Ende"
    r"|Your security code with .* changed|Ваш код безопасности с контактом .* изменился"
    r"|Deine Sicherheitsnummer für .* hat sich geändert"
    r"|Waiting for this message|Ожидание (?:данного )?сообщения|Warte auf diese Nachricht"
    r"|Live location shared|Трансляция геоданных|Live-Standort).*"
    r"|(?:This message was deleted|You deleted this message|(?:Данное|Это) сообщение (?:было )?удалено"
    r"|Вы удалили (?:данное|это) сообщение|Diese Nachricht wurde gelöscht|Du hast diese Nachricht gelöscht)\b.{0,60}"
    r"|(?:Missed (?:group )?(?:voice|video) call|(?:Voice|Video) call|Пропущенный (?:групповой )?(?:аудио|видео)?звонок"
    r"|Аудиозвонок|Видеозвонок|Verpasster (?:Gruppen-)?(?:Sprach|Video)anruf|Sprachanruf|Videoanruf)"
    r"(?:[.,]? [^\n]{0,40})?",
    re.DOTALL,
)
_NAME_OF_FILE = r"\S[^\n]{0,200}?\.\w{2,5}(?: • [^\n]{1,30})?"
_OMITTED = re.compile(
    r"<[^<>\n]{3,40}>"  # Media omitted, Без медиафайлов, Medien ausgeschlossen: in each language in these brackets
    r"|(?:image|photo|video|video note|audio|voice message|GIF|sticker|Contact card|contact card) omitted"
    r"|(?:изображение|видео|видеосообщение|аудиофайл|GIF|Карточка контакта) отсутствует|стикер не добавлен"
    r"|(?:Bild|Foto|Video|Videonachricht|Audio|GIF|Sticker|Kontaktkarte) (?:weg|aus)gelassen"
    rf"|(?:{_NAME_OF_FILE} )?\u200e?(?:document omitted|документ отсутствует|Dokument weggelassen)"
    r"|\S{1,20}: https://maps\.google\.com/\?q=\S+|[^\n]+: https://foursquare\.com/v/\S+|null"
)
_ATTACHED = re.compile(
    r"\u200e?<(?:(?:attached|прикреплено|Anhang|angehängt): |[^<>:\n]{3,30}: \d{8}-)[^<>\n]+>"
    r"|\u200e?(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d+\.\w{2,5} \([^()\n]+\)"
    r"|\u200e?[^\n]+\.\w{2,5} \((?:file attached|файл добавлен|Datei angehängt)\)"
)
_POLL = re.compile(r"\u200e?(?:POLL|ОПРОС|UMFRAGE):\n")


def recognises(probe: Probe) -> bool:
    """Whether lines begin with a time as on one kind of phone, and something in them is surely of WhatsApp or people.

    A log of a program may have the same times, and "names".
    """
    lines = [_without_first_mark(line) for line in probe.lines if line.strip()]
    for stamp in (_ANDROID, _IPHONE):
        stamped = [match["rest"] for line in lines if (match := stamp.match(line))]
        if len(stamped) < 2 or not stamp.match(lines[0]) or len(stamped) < 0.2 * len(lines):
            continue
        matches = [match for rest in stamped if (match := _SENDER.match(rest))]
        levels = {_clean(match["sender"]).strip("[] ").casefold() for match in matches} & _LEVELS
        return bool(matches) and not levels and any(_is_sign(match["text"]) for match in matches)
    return False


def _is_sign(text: str) -> bool:
    """Whether WhatsApp, or a person, surely wrote this."""
    plain = _clean(text)
    is_own = "\u200e" in text or _NOTICE.fullmatch(plain) or _OMITTED.fullmatch(plain) or _ATTACHED.search(text)
    return bool(is_own) or "?" in text


def companions(file: RawFile, files: Sequence[RawFile]) -> tuple[RawFile, ...]:
    """Attached documents of the same zip, which are no chats: `00000046-Some file.txt`."""
    place = PurePosixPath(file.name)
    same = (f for f in files if place.name == "_chat.txt" and PurePosixPath(f.name).parent == place.parent)
    return tuple(f for f in same if re.match(r"\d{8}-", PurePosixPath(f.name).name))


def read(export: Export) -> Iterator[Item]:
    """One conversation: the chat."""
    try:
        days = (date for date, _ in groupby(part.date for part in _parts(export)))
        order = export.options.date_order or find_order(days)
    except BadRecord as error:
        yield BadItem(str(error))
        return
    chat = Conversation([], line=1, is_chat=True)
    for part in _parts(export):
        message = _message("\n".join(part.lines))
        message.time = seconds(f"{part.date}, {part.time}", order)
        if message.time is None:
            yield BadItem(f"{part.date!r} is not a date in the order {order} of the others", part.lines[0], part.line)
            continue
        chat.messages.append(message)
    yield chat


@dataclass(slots=True)
class _Part:
    """A message as the file has it.

    Args:
        line: Line that it begins on, from 1.
        date: Its date, without blanks.
        time: Its time, with AM or PM if the file has it.
        lines: Its lines, without the time.
    """

    line: int
    date: str
    time: str
    lines: list[str] = field(default_factory=list)


def _parts(export: Export) -> Iterator[_Part]:
    part: _Part | None = None
    stamp = None
    for number, line in export.lines():
        place = _without_first_mark(line)
        stamp = stamp or next((form for form in (_ANDROID, _IPHONE) if form.match(place)), None)
        if stamp and (match := stamp.match(place)):
            if part:
                yield part
            time = match["time"].replace(".", ":") + (match["half"] or "")
            part = _Part(number, match["date"].replace(" ", ""), time, [match["rest"]])
        elif part:
            part.lines.append(line)
    if part:
        yield part


def _message(content: str) -> Message:
    match = _SENDER.match(content)
    if match is None:
        return Message("", _clean(content), kind="notice")
    speaker = re.sub(r"^~\s*", "", _clean(match["sender"]))  # "~" marks people who are not in the address book
    text = _EDITED.sub("", match["text"]) if "<" in match["text"] else match["text"]
    message = Message(speaker, _clean(text))
    first, _, caption = text.partition("\n")
    if _NOTICE.fullmatch(message.text):
        message.kind = "notice"
    elif _POLL.match(text) or not message.text:
        message.kind = "media"
    elif _OMITTED.fullmatch(_clean(first)):
        _caption(message, caption)
    elif place := _ATTACHED.search(text):
        _caption(message, f"{text[: place.start()]}\n{text[place.end() :]}")
    elif match := re.search(r"\u200e([^\n]+)$", text):  # the program itself wrote what follows the mark
        before, own = _clean(text[: match.start()]), _clean(match[1])
        if _OMITTED.fullmatch(own):
            _caption(message, before)
        elif not before and "\n" not in message.text:
            message.kind = "notice"
    return message


def _caption(message: Message, caption: str) -> None:
    """Make a message with a file the words that go with it; without any but the file's name it is media."""
    words = _clean(caption)
    if words and not re.fullmatch(_NAME_OF_FILE, words):
        message.text = words
    else:
        message.kind = "media"


def _clean(text: str) -> str:
    """A text without marks of direction, with common blanks."""
    return _MARKS.sub("", text).replace("\u202f", " ").replace("\u00a0", " ").strip()


def _without_first_mark(line: str) -> str:
    return line.lstrip("\u200e\u200f\ufeff")


FORMAT = Format(
    name="whatsapp",
    title="WhatsApp, text (English, Russian, German)",
    rows="dialogues",
    looks=(
        ("WhatsApp Chat with Anna.txt", "31/01/2026, 12:00 - Anna: Hello"),
        ("_chat.txt", "[31.01.26, 12:00:05] Anna: Hallo"),
        ("WhatsApp Chat with Anna.txt", "1/31/26, 12:00 PM - Anna: Hello"),
    ),
    checked=(
        "faq.whatsapp.com/1180414079177245 (menu only); parsers Pustur/whatsapp-chat-parser src/parser.ts, "
        "starkdmi/whats_json lib/src/patterns.dart and its samples in test/data, mlomb/chat-analytics WhatsApp.ts"
    ),
    recognises=recognises,
    read=read,
    companions=companions,
    is_chat=True,
)
