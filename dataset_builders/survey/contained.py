"""Contained dialogues: most of their words are in whole utterances that also occur in another dialogue.

MinHash cannot find these pairs: a dialogue within another of three times its size has a Jaccard similarity of 1/3.
Instead, two dialogues are candidates if they share an utterance that few dialogues contain. Dialogues that share only
frequent ones ("Is there anything else?") follow the same script but are no copies; excluding them also limits the
number of candidates.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from dataset_builders.arrow.exchange import array, records
from dataset_builders.survey.keys import load_hashes
from dataset_builders.survey.normal_texts import blocks, turns_of
from dataset_builders.survey.plan import Plan
from dataset_builders.survey.similar import Edges, distinct_answers, in_blocks, received, save_edges, send_pairs
from dataset_builders.text.near_duplicates import equal_pairs, intersections
from dataset_builders.text.ragged import Ragged, distinct, pack, unpack
from dataset_builders.text.words import word_counts

_SHARED_AT_ONCE = 1 << 16
"""Pairs whose utterances are in memory at once."""


def send_utterances(plan: Plan, number: int, rows: np.ndarray) -> None:
    """Send the utterances of some dialogues of a shard to their parts.

    Args:
        plan: The plan.
        number: Number of the shard.
        rows: Numbers of the dialogues in the shard, ascending.
    """
    starts, hashes = load_hashes(plan, number)
    values, owner = Ragged(hashes, starts).gather(rows)
    order = np.lexsort((values, owner))
    values, owner = values[order], owner[order]
    new = np.append(True, (values[1:] != values[:-1]) | (owner[1:] != owner[:-1]))[: len(values)]
    values, owner = values[new], plan.shards[number].first + rows[owner[new]]
    plan.exchange("utterances-of").send(number, records(hash=values, row=owner), plan.part_of(values), plan.parts)


def find_sharers(plan: Plan, part: int) -> None:
    """Task of a part: send each pair of dialogues with a common rare utterance to the shard of the left one."""
    table, _ = plan.exchange("utterances-of").receive(part, len(plan.shards))
    hashes, row = array(table, "hash"), array(table, "row")
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    rare = (counts[inverse] > 1) & (counts[inverse] <= plan.config.rare)
    hashes, row = hashes[rare], row[rare]
    pairs = [np.zeros(0, np.int64), *(pack(row[a], row[b]) for a, b in equal_pairs(hashes))]
    left, right = unpack(distinct(np.concatenate(pairs)))
    plan.exchange("sharers").answer(part, records(left=left, right=right), plan.shard_of(left), len(plan.shards))


def send_words(plan: Plan, number: int) -> None:
    """Task of the shard of the left ones: send them, with their utterances, to the shards of the right ones."""

    def items(rows: np.ndarray) -> dict[str, pa.Array]:
        utterances, words = _words(plan, number, rows - plan.shards[number].first)
        offsets = pa.array(utterances.offsets, pa.int64())
        return {
            "hashes": pa.LargeListArray.from_arrays(offsets, pa.array(utterances.values)),
            "words": pa.LargeListArray.from_arrays(offsets, pa.array(words)),
        }

    pairs = distinct_answers(plan, "sharers", number, plan.parts)
    send_pairs(plan, "shares", number, in_blocks(pairs), items)


def compare(plan: Plan, number: int) -> int:
    """Task of the shard of the right ones: keep the pairs in which one dialogue contains enough of the other.

    Returns:
        Number of pairs that are kept.
    """

    def kept() -> Iterator[Edges]:
        for left, right, items in received(plan, "shares", number):
            row, rows = array(items, "row"), distinct(right)
            # once: most are in many pairs
            of_rows, words_of_rows = _words(plan, number, rows - plan.shards[number].first)
            of_words = Ragged(words_of_rows, of_rows.offsets)
            for start in range(0, len(left), _SHARED_AT_ONCE):
                lefts, rights = left[start : start + _SHARED_AT_ONCE], right[start : start + _SHARED_AT_ONCE]
                own_rows, other_rows = np.unique(rights), np.unique(lefts)
                own_place = np.searchsorted(rows, own_rows)
                own, own_words = of_rows.take(own_place), of_words.gather(own_place)[0]
                place = pa.array(np.searchsorted(row, other_rows))
                lists, word_lists = (items[name].combine_chunks().take(place) for name in ("hashes", "words"))
                offsets = lists.offsets.to_numpy()
                both = own.joined(Ragged(lists.flatten().to_numpy(), offsets - offsets[0]))
                words = np.concatenate([own_words, word_lists.flatten().to_numpy()])
                a, b = len(own_rows) + np.searchsorted(other_rows, lefts), np.searchsorted(own_rows, rights)
                share = _common_share(both, words, a, b)
                keep = share >= plan.config.containment
                yield rights[keep], lefts[keep], share[keep].astype(np.float32), items

    return save_edges(plan, f"edges/containment-{number:05d}", number, kept())


def _common_share(utterances: Ragged, words: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Share of the words of the shorter dialogue of each pair that are in common utterances.

    Args:
        utterances: Hashes of the utterances of the dialogues.
        words: Number of words of each utterance.
        left: Number of the one dialogue of each pair, shape (n,).
        right: Number of the other one.
    """
    values, codes = np.unique(utterances.values, return_inverse=True)
    weights = np.zeros(max(len(values), 1))
    weights[codes] = words
    sets = Ragged(codes.astype(np.uint32), utterances.offsets).as_sets()
    total = np.bincount(np.repeat(np.arange(len(sets)), sets.sizes), weights[sets.values], len(sets))
    return intersections(sets, left, right, weights) / np.minimum(total[left], total[right])


def _words(plan: Plan, number: int, rows: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """The hashes of the utterances of some dialogues, and the number of words of each utterance, at least 1."""
    starts, hashes = load_hashes(plan, number)
    values, _ = Ragged(hashes, starts).gather(rows)
    words = [np.zeros(0, np.int64)]
    for here in blocks(plan, number, rows):
        words.append(np.maximum(word_counts(turns_of(plan, number, rows[here]).values), 1))
    return Ragged.of(values, np.diff(starts)[rows]), np.concatenate(words)
