"""The survey: find duplicates over all sources and decide the split of every row before the first one is written.

Memory: about 300 bytes per dialogue of two turns, of which 60 remain, and what `clusters` needs for its current chunk.
Texts, keys and bitmaps stay on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataset_builders.schema import CLUSTERS
from dataset_builders.survey.clusters import Progress
from dataset_builders.survey.decisions import Decisions, Survey
from dataset_builders.survey.dialogues import survey_dialogues
from dataset_builders.survey.leaks import DROPPED, TEST, TRAIN, SplitPolicy, count_leaks, duplicate_matrix, group_splits
from dataset_builders.survey.parallel import Parallel
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.rows import Rows, copy_rows
from dataset_builders.survey.splits import assign, split_by_row
from dataset_builders.text.normalize import ids_of_hashes


def survey(
    parsed: Sequence[ParsedSource],
    *,
    split_policy: SplitPolicy,
    seed: int,
    benchmark_words: int,
    progress: Progress | None = None,
) -> Survey:
    """Find duplicates over all sources and decide the split of each row.

    Args:
        parsed: All sources of the build.
        split_policy: Whether duplicates may be in different splits.
        seed: Random seed of the splits of sources without official ones.
        benchmark_words: Dialogues outside test are dropped if they contain a test utterance of more words than this.
        progress: Called during the search for duplicates.
    """
    intents = [p for p in parsed if p.builder.INFO.kind == "downstream"]
    dialogues = [p for p in parsed if p.builder.INFO.kind == "dialogues"]
    intent_survey, test_texts = _survey_intents(intents, split_policy, seed)
    dialogue_survey = survey_dialogues(dialogues, split_policy, seed, test_texts, benchmark_words, progress=progress)
    return Survey(
        decisions=dialogue_survey.decisions | intent_survey.decisions,
        leaks={time: dialogue_survey.leaks[time] | intent_survey.leaks[time] for time in ("before", "after")},
        duplicates=dialogue_survey.duplicates | intent_survey.duplicates,
        members=dialogue_survey.members,
    )


def _survey_intents(parsed: Sequence[ParsedSource], policy: SplitPolicy, seed: int) -> tuple[Survey, np.ndarray]:
    """Decide the splits of the rows of all intent sets.

    Args:
        parsed: The intent sets.
        policy: See `leaks.SplitPolicy`; `original` acts like `official` here.
        seed: Random seed of the splits of sets without official ones.

    Returns:
        The survey, and the hashes of the test utterances that must not occur in a pretraining pair: all but small talk.
    """
    rows, parallel = Rows.of(parsed), Parallel.of(parsed)
    texts = ids_of_hashes(rows.hashes)
    split = assign(rows.official, rows.hashes, texts, rows.ids, rows.source, policy, seed, parallel)
    before = split_by_row(rows.official, rows.ids, rows.source, seed)
    undropped = np.where(rows.official >= TRAIN, rows.official, split).astype(np.int8)
    group = parallel.with_splits(group_splits(rows.hashes, undropped), undropped)
    leaks = (split == DROPPED) & (rows.official != DROPPED)
    blocking = parallel.blocking(rows.hashes, rows.official, group)
    table = rows.table(split, leaks, blocking, group.earliest != group.latest)
    result = Survey(
        decisions={name: Decisions(copy_rows(table, start, length)) for name, start, length in rows.ranges()},
        leaks={
            "before": {
                "text": count_leaks(rows.hashes, before, rows.source, rows.names),
                "translated text": parallel.leaks(before, rows.source, rows.names),
            },
            "after": {
                "text": count_leaks(rows.hashes, split, rows.source, rows.names),
                "translated text": parallel.leaks(split, rows.source, rows.names),
            },
        },
        duplicates={"downstream": duplicate_matrix(rows.hashes, rows.source, rows.names)},
        members=CLUSTERS.arrow_schema.empty_table(),
    )
    is_small_talk = np.concatenate([np.zeros(0, bool), *map(_is_small_talk, parsed)])
    return result, np.unique(rows.hashes[(split == TEST) & ~is_small_talk])


def _is_small_talk(source: ParsedSource) -> np.ndarray:
    """Whether each row of an intent set is small talk (`SourceInfo.small_talk`), bool of shape (rows,)."""
    info = source.builder.INFO
    labels = pa.array([f"{info.name}/{label}" for label in info.small_talk], pa.string())
    return np.asarray(pc.is_in(source.table["label"], labels)) if len(labels) else np.zeros(len(source), bool)
