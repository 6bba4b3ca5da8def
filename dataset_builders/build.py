"""The one pass: sources -> splits -> pairs -> a folder that IS the Hub repository.

    OUT/README.md                                      the dataset card, with `configs:`
    OUT/{dialogues,pairs,downstream}/SPLIT-*.parquet   the rows
    OUT/quality/report.json                            what came in, what went out, what was left out

The folder is written aside and renamed when it is whole; two runs over the same input give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
from datasets.exceptions import DatasetGenerationError

from dataset_builders import card
from dataset_builders.download import Progress, download, downloads_folder
from dataset_builders.errors import DataError
from dataset_builders.licenses import qualifies
from dataset_builders.normalize import group_ids, text_ids
from dataset_builders.own_data import OwnBuilder, write_rejects
from dataset_builders.pairs import CONTEXT_TURNS, MIN_WORDS, make_pairs
from dataset_builders.parquet import ShardWriter
from dataset_builders.raw_files import sha256
from dataset_builders.registry import builders, get_builder
from dataset_builders.schema import ALL, ARROW_SCHEMAS, CONFIGS, SPLITS, Config, Split
from dataset_builders.source import CorpusBuilder, SourceInfo
from dataset_builders.splits import assign_split

REPORT = Path("quality", "report.json")
FORMAT = "dialogue-cube dataset 1"
"""First value of the report: marks a folder as ours, so that a build may replace it."""

_ROWS_AT_ONCE = 2000

Writers = dict[tuple[Config, Split], ShardWriter]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildOptions:
    """What changes the rows. Written into the report and the card.

    Args:
        seed: Of the splits of sources that have none.
        min_words: Both sides of a pair have more words than this.
        own_min_words: The same for a user's own data: short answers are meant there.
        context_turns: Turns kept before the anchor of a pair.
        licenses: Keep only sources under these licences (`licenses.qualifies`); all when empty.
    """

    seed: int = 0
    min_words: int = MIN_WORDS
    own_min_words: int = 0
    context_turns: int = CONTEXT_TURNS
    licenses: tuple[str, ...] = ()


@dataclass
class Built:
    """What one source gave, counted while its rows were written.

    Attributes:
        info: The source's facts.
        config: Which of its configs.
        input_hash: Digest of its raw files and the code that read them.
        original: The source's own split name -> what was found (dialogues, utterances, ... or rows).
        written: Our split name -> what was written.
        languages: BCP 47 tags that occur in the rows.
        repeated: Records that the raw files hold twice, taken once.
        rejected: Records of own data that could not be used; they are in the rejects file.
    """

    info: SourceInfo
    config: str
    input_hash: str
    original: dict[str, Counter[str]] = field(default_factory=dict)
    written: dict[str, Counter[str]] = field(default_factory=dict)
    languages: set[str] = field(default_factory=set)
    repeated: int = 0
    rejected: int = 0

    def count(self, original_split: str, split: str, **amounts: int) -> None:
        """Add amounts to both tables."""
        self.original.setdefault(original_split, Counter()).update(amounts)
        self.written.setdefault(split, Counter()).update(amounts)

    def differences(self) -> list[str]:
        """Where the found counts differ from the official ones: `"train: 12,174 of 16,142 dialogues"`."""
        official = self.info.counts[self.config]
        found = [f"{self.repeated:,} repeated records left out"] if self.repeated else []
        for split, expected in official.items():
            for what, number in expected.items():
                have = self.original.get(split, Counter())[what]
                if have != number:
                    found.append(f"{split}: {have:,} of {number:,} {what}")
        return found


def build_dataset(
    names: Sequence[str],
    raw_dir: str | Path | None,
    out: str | Path,
    options: BuildOptions | None = None,
    own: Sequence[OwnBuilder] = (),
    num_proc: int | None = None,
    cache_dir: str | Path | None = None,
    download_progress: Progress | None = None,
    warn: Callable[[str], None] = logger.warning,
) -> list[Built]:
    """Build the dataset folder.

    Args:
        names: Sources as `NAME` or `NAME:CONFIG`; empty for every source that has a folder in `raw_dir`.
        raw_dir: Folder with one folder of raw files a source; None to download the named sources.
        out: The dataset folder; an earlier one of ours is replaced when the new one is whole.
        options: What changes the rows.
        own: A user's own data (`own_data.own_builders`), beside or instead of the sources. Records that cannot be used
            are written to `OUT.rejects.jsonl`, beside the folder and not into it: they hold private text.
        num_proc: Processes that parse the raw files of a source.
        cache_dir: Where `datasets` keeps parsed rows; its default cache when None.
        download_progress: Called while bytes of a download arrive.
        warn: Called with one line for each source whose counts differ from the official ones, or whose licence is not
            among the wanted.

    Returns:
        What each source gave, in the order written.

    Raises:
        DataError: Unknown name, missing or broken raw file, or `out` is a folder that we did not make.
    """
    options, out = options or BuildOptions(), Path(out)
    _check_replaceable(out)
    chosen: list[CorpusBuilder] = list(own)
    if names or raw_dir is not None or not own:
        raw = Path(raw_dir) if raw_dir is not None else _downloaded(names, options, download_progress)
        selected = _licensed(_select(names, raw), options.licenses, warn)
        chosen = [*(_open(choice, raw, cache_dir) for choice in selected), *own]
    with _written_aside(out) as folder:
        writers = {
            (config, split): ShardWriter(folder / config, split, ARROW_SCHEMAS[config])
            for config in CONFIGS
            for split in SPLITS
        }
        results = [_build_source(builder, writers, options, num_proc) for builder in chosen]
        files = [path for writer in writers.values() for path in writer.close()]
        for result in results:
            if different := result.differences():
                warn(f"{result.info.name}: counts differ from the official release: {'; '.join(different)}")
        _write_rejects(out, own, warn)
        fingerprint = _write_report(folder, results, options, files)
        card.write_card(folder, results, options, fingerprint)
    return results


def _select(names: Sequence[str], raw_dir: Path) -> list[tuple[str, str | None]]:
    """(source, config) in registry order."""
    if not raw_dir.is_dir():
        raise DataError(f"no raw folder {raw_dir}; `dialogue-cube download` or `dialogue-cube sample` makes one")
    if not names:
        present = [name for name in builders() if (raw_dir / name).is_dir()]
        if not present:
            raise DataError(f"{raw_dir}: no folder of a known source in it; expected one of {', '.join(builders())}")
        return [(name, None) for name in present]
    wanted: dict[str, str | None] = {}
    for text in names:
        name, _, config = text.partition(":")
        get_builder(name)
        if name in wanted:
            raise DataError(f"source {name} is named twice; its configs hold the same dialogues, choose one")
        wanted[name] = config or None
    return [(name, wanted[name]) for name in builders() if name in wanted]


def _downloaded(names: Sequence[str], options: BuildOptions, progress: Progress | None) -> Path:
    if not names:
        raise DataError("name the sources to download, or give --raw-dir; `dialogue-cube sources` lists them")
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


def _build_source(
    builder: CorpusBuilder,
    writers: Writers,
    options: BuildOptions,
    num_proc: int | None,
) -> Built:
    result = Built(builder.INFO, builder.config.name, builder.hash)
    seen: dict[str, str] = {}
    prepared = _prepared(builder, num_proc)
    if isinstance(builder, OwnBuilder):
        result.rejected = builder.tally.rejected
        options = replace(options, min_words=options.own_min_words)
    for split, rows in prepared.items():
        for table in rows.with_format("arrow").iter(_ROWS_AT_ONCE):
            table = _without_repeats(_with_cluster_ids(table), seen, result)
            result.languages.update(table["language"].unique().to_pylist())
            for part, chosen_split in _by_split(table, split, options.seed):
                if builder.INFO.kind == "dialogues":
                    _write_dialogues(part, chosen_split, writers, options, result)
                else:
                    _write_downstream(part, chosen_split, writers, result)
    return result


def _prepared(builder: CorpusBuilder, num_proc: int | None) -> dict[Split, datasets.Dataset]:
    """The source's rows from the cache of `datasets`, parsed when they are not there."""
    try:
        builder.download_and_prepare(num_proc=num_proc)
    except DatasetGenerationError as error:
        if isinstance(error, DataError):
            raise
        cause = error.__cause__ or error
        raise DataError(f"{builder.raw_dir}: {builder.INFO.name} could not be parsed: {cause}") from error
    return builder.as_dataset()


def _with_cluster_ids(table: pa.Table) -> pa.Table:
    """Dialogues of the same turns, but for case, punctuation and spacing, get the same `cluster_id`, in all sources."""
    if "cluster_id" not in table.column_names:
        return table
    turns = table["turns"].combine_chunks()
    texts = pc.struct_field(turns.flatten(), "text")
    ids = pa.array(group_ids(text_ids(texts), pc.list_value_length(turns).to_pylist()), pa.string())
    return table.set_column(table.column_names.index("cluster_id"), "cluster_id", ids)


def _without_repeats(table: pa.Table, seen: dict[str, str], result: Built) -> pa.Table:
    """Ids are unique: everything that joins rows relies on it. A record that is there twice is taken once."""
    content = table["cluster_id"] if "cluster_id" in table.column_names else table["utterance"]
    keep = []
    for row_id, said in zip(table.column(0).to_pylist(), content.to_pylist(), strict=True):
        keep.append(row_id not in seen)
        if seen.setdefault(row_id, said) != said:
            where = f"{result.info.name}: two different records have the id {row_id!r}"
            raise DataError(f"{where}; the raw folder mixes two releases, keep one")
    result.repeated += keep.count(False)
    return table if all(keep) else table.filter(pa.array(keep))


def _by_split(table: pa.Table, split: Split, seed: int) -> Iterator[tuple[pa.Table, Split]]:
    """The official split; a seeded one, by dialogue, for rows that have none."""
    if ALL not in table["original_split"].unique().to_pylist():
        yield table, split
        return
    assigned = pa.array([assign_split(row_id, seed) for row_id in table.column(0).to_pylist()])
    for name in SPLITS:
        part = table.filter(pc.equal(assigned, name))
        if len(part):
            yield part, name


def _write_dialogues(
    table: pa.Table,
    split: Split,
    writers: Writers,
    options: BuildOptions,
    result: Built,
) -> None:
    spoken = pc.greater(pc.list_value_length(table["turns"]), 0)
    silent = len(table) - (pc.sum(spoken).as_py() or 0)
    if silent:  # every turn of the raw dialogue was empty
        result.written.setdefault(split, Counter()).update(empty_dialogues=silent)
        table = table.filter(spoken)
    pairs = make_pairs(table, options.min_words, options.context_turns)
    writers["dialogues", split].write(table.cast(ARROW_SCHEMAS["dialogues"]))
    writers["pairs", split].write(pairs.table)
    result.written.setdefault(split, Counter()).update(pairs=len(pairs.table), pairs_too_short=pairs.too_short)
    for original_split in table["original_split"].unique().to_pylist():
        part = table.filter(pc.equal(table["original_split"], original_split))
        speakers = pc.struct_field(pc.list_flatten(part["turns"]), "speaker")
        user = pc.sum(pc.equal(speakers, "user")).as_py() or 0
        result.count(
            original_split,
            split,
            dialogues=len(part),
            utterances=len(speakers),
            user=user,
            system=len(speakers) - user,
            empty=pc.sum(part["empty_turns"]).as_py() or 0,
        )


def _write_downstream(table: pa.Table, split: Split, writers: Writers, result: Built) -> None:
    writers["downstream", split].write(table.cast(ARROW_SCHEMAS["downstream"]))
    for entry in table["original_split"].value_counts().to_pylist():
        result.count(entry["values"], split, rows=entry["counts"])


def _write_rejects(out: Path, own: Sequence[OwnBuilder], warn: Callable[[str], None]) -> None:
    rejects = out.with_name(f"{out.name}.rejects.jsonl")
    skipped = own[0].data.skipped if own else []  # the builders of a path share its files
    left_out = [*skipped, *(record for builder in own for record in builder.rejected())]
    if left_out:
        write_rejects(rejects, left_out)
        warn(f"your data: {len(left_out):,} bad records were left out; {rejects} says where and why")
    else:
        rejects.unlink(missing_ok=True)


def _write_report(folder: Path, results: list[Built], options: BuildOptions, files: list[Path]) -> str:
    """Write the report; returns the fingerprint of all rows."""
    digests = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(files)}
    fingerprint = hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]
    report: dict[str, Any] = {
        "format": FORMAT,
        "version": version("dialogue-cube"),
        "fingerprint": fingerprint,
        "options": asdict(options),
        "sources": {
            r.info.name: {
                "config": r.config,
                "license": r.info.license,
                "redistributable": r.info.redistributable,
                "input_hash": r.input_hash,
                "differs_from_official": r.differences(),
                "rejected": r.rejected,
                "original_splits": r.original,
                "splits": r.written,
            }
            for r in results
        },
        "files": digests,
    }
    path = folder / REPORT
    path.parent.mkdir()
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return fingerprint


def _check_replaceable(out: Path) -> None:
    """Only an absent or empty folder, or one of ours, may be written over."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        ours = json.loads((out / REPORT).read_text(encoding="utf-8")).get("format", "").startswith("dialogue-cube")
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        raise DataError(f"{out} exists and was not made by `dialogue-cube build`; name another folder for --out")


@contextmanager
def _written_aside(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out` that takes its place at the end, or vanishes when anything fails."""
    out = out.resolve()
    aside = out.parent / f".{out.name}.building"
    shutil.rmtree(aside, ignore_errors=True)  # left by a run that was killed
    aside.mkdir(parents=True)
    try:
        yield aside
        if out.exists():
            old = out.parent / f".{out.name}.replaced"
            shutil.rmtree(old, ignore_errors=True)
            out.rename(old)
            aside.rename(out)
            shutil.rmtree(old)
        else:
            aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
