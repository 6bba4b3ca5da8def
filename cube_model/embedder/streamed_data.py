"""Training texts of the dialogue embedder that are read from the files as they are needed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from cube_model.data.pair_stream import BufferedOrder, PairSelection, PairStream, RecentGroups
from cube_model.data.pairs import QuestionAnswerPairs, joined_turns
from cube_model.data.stream_options import SHUFFLE_BUFFER, warn_of_small_data
from cube_model.embedder.config import DIRECTIONS, EmbedderConfig
from cube_model.embedder.data import fingerprint_of, warn_of_leaks
from cube_model.embedder.positives.next_turn import CONSECUTIVE


@dataclass(frozen=True)
class Texts:
    """n training pairs.

    Attributes:
        anchors, positives: n texts each.
        answer_ids: int64 `[n]`, equal for equal answers.
    """

    anchors: list[str]
    positives: list[str]
    answer_ids: np.ndarray


class StreamedEmbedderData:
    """Training pairs on disk or on the Hub, numbered as those of `EmbedderData`.

    Args:
        config: The run.
        separator: Text between the anchor and its earlier turns.

    Attributes:
        fingerprint: As that of `EmbedderData`.
        order: Order of an epoch.

    Raises:
        ModelError: No such dataset, column or source, or no pair is left.
    """

    def __init__(self, config: EmbedderConfig, separator: str) -> None:
        (direction,) = DIRECTIONS[config.direction]
        self._separator = separator
        is_main = os.environ.get("RANK", "0") == "0"
        selection = PairSelection("train", config.sources, direction, config.context_turns, pair_type=CONSECUTIVE)
        self._stream = PairStream(config.data, selection, progress=config.progress and is_main)
        survey, buffer = self._stream.survey, config.shuffle_buffer or SHUFFLE_BUFFER
        if is_main:
            warn_of_leaks(config, survey.leaks)
            warn_of_small_data(config.data, len(self._stream), buffer)
        self.fingerprint = fingerprint_of(config, separator, [survey.fingerprint])
        self.order = BufferedOrder(survey.counts, buffer=buffer, seed=config.seed)
        self._groups = RecentGroups(
            lambda group: self._texts(self._stream.load(group)), self._stream, self.order.largest_block
        )

    def __len__(self) -> int:
        return len(self._stream)

    def __getitems__(self, rows: list[int]) -> list[dict[str, str]]:
        """Return the pairs of a batch, as the loader of torch asks for them."""
        texts = self.at(rows)
        return [{"anchor": a, "positive": p} for a, p in zip(texts.anchors, texts.positives, strict=True)]

    def __getitem__(self, row: int) -> dict[str, str]:
        return self.__getitems__([row])[0]

    def at(self, rows: list[int] | np.ndarray) -> Texts:
        """Return the pairs at some rows."""
        anchors, positives = np.empty(len(rows), dtype=object), np.empty(len(rows), dtype=object)
        answer_ids = np.empty(len(rows), dtype=np.int64)
        for group, at, within in self._stream.places(rows):
            texts = self._groups[group]
            anchors[at] = [texts.anchors[i] for i in within]
            positives[at] = [texts.positives[i] for i in within]
            answer_ids[at] = texts.answer_ids[within]
        return Texts(anchors.tolist(), positives.tolist(), answer_ids)

    def texts(self, rows: np.ndarray) -> list[str]:
        """The anchors and positives of some pairs."""
        texts = self._texts(self._stream.pairs(np.sort(rows)))
        return [*texts.anchors, *texts.positives]

    def columns(self) -> dict[str, list[str]]:
        """The columns of the first pair, in the order that the losses of sentence-transformers expect."""
        return {name: [text] for name, text in self[0].items()}

    def describe(self) -> dict[str, Any]:
        """The facts about the data for the record and the card."""
        names = ("sources", "licenses", "languages")
        values = (sorted(set(column)) for column in zip(*self._stream.survey.origins, strict=True))
        facts = {"pairs": len(self), "fingerprint": self.fingerprint, **dict(zip(names, values, strict=True))}
        return {
            **facts,
            "kinds": {"next_turn": len(self)},
            "left_out": self._stream.survey.leaks,
            "decontaminated": 0,
        }

    def _texts(self, pairs: QuestionAnswerPairs) -> Texts:
        anchors = joined_turns(pairs, self._separator)
        return Texts(anchors, [pairs.texts[i] for i in pairs.answers], pairs.labels)
