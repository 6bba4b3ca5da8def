"""The assistant: replies with calibrated confidence, or "I do not know"; intents; vectors.

>>> from cube_model import DialogueAssistant
>>> assistant = DialogueAssistant.from_pretrained("assistant")  # a folder or a Hub repository
>>> reply = assistant.reply("May my cat come along?")
>>> reply.is_known, reply.answers[0].text
(True, 'Dogs are welcome in all rooms.')
>>> assistant.reply("What is the capital of France?").is_known
False
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cube_model.assistant.entries import metadata_of
from cube_model.assistant.folder import INTENTS, check_files, find_assistant, load_encoding, read_calibration
from cube_model.assistant.grouping import AnswerGroup, group_answers
from cube_model.assistant.reply import AssistantAnswer as AssistantAnswer
from cube_model.assistant.reply import Reply as Reply
from cube_model.assistant.reply import Request as Request
from cube_model.assistant.reply import Where
from cube_model.assistant.retrieval import Matches, View, features, find
from cube_model.assistant.store import AnswerStore
from cube_model.assistant.topics import Topics
from cube_model.assistant.unanswered import check_log, log_unanswered
from cube_model.assistant.where import matching
from cube_model.errors import ModelError
from dataset_builders.common.reading import is_text

if TYPE_CHECKING:
    from cube_model.assistant.calibration import Calibration
    from cube_model.intents.head import IntentHead
    from cube_model.intents.intent import Intent

LONGEST = 20_000
"""Largest number of characters of a text; encoders read a few hundred words."""


@dataclass
class DialogueAssistant:
    r"""Questions with their answers, an encoder, and when to refuse. Make one with `dialogue-cube assistant build`.

    Threads may share it; it notices what other processes add and remove.

    Attributes:
        folder: Its folder.
        unanswered: File to which questions are appended that it does not know; None: no log.
        device: Torch device of the encoder; None: the first accelerator, else the processor.
        dtype: Precision of the encoder; None: that of the build.

    Example:
        >>> from cube_model.assistant.build import build_assistant
        >>> from cube_model.assistant.config import AssistantConfig
        >>> _ = Path("faq.csv").write_text("question,answer\nWhen is breakfast?,From seven to ten.\n")
        >>> folder = build_assistant(AssistantConfig(own=["faq.csv"], language="en"), "desk")
        >>> assistant = DialogueAssistant.from_pretrained(folder)
        >>> assistant.reply("When is breakfast?").answers[0].text
        'From seven to ten.'
    """

    folder: Path
    unanswered: Path | None = None
    device: str | None = None
    dtype: str | None = None
    _manifest: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.unanswered is not None:
            check_log(self.unanswered)
        self._store = AnswerStore(self.folder)
        self._manifest = manifest = self._store.manifest()
        check_files(self.folder, manifest)
        self._topics = Topics.load(self.folder)
        calibrated = self._store.view().calibrated
        self._calibration, self._calibrated = read_calibration(self.folder, calibrated), calibrated["number"]
        self._encoding = load_encoding(self.folder, manifest, self.device, self.dtype)
        self._intents: IntentHead | None = None

    @classmethod
    def from_pretrained(
        cls,
        model: str | os.PathLike[str],
        *,
        revision: str | None = None,
        device: str | None = None,
        unanswered: str | os.PathLike[str] | None = None,
        dtype: str | None = None,
    ) -> DialogueAssistant:
        """Open an assistant; nothing in it is run as code.

        Args:
            model: Folder made by `dialogue-cube assistant build`, or Hub repository.
            revision: Branch, tag or commit of the repository.
            device: Torch device of the encoder. Default: the first accelerator, else the processor.
            unanswered: File to which questions are appended that the assistant does not know, for `assistant review`.
                Default: no log.
            dtype: Precision of the encoder, `"auto"` for bfloat16 where the hardware computes in it: its vectors differ
                from those of the build in the third digit. Default: that of the build.

        Raises:
            ModelError: There is no such assistant, it is damaged, or of another version of this package; or the file of
                `unanswered` is something else.
        """
        return cls(find_assistant(model, revision), None if unanswered is None else Path(unanswered), device, dtype)

    @property
    def version(self) -> int:
        """Version of the answers, which grows with every change."""
        return self._store.view().version

    @property
    def info(self) -> dict[str, Any]:
        """Record of the assistant.

        Returns:
            `encoder`, `answers` (number), `version`, `sources`, `languages` and `licenses` (numbers of
            answers), `topics`, `labels`, `calibration` (with the `version` of the answers it was made for, and the
            `curve` of coverage and risk), `context_turns` (turns before a question that change a reply), `options`,
            `versions`.
        """
        view = self._store.view()
        table = view.table.take(np.flatnonzero(view.alive))
        counts = {
            plural: {str(row["values"]): row["counts"] for row in table[name].value_counts().to_pylist()}
            for plural, name in (("sources", "source"), ("languages", "language"), ("licenses", "license"))
        }
        record = {name: self._manifest.get(name) for name in ("encoder", "options", "versions")}
        version = view.calibrated["version"]
        current = self._current_calibration(view)
        calibration = {"threshold": current.threshold, "version": version, **current.record}
        labels = self._manifest.get("labels") or []
        extra = {"labels": labels, "topics": self._topics.names, "calibration": calibration}
        extra["context_turns"] = self._encoding.context_turns
        return {"version": view.version, "answers": len(view), **counts, **extra, **record}

    def reply(self, text: str, context: Sequence[str] = (), *, where: Where | None = None, k: int = 5) -> Reply:
        """Reply to a question.

        Args:
            text: The user's turn.
            context: Turns before it, oldest first. They change the reply if the encoder or the core of the assistant
                was trained with them; see `cube_model.assistant.encoding`.
            where: Values that an answer must have, one of several for each key: `language`, `source`, `license`,
                `dialogue_id`, or `metadata.KEY` for a column of own data.
            k: Largest number of answers.

        Raises:
            ModelError: The question is empty or too long, `k` is below 1, or no answer matches `where`.
        """
        return self.reply_many([Request(text, context, where, k)])[0]

    def reply_many(self, requests: Sequence[Request]) -> list[Reply]:
        """Reply to n questions; they are encoded together.

        Raises:
            ModelError: See `reply`.
        """
        if not requests:
            return []
        for request in requests:
            _check_request(request)
        view = self._store.view()
        masks = [matching(view, request.where, self.folder) for request in requests]
        texts = [request.text for request in requests]
        vectors = self._encoding.questions(texts, [request.context for request in requests])
        calibration = self._current_calibration(view)
        matches = find(view, vectors, texts, lambda number: masks[number])
        groups = [
            group_answers(view, matches, number, request.k, calibration.unrelated)
            for number, request in enumerate(requests)
        ]
        confidences = _confidences(calibration, view, matches, groups)
        # all entries at once: reading a row of the table takes longer than all else about it
        entries = iter(
            view.table.take(np.array([group.row for part in groups for group in part], np.int64)).to_pylist()
        )
        replies = []
        for request, vector, of_request, confidence in zip(requests, vectors, groups, confidences, strict=True):
            best = confidence[0] if confidence else 0.0
            answers = [_answer(next(entries), *pair) for pair in zip(of_request, confidence, strict=True)]
            is_known = bool(answers) and best >= calibration.threshold
            reply = Reply(is_known, best, answers, self._topics.nearest(vector), view.version)
            if not is_known and self.unanswered is not None:
                log_unanswered(self.unanswered, request.text, reply)
            replies.append(reply)
        return replies

    def intent(self, text: str) -> Intent:
        """Recognise the intent of a text.

        Raises:
            ModelError: The assistant was built without intents, or the text is empty or too long.
        """
        return self.intent_many([text])[0]

    def intent_many(self, texts: Sequence[str]) -> list[Intent]:
        """Recognise the intents of n texts; they are encoded together.

        Raises:
            ModelError: See `intent`.
        """
        head = self._intent_head()
        for text in texts:
            _check_text(text)
        return head.predict(self._encoding.texts(texts)) if texts else []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Encode n texts.

        Returns:
            float32 `[n, dimension]`, of length 1.

        Raises:
            ModelError: A text is empty or too long.
        """
        for text in texts:
            _check_text(text)
        return self._encoding.texts(texts)

    def _current_calibration(self, view: View) -> Calibration:
        """The calibration of a view, which `assistant calibrate` may have replaced."""
        if view.calibrated["number"] != self._calibrated:
            self._calibration = read_calibration(self.folder, view.calibrated)
            self._calibrated = view.calibrated["number"]
        return self._calibration

    def _intent_head(self) -> IntentHead:
        if self._intents is None:
            if not (self.folder / INTENTS).is_dir():
                raise ModelError(
                    f"{self.folder}: this assistant has no intents; build it with --intents FOLDER, the output of "
                    "`dialogue-cube train-intents`"
                )
            from cube_model.intents.head import IntentHead

            self._intents = IntentHead.load(self.folder / INTENTS)
        return self._intents


def _confidences(
    calibration: Calibration, view: View, matches: Matches, groups: list[list[AnswerGroup]]
) -> list[list[float]]:
    """The probability of each answer of each question; never above that of an answer before it."""
    lines = np.array([number for number, part in enumerate(groups) for _ in part], np.int64)
    places = np.array([group.place for part in groups for group in part], np.int64)
    values = iter(calibration.confidence(features(view, matches, places, lines)).tolist())
    return [np.minimum.accumulate([next(values) for _ in part]).tolist() if part else [] for part in groups]


def _answer(row: Mapping[str, Any], group: AnswerGroup, confidence: float) -> AssistantAnswer:
    names = ("question", "dialogue_id", "source", "language", "license")
    facts: dict[str, Any] = {name: row[name] or "" for name in names}
    facts |= {"metadata": metadata_of(row["metadata"]), "similar": group.similar, "template": row["template"] or ""}
    return AssistantAnswer(row["id"], row["answer"], confidence, **facts)


def _check_request(request: Request) -> None:
    _check_text(request.text)
    for turn in request.context:
        _check_text(turn, "a turn of the context", may_be_empty=True)
    if isinstance(request.context, str):
        raise ModelError("the context is a text: expected a list of turns, oldest first")
    if isinstance(request.k, bool) or not isinstance(request.k, int) or request.k < 1:
        raise ModelError(f"k is {request.k!r}: expected a whole number of at least 1")


def _check_text(text: str, what: str = "the text", *, may_be_empty: bool = False) -> None:
    if not isinstance(text, str):
        raise ModelError(f"{what} is a {type(text).__name__}: expected a string")
    if not text.strip() and not may_be_empty:
        raise ModelError(f"{what} is empty")
    if len(text) > LONGEST:
        raise ModelError(f"{what} has {len(text):,} characters: expected at most {LONGEST:,}")
    if not is_text(text):
        raise ModelError(f"{what} contains half of a character (a lone surrogate): it was not UTF-8; write it again")
