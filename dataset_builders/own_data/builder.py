"""`datasets` builders for own data, so that `build` treats it like any source."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import datasets
import orjson
import pyarrow as pa

from dataset_builders.common.errors import DataError
from dataset_builders.licenses import LICENSES
from dataset_builders.own_data.data import OwnData
from dataset_builders.own_data.pair import Pair, pair_columns, repeated
from dataset_builders.own_data.reading import read_light_rows
from dataset_builders.own_data.rejects import Rejected, Tally, check_share, read_rejects, rejects_file
from dataset_builders.schema import ALL, Dialogue, Utterance
from dataset_builders.sources.info import SourceInfo
from dataset_builders.sources.raw_files import RawFile
from dataset_builders.sources.source import CorpusBuilder, DialogueBuilder, IntentBuilder

PRIVATE = "LicenseRef-private"
"""Default licence of own data: not to be published unless the user states another licence."""


class OwnBuilder(CorpusBuilder):
    """Builder for those files of own data that hold one kind of rows; see `own_builders`.

    Args:
        data: Own data from `load`.
        info: Name, language and licence of the source.
        cache_dir: Cache folder of `datasets`. The cache key covers the bytes of the files, the options, `info` and
            the code of this package. The rejected records and the counts are part of the cache entry.
    """

    SPLITS_BY_ROW = True

    def __init__(self, data: OwnData, info: SourceInfo, cache_dir: str | Path | None = None) -> None:
        self.INFO, self.data, self.raw_dir = info, data, data.path
        own = [file for file in data.files if file.is_intents == (info.kind == "downstream")]
        self.own_files = {file.file: file for file in own}
        self.split_files: dict[str, list[RawFile]] = {ALL: [file.file for file in own]}
        datasets.ArrowBasedBuilder.__init__(
            self,
            cache_dir=str(cache_dir) if cache_dir else None,
            dataset_name=info.name,
            config_name=info.default_config,
            hash=self._input_hash({file for each in own for file in each.files}),
        )

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """Prepare the rows, and check the share of bad records even if the rows come from the cache.

        Raises:
            DataError: All records are bad, or more than `max_bad_share`.
        """
        super().download_and_prepare(*args, **kwargs)
        self.check_rows()

    def check_rows(self) -> None:
        """Check the share of bad records.

        Raises:
            DataError: All records are bad, or more than `max_bad_share`.
        """
        check_share(self.data.path, self.tally, self.rejected(), self.data.max_bad_share)

    def rejected(self) -> Iterator[Rejected]:
        """The rejected records, in the order of the files; none before the rows are prepared."""
        for file in self.own_files:
            rejects = self._beside_rows(file, "rejects")
            if rejects.exists() or (rejects := self._broken_off(file)).exists():
                yield from read_rejects(rejects)

    def rejected_count(self) -> int:
        """Number of rejected records."""
        return self.tally.rejected

    @property
    def tally(self) -> Tally:
        """The counts of the prepared rows."""
        counts = (orjson.loads(self._beside_rows(file, "tally").read_bytes()) for file in self.own_files)
        return sum((Tally(**count) for count in counts), Tally())

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The rows of one file; writes its rejected records and counts into the cache entry."""
        tally, own, rejects = Tally(), self.own_files[file], self._beside_rows(file, "rejects")
        self._broken_off(file).unlink(missing_ok=True)
        try:
            with rejects_file(rejects) as add:
                for event in read_light_rows(own, tally):
                    if isinstance(event, Rejected):
                        add(event)
                    else:
                        yield event
        except DataError:  # `datasets` deletes the folder of an entry that is not complete
            shutil.copyfile(rejects, self._broken_off(file))
            raise
        self._beside_rows(file, "tally").write_bytes(orjson.dumps(tally))

    def parse(self, record: Dialogue | Utterance | Pair, file: RawFile, split: str) -> Iterable[Any]:
        """The record itself, which already is a row."""
        return (record,)

    def _broken_off(self, file: RawFile) -> Path:
        """File for the rejected records of a file whose reading fails."""
        digest = hashlib.sha256(f"{self.hash}{file.name}".encode()).hexdigest()[:16]
        return Path(self._cache_dir_root) / f"{self.INFO.name}-{digest}.rejects.jsonl"

    def _beside_rows(self, file: RawFile, what: str) -> Path:
        # while it prepares rows, `datasets` points `_output_dir` at the temporary folder that it renames at the end
        digest = hashlib.sha256(file.name.encode()).hexdigest()[:16]
        return Path(self.rows_folder or self._output_dir) / f"{what}-{digest}.jsonl"

    def _compare(self) -> str:
        return "please report this as a bug"

    def _input_hash(self, used: set[RawFile]) -> str:
        digest = hashlib.sha256(super()._input_hash(used).encode())
        for module in sorted(Path(__file__).parent.rglob("*.py")):
            digest.update(module.read_bytes())
        digest.update(repr((asdict(self.INFO), list(self.own_files.values()))).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()[:32]


class OwnDialogues(OwnBuilder, DialogueBuilder):
    """Builder for own pairs and dialogues."""

    _alike: Mapping[str, pa.Array] = MappingProxyType({})

    def trim(self, parsed: Dialogue | Pair) -> Any:
        """As in the base class; a pair stays one if nothing of it has to be trimmed."""
        if isinstance(parsed, Pair):
            if parsed.is_trimmed():
                return parsed
            parsed = parsed.dialogue()
        return super().trim(parsed)

    def columns(self, rows: list[Any]) -> dict[str, Any]:
        """As in the base class."""
        if not all(isinstance(row, Pair) for row in rows):
            return super().columns([(row.dialogue(), 0) if isinstance(row, Pair) else row for row in rows])
        if len(self._alike.get("turns", ())) != len(rows):  # tables have equally many rows, but for the last
            self._alike = repeated(super().columns([(rows[0].dialogue(), 0)]), len(rows))
        return pair_columns(self.INFO.name, rows, self._alike)


class OwnIntents(OwnBuilder, IntentBuilder):
    """Builder for own labelled utterances."""


def own_builders(data: OwnData, *, license: str = PRIVATE, cache_dir: str | Path | None = None) -> list[OwnBuilder]:
    """The builders for own data: one for its dialogues, one for its intents, or both.

    Names of sources are unique: if the data holds both kinds, the intents become a source called `NAME-intents`.

    Args:
        data: Own data from `load`.
        license: Id in `licenses.LICENSES`. The default prevents publication.
        cache_dir: Cache folder of `datasets`; None takes its default.

    Raises:
        DataError: The licence is unknown, or a public source has the same name.
    """
    from dataset_builders.sources.registry import builders

    if license not in LICENSES:
        raise DataError(f"unknown licence {license!r}; expected one of {', '.join(LICENSES)}")
    kinds: dict[bool, type[OwnBuilder]] = {False: OwnDialogues, True: OwnIntents}
    present = [is_intents for is_intents in kinds if any(f.is_intents == is_intents for f in data.files)]
    result = []
    for is_intents in present:
        name = f"{data.name}-intents" if is_intents and len(present) == 2 else data.name
        if name in builders():
            raise DataError(f"{name} is the name of a public source; rename your own data (--name)")
        info = SourceInfo(
            name=name,
            title=f"Own data: {name}",
            kind="downstream" if is_intents else "dialogues",
            languages=(data.language,),
            license=license,
            license_evidence="as stated by the owner of the data",
            homepage="",
            citation="",
            counts={"own": {}},
            configs={"own": "1.0"},
            origin=None,
        )
        result.append(kinds[is_intents](data, info, cache_dir))
    return result
