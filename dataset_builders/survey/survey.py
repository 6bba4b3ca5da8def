"""What must be known of all sources before the first row is written: duplicates, splits and leaks.

Memory: 8 bytes an utterance for its hash, a few dozen a row, and what `clusters` needs; texts stay on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataset_builders.schema import CLUSTERS
from dataset_builders.survey.clusters import Progress
from dataset_builders.survey.decisions import Decisions, Survey
from dataset_builders.survey.dialogues import survey_dialogues
from dataset_builders.survey.leaks import LEFT_OUT, TEST, TRAIN, SplitPolicy, count_leaks, duplicate_matrix, sides
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.rows import Rows, part
from dataset_builders.survey.splits import assign, seeded_splits
from dataset_builders.text.normalize import id_of_hash


def survey(
    parsed: Sequence[ParsedSource],
    *,
    split_policy: SplitPolicy,
    seed: int,
    benchmark_words: int,
    progress: Progress | None = None,
) -> Survey:
    """Find duplicates over all sources and decide where each row goes.

    Args:
        parsed: All sources.
        split_policy: Whether duplicates may stand in several splits.
        seed: Of the splits of sources that have none.
        benchmark_words: A dialogue outside test that says a test utterance of more words than this is left out.
        progress: Called while duplicates are looked for.
    """
    intents = [p for p in parsed if p.builder.INFO.kind == "downstream"]
    dialogues = [p for p in parsed if p.builder.INFO.kind == "dialogues"]
    of_intents, test_texts = _survey_intents(intents, split_policy, seed)
    of_dialogues = survey_dialogues(dialogues, split_policy, seed, test_texts, benchmark_words, progress=progress)
    return Survey(
        decisions=of_dialogues.decisions | of_intents.decisions,
        leaks={when: of_dialogues.leaks[when] | of_intents.leaks[when] for when in ("before", "after")},
        duplicates=of_dialogues.duplicates | of_intents.duplicates,
        members=of_dialogues.members,
    )


def _survey_intents(parsed: Sequence[ParsedSource], policy: SplitPolicy, seed: int) -> tuple[Survey, np.ndarray]:
    """Decide where the rows of all intent sets go.

    Args:
        parsed: The intent sets.
        policy: See `leaks.SplitPolicy`; `original` is as `official` here.
        seed: Of the splits of sets that have none.

    Returns:
        The survey, and the hashes of the test utterances: no pretraining pair may hold one.
    """
    rows = Rows.of(parsed)
    ids = rows.ids.to_pylist()
    texts = [id_of_hash(value) for value in rows.hashes.tolist()]
    split = assign(rows.official, rows.hashes, texts, ids, policy, seed)
    before = seeded_splits(ids, rows.official, seed)
    found = sides(rows.hashes, np.where(rows.official >= TRAIN, rows.official, split))
    blocking = sides(rows.hashes, rows.official).blocking
    leaks = (split == LEFT_OUT) & (rows.official != LEFT_OUT)
    table = rows.table(split, leaks, blocking, found.first != found.last)
    decided = Survey(
        decisions={name: Decisions(part(table, start, length)) for name, start, length in rows.places()},
        leaks={
            "before": {"text": count_leaks(rows.hashes, before, rows.source, rows.names)},
            "after": {"text": count_leaks(rows.hashes, split, rows.source, rows.names)},
        },
        duplicates={"downstream": duplicate_matrix(rows.hashes, rows.source, rows.names)},
        members=CLUSTERS.arrow_schema.empty_table(),
    )
    return decided, np.unique(rows.hashes[split == TEST])
