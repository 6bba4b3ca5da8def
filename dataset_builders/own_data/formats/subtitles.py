"""Subtitles with the names of the speakers: SubRip (`.srt`) and WebVTT (`.vtt`), as meetings and calls are written."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.messages import BadItem, Conversation, Item, Message
from dataset_builders.own_data.probe import Probe

_CLOCK = r"(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})"
_TIMING = re.compile(rf"\s*{_CLOCK}\s+-->\s+(?:\d{{1,3}}:)?\d{{2}}:\d{{2}}[.,]\d{{3}}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[a-z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}", re.IGNORECASE)
_NAMED = re.compile(r"(?:>>\s*)?(?P<name>[^\W\d_](?:[\w .'’()&/-]{0,40}\S)?):\s+(?P<text>\S.*)", re.DOTALL)
_SOUND = re.compile(r"[\[(♪*][^\])]*[\])♪*]")
_BLOCKS = ("NOTE", "STYLE", "REGION", "WEBVTT")
_LEAST_NAMED = 0.8


class _Cue(NamedTuple):
    line: int
    time: float
    text: str


def recognises(probe: Probe) -> bool:
    """Whether it has lines of two times with an arrow, under a number or the heading `WEBVTT`."""
    lines = [line for line in probe.lines if line.strip()]
    if not lines:
        return False
    is_headed = lines[0].startswith("WEBVTT") or (lines[0].strip().isdigit() and _timing(lines[1:2]))
    return bool(is_headed) and any(_TIMING.fullmatch(line) for line in lines)


def read(export: Export) -> Iterator[Item]:
    """One conversation; adjacent cues of a speaker are one message. Refused if the speakers are not named."""
    cues = [cue for cue in _cues(export.lines()) if cue.text]
    spoken = [(cue, *_speaker(cue.text)) for cue in cues]
    names = Counter(name for _, name, _ in spoken if name)
    words = [cue for cue in cues if not _SOUND.fullmatch(_plain(cue.text))]
    if len(names) < 2 or sum(names.values()) < _LEAST_NAMED * len(words) or 2 * len(names) > sum(names.values()) + 1:
        share = f"{sum(names.values())} of {len(words)} cues name a speaker ({len(names)} different names)"
        advice = "write `Anna: text` or `<v Anna>text` in each cue, or make a table with columns speaker and text"
        yield BadItem(f"subtitles without speakers: {share}; {advice}", cues[0].text if cues else "", 1)
        return
    talk = Conversation([], line=cues[0].line)
    for cue, name, text in spoken:
        last = talk.messages[-1] if talk.messages else None
        if not name and _SOUND.fullmatch(text):
            talk.messages.append(Message("", text, cue.time, kind="notice"))
        elif last and last.kind == "text" and name in ("", last.speaker):
            last.text += f" {text}"
        elif name:
            talk.messages.append(Message(name, text, cue.time))
        else:
            yield BadItem("expected a cue that names its speaker", cue.text, cue.line)
    yield talk


def _cues(lines: Iterable[tuple[int, str]]) -> Iterator[_Cue]:
    block: list[tuple[int, str]] = []
    for number, line in (*lines, (0, "")):
        if line.strip():
            block.append((number, line))
            continue
        at = next((i for i, (_, part) in enumerate(block[:2]) if _TIMING.fullmatch(part)), None)
        if at is not None and not block[0][1].startswith(_BLOCKS):
            hours, minutes, secs, millis = (int(g or 0) for g in _TIMING.fullmatch(block[at][1]).groups())  # type: ignore[union-attr]
            time = 3600.0 * hours + 60 * minutes + secs + millis / 1000
            yield from (_Cue(block[0][0], time, text) for text in _utterances([part for _, part in block[at + 1 :]]))
        block = []


def _utterances(lines: list[str]) -> list[str]:
    """The lines of a cue as one text, or one for each speaker: `<v Anna>` or a dash begins what another one says."""
    starts = [bool(re.match(r"\s*[-–]\s", line)) for line in lines]
    if sum(starts) > 1:
        text = "".join(f"\0{line.strip(' -–')}" if new else f" {line}" for new, line in zip(starts, lines, strict=True))
        return [part.strip() for part in text.split("\0") if part.strip()]
    return [part.strip() for part in re.split(r"(?=<v[ .])", " ".join(lines)) if part.strip()]


def _speaker(text: str) -> tuple[str, str]:
    """Name and words of a cue; the name is empty if it has none."""
    if voice := _VOICE.match(text):
        return voice[1].strip(), _plain(text)
    plain = _plain(text)
    named = _NAMED.fullmatch(plain)
    return (named["name"].strip(), named["text"]) if named else ("", plain)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _timing(lines: list[str]) -> bool:
    return bool(lines) and _TIMING.fullmatch(lines[0]) is not None


FORMAT = Format(
    name="subtitles",
    title="Subtitles with speakers, SRT and WebVTT",
    rows="dialogues",
    looks=(
        ("call.srt", "1 / 00:00:01,000 --> 00:00:04,000 / Anna: How can I help?"),
        ("call.vtt", "WEBVTT / 00:01.000 --> 00:04.000 / <v Anna>How can I help?</v>"),
    ),
    checked="w3.org/TR/webvtt1 (voice spans, blocks); SubRip as commonly written; compared with no parser",
    recognises=recognises,
    read=read,
)
