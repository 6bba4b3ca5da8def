"""Last steps of a build and of the pipeline: files, negatives, report, card, warnings, rejected records of own data."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dataset_builders.arrow.exchange import load
from dataset_builders.card import card
from dataset_builders.card.copies import restricted_copies
from dataset_builders.common.decisions import RowDecisions
from dataset_builders.common.errors import DataError
from dataset_builders.common.executor import Executor
from dataset_builders.common.storage import Storage
from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.corpus.deciding import CHANGED, NEW_LABEL, NO_ROW, NOT_RESCUED
from dataset_builders.corpus.files import write_clusters, write_files
from dataset_builders.corpus.fragments import SourceRows
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.corpus.report import write_report
from dataset_builders.own_data import OwnBuilder, write_rejects
from dataset_builders.pairs.encoder import Encoder
from dataset_builders.pairs.hard_negatives import NegativeOptions, add_hard_negatives
from dataset_builders.sources.raw_files import SAMPLE_NOTE
from dataset_builders.survey.decisions import Survey

_NAMED = 3
"""Maximum number of ids that a warning names; the others are counted."""


def finish_folder(
    folder: Path,
    storage: Storage,
    sources: Sequence[SourceRows],
    survey_result: Survey,
    options: BuildOptions,
    executor: Executor,
    encoder: Encoder | None,
) -> None:
    """Write the files of the rows, mine hard negatives, then write the report and the card.

    Args:
        folder: Empty dataset folder.
        storage: Where the fragments of the rows are.
        sources: Fragments of each source, in the order of the rows.
        survey_result: Decisions, duplicates and leaks of all sources.
        options: Options of the build.
        executor: Runs the tasks that write files.
        encoder: Text encoder that mines the negatives.

    Raises:
        DataError: No row is left.
    """
    results = [source.counts for source in sources]
    if not any(tally.rows_out for counts in results for tally in counts.rows.values()):
        languages = f" in {', '.join(options.languages)}" if options.languages else ""
        raise DataError(f"no row is left{languages} in the splits {', '.join(options.splits)}; no dataset was written")
    files = write_files(folder, storage, sources, executor)
    members = (load(survey_result.storage, name) for name in survey_result.members)
    write_clusters(folder, survey_result.member_rows, members)
    if options.hard_negatives and encoder is not None:
        negative_options = NegativeOptions(options.hard_negatives, seed=options.seed)
        add_hard_negatives(files["pairs", "train"], encoder, negative_options, progress=sys.stderr.isatty())
    write_report(folder, results, options, survey_result)
    card.write_card(folder)


def warn_of_differences(result: SourceCounts, raw_dir: str | Path | None, warn: Callable[[str], None]) -> None:
    """Warn with one line if a source's counts differ from the official ones, except those of the invented sample."""
    if raw_dir is not None and Path(raw_dir, SAMPLE_NOTE).exists():
        return
    if differences := result.differences():
        warn(f"{result.info.name}: counts differ from the official release: {'; '.join(differences)}")


def warn_of_copies(
    results: Sequence[SourceCounts], duplicates: Mapping[str, Mapping[str, int]], warn: Callable[[str], None]
) -> None:
    """Warn with one line for each own source that repeats dialogues of a source that must not be passed on.

    Args:
        results: Counts of each source.
        duplicates: Kind -> `SOURCE|OTHER` -> number of near duplicates, as `Survey.duplicates`.
        warn: Called with the line.
    """
    redistributable = {counts.info.name: counts.info.redistributable for counts in results}
    for own, other, count in restricted_copies(duplicates.get("dialogues") or {}, redistributable):
        warn(
            f"{own}: {count:,} of its dialogues repeat {other}, which must not be passed on; `dialogue-cube push` will "
            f"hold them back. Build without {own}, or without these dialogues, if you want to share the dataset"
        )


def warn_of_decisions(results: Sequence[SourceCounts], decisions: RowDecisions, warn: Callable[[str], None]) -> None:
    """Warn with one line of the decisions that were not obeyed, and with one of labels that no other row has.

    Args:
        results: Counts of each source.
        decisions: The decisions of the build.
        warn: Called with the line.
    """
    decided = {key: outcome for counts in results for key, outcome in counts.decided.items()}
    by_outcome: dict[str, list[str]] = {}
    for decision in decisions:
        by_outcome.setdefault(decided.get(decision.key, NO_ROW).partition(":")[0], []).append(decision.id)
    for outcome, advice in (
        (NO_ROW, "match no row of this build"),
        (CHANGED, "are about another text than the row now has"),
        (NOT_RESCUED, "are to keep a row that no decision can keep (a leak, personal data, a repeated record)"),
        (NEW_LABEL, "give a label that no other row of the source has"),
    ):
        if ids := by_outcome.get(outcome):
            more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
            warn(f"decisions: {len(ids):,} of {len(decisions):,} {advice}: {', '.join(ids[:_NAMED])}{more}")


@contextmanager
def write_rejects_of(out: Path, own: Sequence[OwnBuilder], warn: Callable[[str], None]) -> Iterator[None]:
    """Write the unusable records of own data to `OUT.rejects.jsonl` when the work inside is done, even if it fails.

    Args:
        out: Dataset folder that is being written.
        own: Builders of own data, which the work inside prepares.
        warn: Called with one line that names the file, if there are such records.

    Raises:
        DataError: As the work inside, with the file named in the message.
    """
    path = out.with_name(f"{out.name}.rejects.jsonl")
    try:
        yield
    except DataError as error:
        records, _ = _write_rejects(path, own)
        if records:
            raise DataError(f"{error}; {path} lists the {records:,} records that could not be used") from error
        raise
    except BaseException:
        _warn_of_rejects(path, own, warn)
        raise
    _warn_of_rejects(path, own, warn)


def _warn_of_rejects(path: Path, own: Sequence[OwnBuilder], warn: Callable[[str], None]) -> None:
    """Write the rejects file and say what it lists; remove an earlier one if there is nothing to list."""
    counts = zip(_write_rejects(path, own), ("records could not be used", "files were left out"), strict=True)
    listed = [f"{count:,} {what}" for count, what in counts if count]
    if listed:
        warn(f"your data: {', '.join(listed)}; {path} lists them with the reasons")
    else:
        path.unlink(missing_ok=True)


def _write_rejects(path: Path, own: Sequence[OwnBuilder]) -> tuple[int, int]:
    """Write the rejects file unless it would be empty; returns the numbers of records and of skipped files."""
    loaded = {id(builder.data): builder.data for builder in own}  # builders of one path share its files
    skipped = [file for data in loaded.values() for file in data.skipped]
    records = [record for builder in own for record in builder.rejected()]
    if skipped or records:
        write_rejects(path, [*skipped, *records])
    return len(records), len(skipped)
