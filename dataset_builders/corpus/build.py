"""The whole build: sources -> duplicates and splits -> filters -> pairs -> dataset folder.

The folder is laid out exactly as the Hub repository:

    OUT/README.md                                      dataset card, with `configs:`
    OUT/{dialogues,pairs,downstream}/SPLIT-*.parquet   rows
    OUT/quality/report.json                            options, row counts, duplicates and leaks
    OUT/quality/drops.parquet                          every dropped row, with the reason
    OUT/quality/clusters.parquet                       dialogues that are duplicates of each other; both are in parts,
                                                       such as drops-00000-of-00002.parquet, from a million rows on

The folder is built under a temporary name and put in place once it is complete. Two builds from the same input give
the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dataset_builders.arrow.mapped import release_unused
from dataset_builders.common.errors import DataError
from dataset_builders.common.execution import ExecutionSettings, open_executor, open_scratch
from dataset_builders.common.executor import LocalExecutor
from dataset_builders.common.outputs import output_folder
from dataset_builders.common.stages import Progress, Stages
from dataset_builders.common.storage import Storage
from dataset_builders.corpus.counts import SourceCounts
from dataset_builders.corpus.finish import (
    finish_folder,
    warn_of_copies,
    warn_of_decisions,
    warn_of_differences,
    write_rejects_of,
)
from dataset_builders.corpus.fragments import by_source
from dataset_builders.corpus.options import BuildOptions
from dataset_builders.corpus.remote import dataset_folder, raw_folder, url_of
from dataset_builders.corpus.shards import ShardFiles
from dataset_builders.corpus.writing import write_shard
from dataset_builders.folder.layout import DATASET
from dataset_builders.licenses import qualifies
from dataset_builders.own_data import OwnBuilder
from dataset_builders.pairs.encoder import load_encoder
from dataset_builders.sources.download import Progress as DownloadProgress
from dataset_builders.sources.download import download, downloads_folder
from dataset_builders.sources.registry import get_builder, select_sources
from dataset_builders.sources.source import CorpusBuilder
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
    execution: ExecutionSettings | None = None,
) -> list[SourceCounts]:
    """Build the dataset folder.

    Args:
        names: Sources as `NAME` or `NAME:CONFIG`; empty for every source with a folder in `raw_dir`.
        raw_dir: Folder or URL with a subfolder of raw files for each source; None to download the named sources.
        out: Dataset folder to write, or its URL (`s3://`, `hf://`). An earlier build there is replaced once the new one
            is complete.
        options: Options that change the rows.
        own: A user's own data (`own_data.own_builders`), in addition to the sources or instead of them. Records that
            cannot be used go to `OUT.rejects.jsonl`, even if the build stops; outside the folder because they contain
            private text.
        num_proc: Number of tasks that run at the same time; None for one, on a Ray cluster for one for each CPU.
        cache_dir: Folder where `datasets` caches parsed rows; None for its default.
        download_progress: Called as a download proceeds.
        progress: Called with the current step, the number of steps done and their total.
        warn: Called with one line for each source whose counts differ from the official ones or whose licence is
            excluded.
        execution: Where the tasks run, and where they keep their files; by default in processes of this machine.

    Returns:
        Counts of each source, in the order of the rows.

    Raises:
        DataError: A name is unknown, a raw file is missing or broken, another run is writing `out`, or `out` contains
            files that no build wrote.

    Example:
        >>> from datasets import load_dataset
        >>> counts = build_dataset(["camrest676"], raw_dir="raw", out="camrest")
        >>> counts[0].info.name, load_dataset("camrest", "pairs", split="test").column_names
        ('camrest676', ['anchor', 'positive'])
    """
    options = options or BuildOptions()
    progress = progress or (lambda step, done, total: None)
    if options.hard_negatives and not options.encoder:
        raise DataError("hard negatives need an encoder: add one, for example --encoder minilm")
    execution = execution or ExecutionSettings()
    with (
        dataset_folder(out) as place,
        output_folder(place, DATASET) as folder,  # locked first: a second writer fails before hours of work
        write_rejects_of(place, own, warn),
        raw_folder(raw_dir, names) as raw,
        open_executor(execution.executor, num_proc, execution.ray_address, _shared(execution)) as executor,
    ):
        encoder = load_encoder(options.encoder) if options.encoder else None
        sources: list[CorpusBuilder] = list(own)
        if names or raw is not None or not own:
            raw = raw or _download_sources(names, options, download_progress)
            selection = _filter_by_license(select_sources(names, raw), options.licenses, warn)
            sources = [*(_open_source(source, raw, cache_dir) for source in selection), *own]
        with _scratch(execution, folder, sources, options) as scratch:
            parsed = []
            here = LocalExecutor(num_proc or 1)
            for done, builder in enumerate(sources):
                progress(f"reading {builder.INFO.name}", done, len(sources))
                rows = scratch.below(f"rows/{builder.INFO.name}") if execution.scratch else None
                # own files, and copies of raw files at a URL, are on this machine only
                is_here = url_of(raw_dir) or isinstance(builder, OwnBuilder)
                parsed.append(parse(builder, here if is_here and not executor.is_here else executor, rows))
                release_unused()
            parsed.sort(key=lambda source: not source.has_dialogues)  # the order of the rows
            stages = Stages(scratch, executor, progress)
            survey_result = survey(
                parsed,
                stages,
                scratch.below("survey"),
                split_policy=options.split_policy,
                seed=options.seed,
                benchmark_words=options.benchmark_words,
            )
            release_unused()
            shards = ShardFiles(parsed, survey_result.storage)
            if encoder:  # its threads do not survive a fork, and it is not on other machines
                stages = Stages(scratch, LocalExecutor(), progress)
            work = partial(write_shard, shards.load, options, scratch, encoder)
            written = by_source(stages.run("shards", work, len(shards), step="writing rows", label=shards.name))
            finish_folder(folder, scratch, written, survey_result, options, executor, encoder)
        if left := survey_result.skipped.get("comparisons"):
            warn(f"{left:,} comparisons of dialogues with the same long passage were left out; see the quality report")
        results = [source.counts for source in written]
        for result in results:
            warn_of_differences(result, raw, warn)
        warn_of_copies(results, survey_result.duplicates, warn)
        warn_of_decisions(results, options.decisions, warn)
    return results


@contextmanager
def _scratch(
    execution: ExecutionSettings, folder: Path, sources: Sequence[CorpusBuilder], options: BuildOptions
) -> Iterator[Storage]:
    """Open the storage for the files of the stages."""
    if execution.scratch is None:  # on the disk of the output, which the user chose with room for it
        yield Storage(str(folder.with_name("stages")))
    else:
        with open_scratch(execution.scratch, _fingerprint(sources, options)) as scratch:
            yield scratch


def _shared(execution: ExecutionSettings) -> Storage | None:
    """The storage that all machines must reach, if there are others."""
    return Storage(execution.scratch) if execution.scratch and execution.ray_address else None


def _fingerprint(sources: Sequence[CorpusBuilder], options: BuildOptions) -> str:
    """Digest of all that decides the files of the stages: the input, the options and the code."""
    digest = hashlib.sha256(json.dumps(options.as_dict(), sort_keys=True).encode())
    for builder in sources:
        digest.update(f"{builder.INFO.name}:{builder.config.name}:{builder.hash}\n".encode())
    for module in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


def _download_sources(names: Sequence[str], options: BuildOptions, progress: DownloadProgress | None) -> Path:
    """Download the raw files of the sources that the licences allow; returns the raw folder."""
    select_sources(names, None)  # rejects wrong names before the first byte
    raw = downloads_folder()
    download([name for name in names if _is_licensed(name.partition(":")[0], options.licenses)], raw, progress)
    return raw


def _filter_by_license(
    selection: list[tuple[str, str | None]], licenses: Sequence[str], warn: Callable[[str], None]
) -> list[tuple[str, str | None]]:
    """Sources under one of the licences, as (name, config); warns about the others."""
    allowed = [source for source in selection if _is_licensed(source[0], licenses)]
    for name, _ in selection:
        if not _is_licensed(name, licenses):
            warn(f"{name}: left out, its licence is {get_builder(name).INFO.license}")
    if not allowed:
        raise DataError(f"no source is left under the licences {', '.join(licenses)}")
    return allowed


def _is_licensed(name: str, licenses: Sequence[str]) -> bool:
    return not licenses or qualifies(get_builder(name).INFO.license, licenses)


def _open_source(source: tuple[str, str | None], raw_dir: Path, cache_dir: str | Path | None) -> CorpusBuilder:
    name, config = source
    return get_builder(name)(data_dir=raw_dir / name, config_name=config, cache_dir=cache_dir)
