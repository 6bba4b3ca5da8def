"""What own data were taken for, before anything is written: layout, columns, roles, order, split and language."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.data import OwnData
from dataset_builders.own_data.messages import Conversation
from dataset_builders.own_data.own_file import OwnFile
from dataset_builders.own_data.reading import Reading, read_rows
from dataset_builders.own_data.rejects import Tally
from dataset_builders.own_data.turns import speakers
from dataset_builders.schema import ALL, Dialogue, Utterance
from dataset_builders.text.language import are_alike, identifier

EXAMPLES = 3
_SAMPLE_ROWS = 50
_SAMPLE_CHARACTERS = 5000
_MIN_CHARACTERS = 100
"""Number of characters from which the identified language is evidence against the one that the user named."""

_MIN_CONFIDENCE = 0.95


@dataclass(frozen=True)
class FileSummary:
    """What a file was taken for.

    Attributes:
        file: Name of the file; with the number of the other files of one export.
        taken_for: Format or layout.
        columns: Which column is what; empty where the format says it.
        roles: How user and system were told apart.
        order: What orders the turns.
        split: Split of the rows: its name, the column of the split, or `by the build`.
        language: Language that the user named, or of the rows, and the identified one.
        examples: The first rows, a line for each.
    """

    file: str
    taken_for: str
    columns: str
    roles: str
    order: str
    split: str
    language: str
    examples: tuple[str, ...]


def summarise(data: OwnData, own: OwnFile) -> FileSummary:
    """Describe one file of own data; reads its first rows."""
    rows = _first_rows(own)
    more = f" and {len(own.companions)} more" if own.companions else ""
    return FileSummary(
        file=own.file.name + more,
        taken_for=_taken_for(own),
        columns=_columns(own),
        roles="" if own.is_intents else _roles(own),
        order="" if own.is_intents else _order(own),
        split=_split(own, rows),
        language=_language(data, rows),
        examples=tuple(_shown(row) for row in rows[:EXAMPLES]),
    )


def check_languages(data: OwnData) -> None:
    """Check that the texts look like the language that the user named.

    Raises:
        DataError: They surely are in another one; the message names both.
    """
    if data.language == "und":
        return
    for own in data.files:
        rows = [row for row in _first_rows(own) if row.language is None]
        looks, confidence, characters = identify(rows)
        named = data.language.split("-")[0].lower()
        listed = named in identifier().labels
        if listed and characters >= _MIN_CHARACTERS and confidence >= _MIN_CONFIDENCE and not are_alike(looks, named):
            raise DataError(
                f"{own.file}: its texts look like {looks}, not {data.language}; say language {looks} (--language "
                f"{looks}), or trust_language (--trust-language) if {data.language} is right"
            )


def identify(rows: list[Dialogue | Utterance]) -> tuple[str, float, int]:
    """The language of the texts of some rows, the confidence from 0 to 1, and the number of characters."""
    texts = [t.text for row in rows for t in row.turns] if rows and isinstance(rows[0], Dialogue) else []  # type: ignore[union-attr]
    text = " ".join(texts or [row.text for row in rows if isinstance(row, Utterance)])[:_SAMPLE_CHARACTERS]
    if not text.strip():
        return "und", 0.0, 0
    language, confidence = identifier().classify(text)
    return language, float(confidence), len(text)


def _first_rows(own: OwnFile) -> list[Dialogue | Utterance]:
    events = (event for event in read_rows(own, Tally()) if isinstance(event, Dialogue | Utterance))
    return list(islice(events, _SAMPLE_ROWS))


def _taken_for(own: OwnFile) -> str:
    if own.format:
        return f"{own.format.title} ({own.format.name})"
    if own.form.name == "text":
        style = own.form.text.style if own.form.text else ""
        return {"prefixed": "lines that begin with a role", "named": "lines that begin with a name"}.get(
            style, "lines that begin with a dash" if style == "dashed" else "lines of user and system in turn"
        )
    kind = own.layout.kind if own.layout else "turns"
    what = {"pair": "pairs", "turns": "lists of turns", "row": "one row per turn", "intent": "labelled texts"}[kind]
    name = {"json": "JSON", "jsonl": "JSON lines", "table": "table", "rows": "table"}[own.form.name]
    if own.form.table and not own.form.table.has_header:
        name += " without a header"
    return f"{what}, {name}"


def _columns(own: OwnFile) -> str:
    layout = own.layout
    if layout is None:
        return ""
    names = {
        "pair": ("question", "answer"),
        "turns": ("turns", ""),
        "row": ("text", "speaker"),
        "intent": ("text", "label"),
    }[layout.kind]
    parts = [f"{what}: {key}" for what, key in zip(names, (layout.text, layout.other), strict=True) if what and key]
    about = ("id", "order", "time", "split", "scenario", "domains", "language", "history", "more")
    parts += [f"{what}: {key}" for what in about if (key := getattr(layout, what))]
    if layout.rest:
        parts.append(f"metadata: {', '.join(layout.rest[:5])}{' ...' if len(layout.rest) > 5 else ''}")
    return "; ".join(parts)


def _roles(own: OwnFile) -> str:
    if own.options.system_speaker:
        return f"{', '.join(own.options.system_speaker)} answers, as you said"
    if own.answering:
        names = {name for names in islice(Reading(own, Tally()).speakers(), 1) for name in names}
        shown = sorted(name for name in names if name.strip().casefold() in own.answering)
        return f"{', '.join(shown)} answers: the one name in every conversation"
    if own.format and own.format.roles:
        return own.format.roles
    if own.layout and own.layout.kind == "pair":
        return "question by the user, answer by the system"
    if own.form.text and own.form.text.style in ("dashed", "bare"):
        return "in turn, the user first, as you said"
    names = {name for names in islice(Reading(own, Tally()).speakers(), _SAMPLE_ROWS) for name in names}
    if not names:
        return "as the format says" if own.format else "in turn, the user first"
    if all(speakers.side(name) or name.strip().casefold() in speakers.PROMPT for name in names):
        return f"by words: {', '.join(sorted(names)[:4])}"
    if not any(speakers.is_name(name) for name in names):
        return f"labels ({', '.join(sorted(names)[:4])}): the first to speak is the user"
    return "a name beside a word for the other role"


def _order(own: OwnFile) -> str:
    if own.layout and own.layout.order:
        return f"numbers in {own.layout.order}"
    if time := (own.layout and own.layout.time) or (own.options.turns_path and own.options.time_column):
        return f"times in {time}"
    if own.format:
        first = next((item for item in own.format.read(own.export) if isinstance(item, Conversation)), None)
        return "times" if first and all(m.time is not None for m in first.messages) else "as in the file"
    return "as in the file"


def _split(own: OwnFile, rows: list[Dialogue | Utterance]) -> str:
    if own.layout and own.layout.split:
        return f"column {own.layout.split}"
    if own.format and own.split == ALL and {row.split for row in rows} != {ALL}:
        return "as the format says"
    if own.is_single:
        return "by time: a single dialogue"
    return "by the build" if own.split == ALL else f"{own.split}, by the name"


def _language(data: OwnData, rows: list[Dialogue | Utterance]) -> str:
    of_rows = sorted({row.language for row in rows if row.language})
    named = ", ".join(of_rows[:3]) or data.language
    looks, confidence, _ = identify(rows)
    return f"{named} (looks like {looks})" if confidence >= _MIN_CONFIDENCE and looks != named else named


def _shown(row: Dialogue | Utterance) -> str:
    if isinstance(row, Utterance):
        return f"{_short(row.text)} -> {row.label if isinstance(row.label, str) else ' + '.join(row.label)}"
    return " | ".join(f"{turn.speaker}: {_short(turn.text)}" for turn in row.turns[:4])


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."
