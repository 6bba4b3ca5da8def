"""Text with a time at the beginning of each line: logs of IRC, saved chats of Zoom, and the like.

A log of a program looks much the same. So it is a chat only if people are sure to have written it: the same few names
again and again, in IRC's brackets, or in capitals with a question somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats import whatsapp
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe
from dataset_builders.own_data.rejects import BadRecord
from dataset_builders.own_data.turns import speakers
from dataset_builders.own_data.turns.times import find_order, seconds

_STAMP = re.compile(
    r"\[?(?:(?P<date>\d{1,4}[-./]\d{1,2}[-./]\d{1,4})(?:T|,?\s+))?"
    r"(?P<time>\d{1,2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?(?P<half>\s?[AaPp]\.?[Mm]\.?)?(?:Z|[+-]\d\d:?\d\d)?\]?"
    r"(?P<gap>\s+)(?:[-–|]\s+)?(?P<rest>\S.*)"
)
_NICK = re.compile(r"<\s?[@+%&~!]?(?P<name>[^<>\s]{1,40})>\s(?P<text>.*)")
_COLUMN = re.compile(r"[@+%&~!]?(?P<name>[^\s<>=*-][^\t]{0,40})\t(?P<text>.*)")
_ZOOM = re.compile(r"From\s+(?P<name>[^:\t]{1,60}?)(?:\s+[Tt]o\s+[^:\t]{1,60})?\s*:(?:\s+(?P<text>.*))?")
_NAMED = re.compile(
    r"(?P<name>[^\W\d_][\w.'’-]*(?: [^\W\d_(][\w.'’-]*){0,3}(?: \([^()]{1,30}\))?)\s*:(?:\s+(?P<text>.*))?"
)
_EVENT = re.compile(r"(?:\*{1,3}|-!-|-->|<--|--|={3}|[-<>]{2,3})\s.*")
_DAY = re.compile(r"--- (?:Log (?:opened|closed)|Day changed)\b.*")
_LOG_NAME = re.compile(
    r"(?:info|warn|warning|error|debug|trace|fatal|critical|notice|severe|verbose|config)|.*[a-z]\.[a-z].*",
    re.IGNORECASE,
)
_LOG_TEXT = re.compile(
    r"\b(?:INFO|WARN(?:ING)?|ERROR|DEBUG|TRACE|FATAL)\b|\b\w+=\S|\b0x[0-9a-f]+|\bat \w+\.\w+\(|Traceback"
)


def recognises(probe: Probe) -> bool:
    """Whether nearly every line begins with a time, and people are sure to have written them."""
    return not whatsapp.recognises(probe) and _form(probe.lines) is not None


def read(export: Export) -> Iterator[Item]:
    """One conversation; one for each block if blank lines separate blocks of messages."""
    form = _form(Probe(export.file, export.encoding).lines) or _NAMED
    try:
        dates = (match["date"] for _, line in export.lines() if (match := _STAMP.match(line)) and match["date"])
        order = export.options.date_order or find_order(dates)
    except BadRecord as error:
        yield BadItem(str(error))
        return
    blocks = [Conversation([], line=1)]
    day, last, is_apart = 0, 0.0, False
    for number, line in export.lines():
        if not line.strip() or _DAY.match(line):
            is_apart = not line.strip()
            continue
        messages = blocks[-1].messages
        match = _STAMP.match(line)
        if match is None:
            if messages:
                messages[-1].text = f"{messages[-1].text}\n{line.strip()}".strip()
            else:
                yield BadItem("expected a time at the beginning of the line", line, number)
            continue
        if is_apart and messages:
            blocks.append(Conversation([], line=number))
        is_apart = False
        clock = f"{match['time']} {(match['half'] or '').strip()}".strip()
        time = seconds(f"{match['date'] or '2000-01-01'} {clock}", order if match["date"] else "ymd")
        if match["date"] is None and time is not None:  # a clock alone: an earlier hour is of the next day
            day += time + day * 86400 < last
            time = last = time + day * 86400
        if message := _message(match["rest"], form, time):
            blocks[-1].messages.append(message)
        else:
            yield BadItem("expected a name after the time", line, number)
    yield from _joined([block for block in blocks if block.messages])


def _joined(blocks: list[Conversation]) -> list[Conversation]:
    """The blocks; all as one chat if blank lines separate single messages."""
    if len(blocks) > 1 and sum(len(block.messages) for block in blocks) >= 2 * len(blocks):
        return blocks
    return [Conversation([m for block in blocks for m in block.messages], line=1, is_chat=True)] if blocks else []


def _message(rest: str, form: re.Pattern[str], time: float | None) -> Message | None:
    if _EVENT.fullmatch(rest):
        return Message("", rest, time, kind="notice")
    match = form.fullmatch(rest)
    return Message(match["name"].strip(), (match["text"] or "").strip(), time) if match else None


def _form(lines: Iterable[str]) -> re.Pattern[str] | None:
    """How names and texts are separated; None if it is not surely a chat."""
    written = [line for line in lines if line.strip() and not line[0].isspace() and not _DAY.match(line)]
    stamps = [match for line in written if (match := _STAMP.match(line))]
    if len(stamps) < 4 or len(stamps) < 0.8 * len(written):
        return None
    events = [match for match in stamps if _EVENT.fullmatch(match["rest"])]
    spoken = [match["rest"] for match in stamps if not _EVENT.fullmatch(match["rest"])]
    has_columns = any("\t" in match["rest"] and match["gap"] == "\t" for match in events)
    for form in (_NICK, *([_COLUMN] if has_columns else []), _ZOOM, _NAMED):
        matches = [match for rest in spoken if (match := form.fullmatch(rest))]
        names = {match["name"] for match in matches}
        if len(matches) < 0.9 * len(spoken) or len(names) < 2 or 2 * len(names) > len(matches):
            continue
        if any(_LOG_NAME.fullmatch(name) for name in names):
            return None
        if form is not _NAMED or _are_people(names, [match["text"] or "" for match in matches]):
            return form
    return None


def _are_people(names: set[str], texts: list[str]) -> bool:
    if any(_LOG_TEXT.search(text) for text in texts):
        return False
    if all(speakers.side(name) for name in names):
        return True
    return all(name[0].isupper() for name in names) and any("?" in text for text in texts)


FORMAT = Format(
    name="timed-lines",
    title="Lines with times: IRC, Zoom and similar, text",
    rows="dialogues",
    looks=(
        ("chat.txt", "[12:01] Anna: How can I help?"),
        ("chat.txt", "2026-01-31 12:00:05 Anna: How can I help?"),
        ("#help.log", "12:00 <anna> how can I help?"),
        ("meeting_saved_chat.txt", "12:00:05 From Anna to Everyone: How can I help?"),
    ),
    checked=(
        "parsers tommyrot/superseriousstats parser_znc.php and gist.github.com/zakx/0ac8ac66bf2def3dda5d (irssi); "
        "pisg's list of IRC forms; michellenicolephillips/Zoom_Chat_Easy_Reader src/utilities/zoomChatParser.ts"
    ),
    recognises=recognises,
    read=read,
    is_chat=True,
)
