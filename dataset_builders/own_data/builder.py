"""Own data as `datasets` builders: it flows through the same path as every corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import orjson

from dataset_builders.common.errors import DataError
from dataset_builders.licenses import LICENSES
from dataset_builders.own_data.data import OwnData
from dataset_builders.own_data.own_file import OwnFile
from dataset_builders.own_data.rejects import Rejected, Tally, check_share, read_rejects, rejects_file
from dataset_builders.schema import Dialogue, Utterance
from dataset_builders.sources.raw_files import RawFile
from dataset_builders.sources.source import CorpusBuilder, DialogueBuilder, IntentBuilder, SourceInfo

PRIVATE = "LicenseRef-private"
"""Own data is the user's to use and nobody's to publish, unless the user says otherwise."""


class OwnBuilder(CorpusBuilder):
    """The files of own data that hold one kind of rows; see `own_builders`.

    Args:
        data: What `load` gave.
        info: Name, language and licence.
        cache_dir: Where `datasets` keeps prepared rows. The key covers the bytes of the files, the options, the info
            and this code. Beside the rows lie the rejected records and the counts: they are made together, found
            together, and deleted together.
    """

    def __init__(self, data: OwnData, info: SourceInfo, cache_dir: str | Path | None = None) -> None:
        self.INFO, self.data, self.raw_dir = info, data, data.path
        own = [file for file in data.files if file.is_intents == (info.kind == "downstream")]
        self.own_files = {file.file: file for file in own}
        self.split_files: dict[str, list[RawFile]] = {}
        for file in own:
            self.split_files.setdefault(file.split, []).append(file.file)
        datasets.ArrowBasedBuilder.__init__(
            self,
            cache_dir=str(cache_dir) if cache_dir else None,
            dataset_name=info.name,
            config_name=info.default_config,
            hash=self._input_hash(set(self.own_files)),
        )

    def download_and_prepare(self, *args: Any, **kwargs: Any) -> None:
        """As in `datasets`; the share of bad records is checked also when the rows come from the cache.

        Raises:
            DataError: More records are bad than `max_bad_share`, or all.
        """
        super().download_and_prepare(*args, **kwargs)
        check_share(self.data.path, self.tally, self.rejected(), self.data.max_bad_share)

    def rejected(self) -> Iterator[Rejected]:
        """What was left out of the prepared rows, in the order of the files."""
        for file in self.own_files:
            yield from read_rejects(self._beside_rows(file, "rejects"))

    @property
    def tally(self) -> Tally:
        """The counts of the prepared rows."""
        counts = (orjson.loads(self._beside_rows(file, "tally").read_bytes()) for file in self.own_files)
        return sum((Tally(**count) for count in counts), Tally())

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The rows of one file; its rejected records go into the folder that becomes the cache entry."""
        tally, own = Tally(), self.own_files[file]
        with rejects_file(self._beside_rows(file, "rejects")) as add:
            for event in own.read(tally):
                if isinstance(event, Rejected):
                    add(event)
                else:
                    yield event
        self._beside_rows(file, "tally").write_bytes(orjson.dumps(tally))

    def parse(self, record: Dialogue | Utterance, file: RawFile, split: str) -> Iterator[Dialogue | Utterance]:
        """The record is a row already."""
        yield record

    def _beside_rows(self, file: RawFile, what: str) -> Path:
        # while rows are prepared, `datasets` has `_output_dir` point at the folder that it renames when all are there
        place = hashlib.sha256(file.name.encode()).hexdigest()[:16]
        return Path(self._output_dir) / f"{what}-{place}.jsonl"

    def _compare(self) -> str:
        return "this is a fault of the reader"

    def _input_hash(self, used: set[RawFile]) -> str:
        digest = hashlib.sha256(super()._input_hash(used).encode())
        for module in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(module.read_bytes())
        forms: list[OwnFile] = list(self.own_files.values())
        digest.update(repr((asdict(self.INFO), forms)).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()[:32]


class OwnDialogues(OwnBuilder, DialogueBuilder):
    """Own pairs and dialogues."""


class OwnIntents(OwnBuilder, IntentBuilder):
    """Own labelled utterances."""


def own_builders(data: OwnData, *, license: str = PRIVATE, cache_dir: str | Path | None = None) -> list[OwnBuilder]:
    """The builders of own data: of its dialogues, of its intents, or of both.

    Where a path holds both, the intents are a source of their own, `NAME-intents`, as names of sources are unique.

    Args:
        data: What `load` gave.
        license: Id in `licenses.LICENSES`. The default keeps the rows from being published.
        cache_dir: Where `datasets` keeps prepared rows; its default when None.

    Raises:
        DataError: The licence is not known, or the name is that of a public source.
    """
    from dataset_builders.sources.registry import builders

    if license not in LICENSES:
        raise DataError(f"no licence {license!r}; expected one of {', '.join(LICENSES)}")
    kinds: dict[bool, type[OwnBuilder]] = {False: OwnDialogues, True: OwnIntents}
    present = [is_intents for is_intents in kinds if any(f.is_intents == is_intents for f in data.files)]
    made = []
    for is_intents in present:
        name = f"{data.name}-intents" if is_intents and len(present) == 2 else data.name
        if name in builders():
            raise DataError(f"{name} is a public source; give your own data another name (--name)")
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
        )
        made.append(kinds[is_intents](data, info, cache_dir))
    return made
