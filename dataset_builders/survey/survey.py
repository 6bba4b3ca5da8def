"""The survey: find duplicates over all sources and decide the split of every row before the first one is written."""

from __future__ import annotations

from collections.abc import Sequence

from dataset_builders.common.stages import Stages
from dataset_builders.common.storage import Storage
from dataset_builders.survey.decisions import Survey
from dataset_builders.survey.dialogues import survey_dialogues
from dataset_builders.survey.intents import survey_intents
from dataset_builders.survey.leaks import SplitPolicy
from dataset_builders.survey.parsed import ParsedSource
from dataset_builders.survey.plan import ClusterConfig


def survey(
    parsed: Sequence[ParsedSource],
    stages: Stages,
    results: Storage,
    *,
    split_policy: SplitPolicy,
    seed: int,
    benchmark_words: int,
    cluster_config: ClusterConfig | None = None,
) -> Survey:
    """Find duplicates over all sources and decide the split of each row.

    Args:
        parsed: All sources of the build.
        stages: Runs the tasks; its storage holds the files that they exchange.
        results: Where to write the decisions and figures.
        split_policy: Whether duplicates may be in different splits.
        seed: Random seed of the splits of sources without official ones.
        benchmark_words: Dialogues outside test are dropped if they contain a test utterance of more words than this.
        cluster_config: Criteria for duplicate dialogues.

    Raises:
        DataError: Two different records of a source have the same id.
    """
    intents = [source for source in parsed if not source.has_dialogues]
    dialogues = [source for source in parsed if source.has_dialogues]
    of_intents, test_texts = survey_intents(intents, split_policy, seed, stages, results)
    of_dialogues = survey_dialogues(
        dialogues, split_policy, seed, test_texts, benchmark_words, stages, results, cluster_config
    )
    whole = Survey(
        results,
        leaks={time: of_dialogues.leaks[time] | of_intents.leaks[time] for time in ("before", "after")},
        duplicates=of_dialogues.duplicates | of_intents.duplicates,
        members=of_dialogues.members,
        member_rows=of_dialogues.member_rows,
        skipped=of_dialogues.skipped,
    )
    whole.save()
    return whole
