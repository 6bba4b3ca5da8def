"""Base classes of the sources: `datasets` builders that turn raw files into rows.

A new source is one file in `pretrain/` or `downstream/`: a subclass of `DialogueBuilder` or `IntentBuilder` with an
`INFO`, a method `files` that returns the raw files of each split, and a generator `parse` from a raw record to rows.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import inspect
import itertools
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.builder import Key

from dataset_builders import licenses, schema
from dataset_builders.arrow.lists import empty_lists
from dataset_builders.common.errors import DataError
from dataset_builders.schema import ALL, Dialogue, Utterance
from dataset_builders.sources import columns as column_arrays
from dataset_builders.sources import info as source_info
from dataset_builders.sources import raw_files, readers
from dataset_builders.sources import terms as term_tables
from dataset_builders.sources.columns import column, trim_turn, turns_column
from dataset_builders.sources.info import SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import RawDataError, read_json
from dataset_builders.sources.terms import Terms

# common names of the three splits; a source with other names overrides `split_name`
SPLIT_NAMES = {
    "train": "train",
    "dev": "validation",
    "val": "validation",
    "validate": "validation",
    "validation": "validation",
    "test": "test",
    ALL: "train",
}

NO_LABEL = "none"
"""`label` of an utterance with an empty list of labels."""

_ROWS_PER_TABLE = 1000

_SHOWN = 300
"""Characters of a message that quotes a value."""


def _one_line(error: Exception) -> str:
    """The message of an error that quotes a value of a raw file, which may be pages long."""
    return " ".join(str(error).split())[:_SHOWN]


class CorpusBuilder(datasets.ArrowBasedBuilder):
    """A `datasets` builder for a folder of raw files, the base of `DialogueBuilder` and `IntentBuilder`.

    Args:
        data_dir: Raw folder of the source.
        config_name: One of `INFO.configs`; None for the default.
        cache_dir: Folder where `datasets` caches parsed rows. The cache key covers the parser's code and every input
            byte, so that changed code or input never gives stale rows.

    Raises:
        DataError: The config is unknown, or the folder contains no raw file of this source.

    Example:
        >>> builder = Woz(data_dir="raw/woz", config_name="en")     # doctest: +SKIP
        >>> builder.download_and_prepare(); builder.as_dataset("test")  # doctest: +SKIP
    """

    INFO: SourceInfo
    BUILDER_CONFIG_CLASS = datasets.BuilderConfig
    rows_folder: Path | None = None
    """Folder of the rows that `survey.parsed.parse` writes; what belongs to them is kept beside them."""
    SPLITS_BY_ROW = False
    """Whether `original_split` decides the split of a row, rather than the file that it is in."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for module in (cls.__module__, __name__):
            # else `datasets` replaces `open` and others there, to read remote files, and imports scipy for it
            vars(sys.modules[module])["_patched_for_streaming"] = True
        if "INFO" in cls.__dict__:
            cls.BUILDER_CONFIGS = [datasets.BuilderConfig(name=name, version="1.0.0") for name in cls.INFO.configs]
            cls.DEFAULT_CONFIG_NAME = cls.INFO.default_config

    def __init__(
        self,
        data_dir: str | Path,
        config_name: str | None = None,
        cache_dir: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        info, self.raw_dir = self.INFO, Path(data_dir)
        config = config_name or info.default_config
        if config not in info.configs:
            raise DataError(f"source {info.name} has no config {config!r}; it has: {', '.join(info.configs)}")
        if not self.raw_dir.is_dir():
            raise DataError(f"no raw folder {self.raw_dir} for source {info.name}; {info.where_to_get(config)}")
        raw = RawFolder(self.raw_dir)
        try:
            split_files = self.files(raw, config)
        except DataError:
            raise
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise RawDataError(
                f"{self.raw_dir}: a list of files is not in the expected form ({_one_line(error)}); {self._compare()}"
            ) from error
        self.split_files = {split: files for split, files in split_files.items() if files}
        if not self.split_files:
            raise DataError(f"{self.raw_dir}: {self.missing(split_files, config)}; {info.where_to_get(config)}")
        super().__init__(
            cache_dir=str(cache_dir) if cache_dir else None,
            dataset_name=info.name,
            config_name=config,
            hash=self._input_hash(raw.used),
            **kwargs,
        )

    # --- methods that a source overrides ------------------------------------------------------------------------

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """Raw files of each of the source's own splits, in reading order; a file may belong to several splits."""
        raise NotImplementedError

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Raw records of a file, by default the items of a JSON list."""
        records = read_json(file)
        if not isinstance(records, list):
            raise RawDataError(f"{file}: expected a JSON list of records, found {type(records).__name__}")
        return records

    def parse(self, record: Any, file: RawFile, split: str) -> Iterable[Dialogue | Utterance]:
        """Rows of a raw record. It may raise on missing keys and wrong types; the error will name file and record."""
        raise NotImplementedError

    def missing(self, split_files: dict[str, list[RawFile]], config: str) -> str:
        """Error message for a folder without usable raw files.

        Args:
            split_files: Result of `files`, without any file.
            config: Name of the config.
        """
        paths = sorted({f.path for f in self.INFO.files_of(config)})
        shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        return f"no raw file of {self.INFO.name} ({config}) here; expected {shown}"

    def check_rows(self) -> None:
        """Check the rows once they are parsed, or found in the cache; own data refuse a share of bad records."""

    def rejected_count(self) -> int:
        """Number of records that could not be used, once the rows are parsed; own data have such."""
        return 0

    # --- methods that `datasets` calls --------------------------------------------------------------------------

    def _info(self) -> datasets.DatasetInfo:
        info = self.INFO
        return datasets.DatasetInfo(
            description=info.title,
            features=schema.FEATURES[info.kind],
            homepage=info.homepage,
            license=info.license,
            citation=info.citation,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        shards: dict[str, list[tuple[RawFile, str]]] = {}
        for split, files in self.split_files.items():
            shards.setdefault(self.split_name(split), []).extend((file, split) for file in files)
        return [
            datasets.SplitGenerator(name=name, gen_kwargs={"shards": shards[name]})
            for name in schema.SPLITS
            if name in shards
        ]

    def as_dataset(self, split: Any = None, **kwargs: Any) -> Any:
        """As in `datasets`; without `split`, all splits with rows (those of a partial raw folder may be empty)."""
        if split is not None:
            return super().as_dataset(split=split, **kwargs)
        names = [name for name, info in (self.info.splits or {}).items() if info.num_examples]
        return datasets.DatasetDict({name: super(CorpusBuilder, self).as_dataset(name, **kwargs) for name in names})

    def split_name(self, original_split: str) -> str:
        """`train`, `validation` or `test` for the source's own split name; `train` for `ALL`, which is split later."""
        return SPLIT_NAMES[original_split]

    def _generate_tables(self, shards: list[tuple[RawFile, str]]) -> Iterator[tuple[Key, pa.Table]]:
        arrow_schema = schema.ARROW_SCHEMAS[self.INFO.kind]
        rows = ((file, row) for file, split in shards for row in self._rows(file, split))
        with _without_garbage_collection():
            # a table has rows of several files: some sources have a file for each dialogue
            for number in itertools.count():
                if not (chunk := list(itertools.islice(rows, _ROWS_PER_TABLE))):
                    return
                try:
                    columns = self.columns([row for _, row in chunk]) | self._constants(len(chunk))
                    table = pa.table(
                        [column(columns.get(field.name), field, len(chunk)) for field in arrow_schema], arrow_schema
                    )
                except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, AttributeError) as error:
                    first, last = chunk[0][0], chunk[-1][0]
                    place = f"{first}" if first == last else f"{first} to {last.name}"
                    raise RawDataError(f"{place}: a value has the wrong type ({_one_line(error)})") from error
                yield Key(0, number), table

    def _rows(self, file: RawFile, split: str) -> Iterator[Any]:
        """The results of `parse` that have a text, trimmed."""
        number = 0
        try:
            for number, record in enumerate(self.records(file, split), start=1):  # noqa: B007  for error messages
                for row in self.parse(record, file, split):
                    if trimmed := self.trim(row):
                        yield trimmed
        except DataError as error:
            raise RawDataError(" ".join(str(error).splitlines())) from error
        except KeyError as error:
            raise RawDataError(f"{file}: record {number}: no key {_one_line(error)}; {self._compare()}") from error
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            raise RawDataError(
                f"{file}: record {number}: not in the expected form ({_one_line(error)}); {self._compare()}"
            ) from error

    def trim(self, parsed: Any) -> Any:
        """Trim the texts of a result of `parse`; None if it is no row."""
        raise NotImplementedError

    def columns(self, rows: list[Any]) -> dict[str, Any]:
        """Columns of the schema, as arrays or lists, from n results of `trim`; those left out are null."""
        raise NotImplementedError

    def _constants(self, count: int) -> dict[str, Any]:
        """Columns with the same value in each of the source's rows."""
        info = self.INFO
        return {
            "source": pa.repeat(info.name, count),
            "flags": empty_lists(count),
            "license": pa.repeat(info.license, count),
            "redistributable": pa.repeat(info.redistributable, count),
        }

    def _compare(self) -> str:
        return f"compare it with the official file ({self.INFO.homepage})"

    def _input_hash(self, used: set[RawFile]) -> str:
        """Digest of the raw files and of the code that parses them."""
        digest = hashlib.sha256()
        own, base = sys.modules[type(self).__module__], sys.modules[__name__]
        for module in (own, base, source_info, schema, licenses, readers, raw_files, column_arrays, term_tables):
            digest.update(inspect.getsource(module).encode())
        if self.INFO.terms:
            digest.update(self.INFO.terms.read_bytes())
        for file in sorted(used, key=lambda f: f.name):
            digest.update(f"{file.name}\0{raw_files.sha256(file.path)}\n".encode())
        return digest.hexdigest()[:32]


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Pause garbage collection, which would halve the speed: parsed JSON is millions of objects without cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class DialogueBuilder(CorpusBuilder):
    """Base of the dialogue sources: `parse` yields `Dialogue` objects."""

    @functools.cached_property
    def terms(self) -> Terms:
        """The source's acts, domains and slots in words that all sources share."""
        return Terms.read(self.INFO.terms)

    def trim(self, parsed: Dialogue) -> tuple[Dialogue, int]:
        """Trim the turns and omit those without a visible character; returns the dialogue and their number."""
        turns = [turn for turn in parsed.turns if trim_turn(turn)]
        empty = len(parsed.turns) - len(turns)
        parsed.turns = turns
        return parsed, empty

    def columns(self, rows: list[tuple[Dialogue, int]]) -> dict[str, Any]:
        """Columns of the `dialogues` config."""
        info = self.INFO
        dialogues = [dialogue for dialogue, _ in rows]
        return {
            "dialogue_id": [f"{info.name}/{d.id}" for d in dialogues],
            "original_id": [d.original_id or d.id for d in dialogues],
            "original_split": [d.split for d in dialogues],
            "language": [d.language or info.languages[0] for d in dialogues],
            "domains": [d.domains for d in dialogues],
            "common_domains": self.terms.of_lists("domain", [d.domains for d in dialogues]),
            "scenario": [d.scenario for d in dialogues],
            "turns": turns_column([d.turns for d in dialogues], self.terms),
            "empty_turns": [empty for _, empty in rows],
            # `cluster_id` is set by the build, which compares all sources
            "parallel_id": [d.parallel_id for d in dialogues],
            "origin": [d.origin or info.origin for d in dialogues],
            "metadata": [d.metadata for d in dialogues],
            "source_version": pa.repeat(info.configs[self.config.name], len(rows)),
        }


class IntentBuilder(CorpusBuilder):
    """Base of the intent sets: `parse` yields `Utterance` objects."""

    def trim(self, parsed: Utterance) -> Utterance | None:
        """Trim the text; None without a visible character, which the counts reveal."""
        parsed.text = parsed.text.strip()
        return parsed if parsed.text else None

    def columns(self, rows: list[Utterance]) -> dict[str, Any]:
        """Columns of the `downstream` config."""
        info = self.INFO
        # in one order, so that rows with the same intents have the same label
        labels = [[u.label] if isinstance(u.label, str) else sorted(set(u.label)) for u in rows]
        return {
            "utterance_id": [f"{info.name}/{u.split}/{u.id}" for u in rows],
            "utterance": [u.text for u in rows],
            "label": [f"{info.name}/{'+'.join(each) or NO_LABEL}" for each in labels],
            "labels": [[f"{info.name}/{label}" for label in each] for each in labels],
            "scenario": [u.scenario for u in rows],
            "is_out_of_scope": [u.is_out_of_scope for u in rows],
            "language": [u.language or info.languages[0] for u in rows],
            "original_split": [u.split for u in rows],
            "parallel_id": [u.parallel_id for u in rows],
            "origin": [u.origin or info.origin for u in rows],
            "metadata": [u.metadata for u in rows],
        }
