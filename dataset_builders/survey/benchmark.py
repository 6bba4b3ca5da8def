"""Test utterances of the intent sets in the dialogues of a shard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.chunks import by_chunk, turn_texts
from dataset_builders.survey.leaks import TEST, TRAIN
from dataset_builders.text.words import word_counts


@dataclass(frozen=True)
class Benchmark:
    """Test utterances of the intent sets in the n dialogues of a shard, with m utterances.

    Attributes:
        utterances: Whether each utterance is one, bool of shape (m,).
        pairs: Whether the pair with each utterance as its anchor contains one, bool of shape (m,).
        rows: Whether each dialogue contains one, bool of shape (n,).
        turn: Index of the first turn with more words than allowed that is one, -1 if there is none; int32 of
            shape (n,).
    """

    utterances: np.ndarray
    pairs: np.ndarray
    rows: np.ndarray
    turn: np.ndarray

    @classmethod
    def of(
        cls, turns: pa.ChunkedArray, starts: np.ndarray, hashes: np.ndarray, texts: np.ndarray, words: int
    ) -> Benchmark:
        """Find them.

        Args:
            turns: Turns of each dialogue, n lists.
            starts: Bounds of each dialogue's utterances in `hashes`, shape (n + 1,).
            hashes: Hash of each utterance, uint64 of shape (m,).
            texts: Hashes of the test utterances, ascending, uint64.
            words: Number of words that a turn may have for `turn` not to count it.
        """
        count = len(starts) - 1
        utterances, pairs = np.zeros(len(hashes), bool), np.zeros(len(hashes), bool)
        found_in, turn = np.zeros(count, bool), np.full(count, -1, np.int32)
        result = cls(utterances, pairs, found_in, turn)
        if not len(texts):
            return result
        place = np.minimum(np.searchsorted(texts, hashes), len(texts) - 1)
        utterances[:] = texts[place] == hashes
        numbers = np.flatnonzero(utterances)
        row = np.searchsorted(starts, numbers, "right") - 1
        found_in[row] = True
        is_anchor = numbers + 1 < starts[row + 1]
        pairs[numbers[is_anchor]] = True
        is_positive = numbers > starts[row]
        pairs[numbers[is_positive] - 1] = True
        is_long = _word_counts(turns, row, numbers - starts[row]) > words
        within = (numbers - starts[row])[is_long].astype(np.int32)
        turn[row[is_long][::-1]] = within[::-1]  # the first one of a row is written last
        return result

    def leaks(self, starts: np.ndarray, split: np.ndarray) -> int:
        """Number of pairs outside test that contain one, for the splits of all n dialogues."""
        of_pairs = split[np.searchsorted(starts, np.flatnonzero(self.pairs), "right") - 1]
        return int(((of_pairs >= TRAIN) & (of_pairs != TEST)).sum())


def _word_counts(turns: pa.ChunkedArray, row: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Number of words in some turns, by the numbers of their dialogues, ascending, and their indices there."""
    counts = [np.zeros(0, np.int64)]
    for chunk, rows, here in by_chunk(turns, row):
        texts = turn_texts(chunk)
        place = texts.offsets.to_numpy()[rows] + index[here]
        counts.append(word_counts(texts.values.take(pa.array(place))))
    return np.concatenate(counts)
