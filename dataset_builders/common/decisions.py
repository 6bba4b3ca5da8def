"""Decisions of people about rows: a file of JSON lines, which `dialogue-cube build --decisions` obeys.

The file is beside the dataset, never in it. Each line is one decision:

    {"config": "downstream", "id": "banking77/train/17", "decision": "wrong_label",
     "labels": ["banking77/card_arrival"], "text": "9f86d081884c7d65", "note": "", "at": "2026-01-31T12:00:00+00:00"}

Only `config`, `id` and `decision` are required. Lines are only ever appended; the last one about a row counts.

What people think of the answers of an assistant is in the same file, for `dialogue-cube assistant review --decisions`;
a build passes over these lines:

    {"config": "replies", "id": "2c624232cc3cd5ae", "decision": "right_answer", "question": "May my cat come along?"}
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.files import exclusive, synchronise
from dataset_builders.common.reading import is_text, parse_json, regular

WITHDRAWN = "withdrawn"

DECISIONS: dict[str, tuple[str, ...]] = {
    "wrong_label": ("downstream",),
    "bad_pair": ("pairs",),
    "bad_dialogue": ("dialogues",),
    "personal_data": ("dialogues", "pairs", "downstream"),
    "keep": ("dialogues", "pairs", "downstream"),
    WITHDRAWN: ("dialogues", "pairs", "downstream"),
}
"""Decision -> configs whose rows it can be about. `keep` says that somebody has looked at the row; `withdrawn` takes an
earlier decision back. The others leave the row out, except `wrong_label` with other labels."""

_CONFIGS = ("dialogues", "pairs", "downstream")

REPLIES = "replies"
"""`config` of the lines about answers of an assistant."""

JUDGEMENTS = ("right_answer", "wrong_answer", WITHDRAWN)
"""What a line about an answer says of it."""

_SHAPE = {
    "config!": str,
    "id!": str,
    "decision!": str,
    "labels": [str],
    "question": str,
    "text": str,
    "note": str,
    "at": str,
}

_ADVICE = "correct the line or delete it"


@dataclass(frozen=True)
class RowDecision:
    """A decision about one row.

    Args:
        config: `"dialogues"`, `"pairs"` or `"downstream"`.
        id: The row's `dialogue_id`, `pair_id` or `utterance_id`.
        decision: One of `DECISIONS`.
        labels: For `wrong_label`, the right labels, as in the column `labels`; empty to leave the row out.
        text: `text_digest` of the row, so that the decision is not obeyed once the row has another text; empty if it is
            about any text.
        note: Words of the person who decided.
        at: Time of the decision, ISO 8601.

    Raises:
        DataError: The decision is unknown, or is not one about a row of this config.
    """

    config: str
    id: str
    decision: str
    labels: tuple[str, ...] = ()
    text: str = ""
    note: str = field(default="", compare=False)
    at: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.config not in _CONFIGS:
            raise DataError(f"config {self.config!r}: expected one of {', '.join(_CONFIGS)}")
        if not self.id or not is_text(self.id):
            raise DataError("id: expected the id of a row")
        if self.config not in DECISIONS.get(self.decision, ()):
            fitting = [name for name, configs in DECISIONS.items() if self.config in configs]
            raise DataError(f"decision {self.decision!r}: expected one of {', '.join(fitting)} for {self.config}")
        if self.labels and self.decision != "wrong_label":
            raise DataError(f"labels: belong to the decision wrong_label, not to {self.decision}")
        for label in self.labels:
            if not label.startswith(f"{self.source}/") or not is_text(label):
                raise DataError(f"label {label!r}: expected one that begins with {self.source}/")

    @property
    def source(self) -> str:
        """Name of the row's source, with which every id begins."""
        return self.id.partition("/")[0]

    @property
    def key(self) -> str:
        """Config and id as one text."""
        return f"{self.config} {self.id}"

    def to_line(self) -> str:
        """The decision as a line of the file, without its end."""
        return _line(asdict(self))


@dataclass(frozen=True)
class ReplyJudgement:
    """What somebody thinks of an answer of an assistant to a question.

    Args:
        question: The question.
        id: Id of the entry of the assistant whose answer it is.
        decision: One of `JUDGEMENTS`.
        text: `text_digest` of the answer, so that the judgement does not count once the entry has another one; empty if
            it is about any text.
        note: Words of the person who judged.
        at: Time of the judgement, ISO 8601.

    Raises:
        DataError: The decision is unknown, or the question or the id is empty.

    Example:
        >>> ReplyJudgement("When is tea?", "2c624232cc3cd5ae", "right_answer").to_line()
        '{"config": "replies", "question": "When is tea?", "id": "2c624232cc3cd5ae", "decision": "right_answer"}'
    """

    question: str
    id: str
    decision: str
    text: str = ""
    note: str = field(default="", compare=False)
    at: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name, value in (("question", self.question), ("id", self.id)):
            if not value.strip() or not is_text(value):
                raise DataError(f"{name}: expected a text")
        if self.decision not in JUDGEMENTS:
            raise DataError(f"decision {self.decision!r}: expected one of {', '.join(JUDGEMENTS)} for {REPLIES}")

    @property
    def key(self) -> tuple[str, str]:
        """Question and id."""
        return self.question, self.id

    def to_line(self) -> str:
        """The judgement as a line of the file, without its end."""
        return _line({"config": REPLIES, **asdict(self)})


@dataclass(frozen=True)
class RowDecisions:
    """The decisions that count: the last one about each row, in the order of configs and ids."""

    rows: tuple[RowDecision, ...] = ()

    @classmethod
    def last_of(cls, decisions: Iterable[RowDecision]) -> RowDecisions:
        """The last decision about each row, without those that were withdrawn."""
        last = {decision.key: decision for decision in decisions}
        return cls(tuple(last[key] for key in sorted(last) if last[key].decision != WITHDRAWN))

    def __bool__(self) -> bool:
        return bool(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[RowDecision]:
        return iter(self.rows)

    def about(self, source: str) -> RowDecisions:
        """The decisions about rows of one source."""
        return RowDecisions(tuple(decision for decision in self.rows if decision.source == source))

    def by_id(self, config: str) -> Mapping[str, RowDecision]:
        """The decisions about rows of one config, by id."""
        return {decision.id: decision for decision in self.rows if decision.config == config}

    @property
    def digest(self) -> str:
        """Digest of all that the rows of a build depend on, 16 hex digits: notes and times do not count."""
        values = [(d.config, d.id, d.decision, d.labels, d.text) for d in self.rows]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def text_digest(*texts: str) -> str:
    """Digest of the texts of a row, 16 hex digits.

    Args:
        texts: The texts of all turns of a dialogue, anchor and positive of a pair, or the utterance.
    """
    return hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def read_decisions(path: Path) -> RowDecisions:
    """Read a file of decisions.

    An unfinished last line is left out: another process is writing it, or was killed.

    Args:
        path: The file.

    Raises:
        DataError: The file cannot be read, or a line is not a decision; names the line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "decisions.jsonl")
        >>> append_decisions(path, [RowDecision("pairs", f"woz/1#{n}", "bad_pair") for n in (0, 2)])
        >>> append_decisions(path, [RowDecision("pairs", "woz/1#0", "withdrawn")])
        >>> [decision.id for decision in read_decisions(path)]
        ['woz/1#2']
    """
    return RowDecisions.last_of(decision for decision in _read(path) if isinstance(decision, RowDecision))


def read_judgements(path: Path) -> list[ReplyJudgement]:
    """Read what people think of answers of an assistant: the last judgement of each, without those withdrawn.

    Args:
        path: A file of decisions.

    Returns:
        The judgements, in the order of the file.

    Raises:
        DataError: As in `read_decisions`.
    """
    last: dict[tuple[str, str], ReplyJudgement] = {}
    for judgement in _read(path):
        if isinstance(judgement, ReplyJudgement):
            last.pop(judgement.key, None)
            last[judgement.key] = judgement
    return [judgement for judgement in last.values() if judgement.decision != WITHDRAWN]


def append_decisions(path: Path, decisions: Iterable[RowDecision | ReplyJudgement]) -> None:
    """Append decisions to a file, each as one line, and wait until they are on the disk.

    Several processes can append at the same time. If one is killed, its decisions are there as a whole or not at all:
    the next one removes an unfinished line.

    Args:
        path: The file; created if missing, with its folder.
        decisions: The decisions, oldest first.

    Raises:
        DataError: The file cannot be written, or its first line is not a decision.
    """
    content = "".join(f"{decision.to_line()}\n" for decision in decisions).encode()
    if not content:
        return
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(lock, lambda holder: DataError(f"{path}: {holder} is writing it"), wait=True):
            is_new = not regular(path).exists()
            if not is_new:
                with path.open("rb") as file:
                    first = file.readline()
                if not _is_unfinished(first):
                    list(_decisions([first], path))
            with path.open("ab") as file:
                _end_last_line(path, file.fileno())
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                synchronise(path.parent, below=False)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another file of decisions") from error


def _read(path: Path) -> Iterator[RowDecision | ReplyJudgement]:
    try:
        content = regular(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name a file of decisions") from error
    *lines, last = content.split(b"\n")
    if last.strip() and not _is_unfinished(last):
        lines.append(last)
    return _decisions(lines, path)


def _decisions(lines: Iterable[bytes], path: Path) -> Iterator[RowDecision | ReplyJudgement]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(f"{where}: damaged (byte {error.start}: not UTF-8); {_ADVICE}") from error
            yield _of_line(text, where)


def _of_line(line: str, where: str) -> RowDecision | ReplyJudgement:
    """Parse a line of the file; `where` names it in messages."""
    values: dict[str, Any] = parse_json(line, where, _ADVICE, _SHAPE)
    if unknown := sorted(values.keys() - {name.rstrip("!") for name in _SHAPE}):
        raise DataError(f"{where}: unknown key `{unknown[0]}`; {_ADVICE}")
    values = {name: value for name, value in values.items() if value is not None}
    kind = ReplyJudgement if values["config"] == REPLIES else RowDecision
    if kind is ReplyJudgement:
        values = {"question": "", **values}
        del values["config"]
    if foreign := sorted(values.keys() - kind.__dataclass_fields__.keys()):
        raise DataError(f"{where}: `{foreign[0]}` does not belong to a line of this config; {_ADVICE}")
    if "labels" in values:
        values["labels"] = tuple(values["labels"])
    try:
        return kind(**values)
    except DataError as error:
        raise DataError(f"{where}: {error}; {_ADVICE}") from None


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in values.items() if value not in ("", ())}, ensure_ascii=False)


def _end_last_line(path: Path, handle: int) -> None:
    """Complete a last line that an editor left without an end; remove one that a killed process left unfinished."""
    content = path.read_bytes()
    *_, last = content.rpartition(b"\n")
    if not last:
        return
    if _is_unfinished(last):
        os.ftruncate(handle, len(content) - len(last))
    else:
        os.write(handle, b"\n")


def _is_unfinished(line: bytes) -> bool:
    """Whether a line is the beginning of a decision, as `RowDecision.to_line` writes it."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return line.startswith(b'{"config"'[: len(line)]) and not line.endswith(b"\n")
    return False
