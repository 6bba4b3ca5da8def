"""The one pass: sources -> duplicates and splits -> filters -> pairs -> a folder that IS the Hub repository.

    OUT/README.md                                      the dataset card, with `configs:`
    OUT/{dialogues,pairs,downstream}/SPLIT-*.parquet   the rows
    OUT/quality/report.json                            what came in, what went out, duplicates and leaks
    OUT/quality/drops.parquet                          every row that was left out, and why
    OUT/quality/clusters.parquet                       dialogues that are duplicates of each other

The folder is written aside and takes its place when it is whole; two runs over the same input give the same bytes.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from dataset_builders.card import card
from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import output_folder
from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.corpus.report import write_report
from dataset_builders.corpus.sinks import FolderWriter
from dataset_builders.corpus.writing import write_source
from dataset_builders.folder.layout import DATASET
from dataset_builders.licenses import qualifies
from dataset_builders.own_data import OwnBuilder, write_rejects
from dataset_builders.pairs.encoder import Encoder, load_encoder
from dataset_builders.pairs.hard_negatives import NegativeOptions, add_hard_negatives
from dataset_builders.sources.download import Progress as DownloadProgress
from dataset_builders.sources.download import download, downloads_folder
from dataset_builders.sources.registry import get_builder, select_sources
from dataset_builders.sources.source import CorpusBuilder
from dataset_builders.survey.clusters import Progress
from dataset_builders.survey.decisions import Survey
from dataset_builders.survey.parsed import parse
from dataset_builders.survey.survey import survey

logger = logging.getLogger(__name__)


def build_dataset(
    names: Sequence[str],
    raw_dir: str | Path | None,
    out: str | Path,
    options: BuildOptions | None = None,
    own: Sequence[OwnBuilder] = (),
    num_proc: int | None = None,
    cache_dir: str | Path | None = None,
    download_progress: DownloadProgress | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] = logger.warning,
) -> list[SourceCounts]:
    """Build the dataset folder.

    Args:
        names: Sources as `NAME` or `NAME:CONFIG`; empty for every source that has a folder in `raw_dir`.
        raw_dir: Folder with one folder of raw files a source; None to download the named sources.
        out: The dataset folder; an earlier one of ours is replaced when the new one is whole.
        options: What changes the rows.
        own: A user's own data (`own_data.own_builders`), beside or instead of the sources. Records that cannot be used
            are written to `OUT.rejects.jsonl`, beside the folder and not into it: they hold private text.
        num_proc: Processes that parse the raw files of a source and make its rows.
        cache_dir: Where `datasets` keeps parsed rows; its default cache when None.
        download_progress: Called while bytes of a download arrive.
        progress: Called with the step, what is done of it and what there is.
        warn: Called with one line for each source whose counts differ from the official ones, or whose licence is not
            among the wanted.

    Returns:
        What each source gave, in the order written.

    Raises:
        DataError: Unknown name, missing or broken raw file, another run is writing `out`, or `out` holds
            something that no build wrote.
    """
    options, out = options or BuildOptions(), Path(out).expanduser().resolve()
    progress = progress or (lambda what, done, total: None)
    if options.hard_negatives and not options.encoder:
        raise DataError("hard negatives are found by an encoder: name one (--encoder minilm)")
    with output_folder(out, DATASET) as folder:  # claimed before hours are spent on rows
        encoder = load_encoder(options.encoder) if options.encoder else None
        chosen: list[CorpusBuilder] = list(own)
        if names or raw_dir is not None or not own:
            raw = Path(raw_dir) if raw_dir is not None else _downloaded(names, options, download_progress)
            selected = _licensed(select_sources(names, raw), options.licenses, warn)
            chosen = [*(_open(choice, raw, cache_dir) for choice in selected), *own]
        parsed = []
        for done, builder in enumerate(chosen):
            progress(f"reading {builder.INFO.name}", done, len(chosen))
            parsed.append(parse(builder, num_proc))
        parsed.sort(key=lambda source: source.builder.INFO.kind != "dialogues")  # the order of the rows
        decided = survey(
            parsed,
            split_policy=options.split_policy,
            seed=options.seed,
            benchmark_words=options.benchmark_words,
            progress=progress,
        )
        _give_memory_back()
        writer, results = FolderWriter(folder), []
        for done, source in enumerate(parsed):
            name = source.builder.INFO.name
            progress(f"writing {name}", done, len(parsed))
            results.append(write_source(source, decided.decisions[name], options, writer, encoder, num_proc))
            _give_memory_back()
        finish_folder(writer, results, decided, options, encoder)
        for result in results:
            warn_of_differences(result, warn)
        write_rejects_of(out, own, warn)
    return results


def finish_folder(
    writer: FolderWriter, results: list[SourceCounts], decided: Survey, options: BuildOptions, encoder: Encoder | None
) -> None:
    """What follows when the rows of all sources are written: mined negatives, report and card.

    Args:
        writer: All rows went into it.
        results: What each source gave, in that order.
        decided: What the survey found.
        options: What changed the rows.
        encoder: Mines the negatives.

    Raises:
        DataError: There is no row.
    """
    shards = writer.close(decided.members)
    if not any(shards.values()):
        wanted = f" in {', '.join(options.languages)}" if options.languages else ""
        raise DataError(f"no row is left{wanted} in the splits {', '.join(options.splits)}; nothing was written")
    if options.hard_negatives and encoder is not None:
        options_of_mining = NegativeOptions(options.hard_negatives, seed=options.seed)
        add_hard_negatives(shards["pairs", "train"], encoder, options_of_mining, progress=sys.stderr.isatty())
    write_report(writer.folder, results, options, decided)
    card.write_card(writer.folder)


def _give_memory_back() -> None:
    """To the system; else what a step needed at its peak stays with this process."""
    pa.default_memory_pool().release_unused()


def warn_of_differences(result: SourceCounts, warn: Callable[[str], None]) -> None:
    """One line when the counts of a source are not the official ones."""
    if different := result.differences():
        warn(f"{result.info.name}: counts differ from the official release: {'; '.join(different)}")


def _downloaded(names: Sequence[str], options: BuildOptions, progress: DownloadProgress | None) -> Path:
    select_sources(names, None)
    raw = downloads_folder()
    wanted = [n for n in names if _is_licensed(n.partition(":")[0], options.licenses)]
    download(wanted, raw, progress)
    return raw


def _licensed(
    selected: list[tuple[str, str | None]], licenses: Sequence[str], warn: Callable[[str], None]
) -> list[tuple[str, str | None]]:
    """The sources under a wanted licence."""
    kept = [choice for choice in selected if _is_licensed(choice[0], licenses)]
    for name, _ in selected:
        if not _is_licensed(name, licenses):
            warn(f"{name}: left out, its licence is {get_builder(name).INFO.license}")
    if not kept:
        raise DataError(f"no source is left under the licences {', '.join(licenses)}")
    return kept


def _is_licensed(name: str, licenses: Sequence[str]) -> bool:
    return not licenses or qualifies(get_builder(name).INFO.license, licenses)


def _open(choice: tuple[str, str | None], raw_dir: Path, cache_dir: str | Path | None) -> CorpusBuilder:
    name, config = choice
    return get_builder(name)(data_dir=raw_dir / name, config_name=config, cache_dir=cache_dir)


def write_rejects_of(out: Path, own: Sequence[OwnBuilder], warn: Callable[[str], None]) -> None:
    """`OUT.rejects.jsonl`: the records of own data that could not be used; none when all could."""
    rejects = out.with_name(f"{out.name}.rejects.jsonl")
    skipped = own[0].data.skipped if own else []  # the builders of a path share its files
    left_out = [*skipped, *(record for builder in own for record in builder.rejected())]
    if left_out:
        write_rejects(rejects, left_out)
        warn(f"your data: {len(left_out):,} bad records were left out; {rejects} says where and why")
    else:
        rejects.unlink(missing_ok=True)
