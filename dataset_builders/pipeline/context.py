"""The context that all steps of a run share: config, paths, stamps, and rows that are in memory already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders.common.errors import DataError
from dataset_builders.pipeline.config import PipelineConfig
from dataset_builders.pipeline.digests import FileDigests
from dataset_builders.pipeline.steps import Stamps
from dataset_builders.sources.registry import get_builder, select_sources

if TYPE_CHECKING:
    from dataset_builders.common.decisions import RowDecisions
    from dataset_builders.common.executor import Executor
    from dataset_builders.corpus.options import BuildOptions
    from dataset_builders.own_data import OwnBuilder
    from dataset_builders.pairs.encoder import Encoder
    from dataset_builders.sources.source import CorpusBuilder
    from dataset_builders.survey.parsed import ParsedSource

OWN = "own"
"""Name of a user's own data among the sources; no public source has this name."""


@dataclass(frozen=True)
class Layout:
    """Paths in the folder of the results.

    Args:
        out: The folder of the results.
    """

    out: Path

    @property
    def dataset(self) -> Path:
        """The dataset folder, in the layout of the Hub repository."""
        return self.out / "dataset"

    @property
    def database(self) -> Path:
        """The database that the dashboard opens."""
        return self.out / "corpus.duckdb"

    @property
    def core(self) -> Path:
        """The trained core."""
        return self.out / "core"

    def evaluation(self, name: str) -> Path:
        """The results of an evaluation."""
        return self.out / "evaluation" / f"{name}.json"

    @property
    def own(self) -> Path:
        """The pipeline's own files: stamps, fragments, log. Deleting them only costs time."""
        return self.out / "pipeline"


@dataclass
class Context:
    """One run of the pipeline.

    Args:
        config: Config of the run.
        place: Paths of the results.
        stamps: Stamps of finished steps.
        files: Digests of files.
        progress: Called with the current task of a step, and the numbers of finished and of all parts.
        warn: Called with each warning.
        resources: What is open until the end of the run.
    """

    config: PipelineConfig
    place: Layout
    stamps: Stamps
    files: FileDigests
    progress: Callable[[str, int, int], None] = lambda *_: None
    warn: Callable[[str], None] = lambda _: None
    resources: ExitStack = field(default_factory=ExitStack)
    _parsed: dict[str, list[ParsedSource]] = field(default_factory=dict)
    _own: list[OwnBuilder] = field(default_factory=list)
    _decisions: RowDecisions | None = None
    _encoder: Encoder | None = None
    _executor: Executor | None = None

    def sources(self) -> dict[str, str | None]:
        """The config of each source by its name, None for the default; `OWN` is own data.

        Raises:
            DataError: A name is unknown or repeated, or no source has a suitable licence.
        """
        config = self.config
        sources: dict[str, str | None] = {}
        if config.sources or config.raw_dir is not None or config.own is None:
            sources = dict(select_sources(config.sources, config.raw_dir))
        if config.licenses and sources:
            from dataset_builders.licenses import qualifies

            licenses = {name: get_builder(name).INFO.license for name in sources}
            for name, license in licenses.items():
                if not qualifies(license, config.licenses):
                    self.warn(f"{name}: left out, its licence is {license}")
                    del sources[name]
            if not sources:
                raise DataError(f"no source is left under the licences {', '.join(config.licenses)}")
        return sources | ({OWN: None} if config.own else {})

    def raw_folder(self, name: str) -> Path:
        """The folder of a source's raw files, or the folder to download them to."""
        if self.config.raw_dir is not None:
            return self.config.raw_dir / name
        from dataset_builders.sources.download import downloads_folder

        return downloads_folder() / name

    def open(self, name: str, config: str | None) -> list[CorpusBuilder]:
        """The builder of a source, or the one or two builders of own data."""
        if name == OWN:
            return list(self.own_builders())
        return [get_builder(name)(data_dir=self.raw_folder(name), config_name=config)]

    def own_builders(self) -> list[OwnBuilder]:
        """The builders of own data, always the same ones: they know where the rejected records are."""
        assert self.config.own is not None
        if not self._own:
            self._own = self.config.own.builders()
        return self._own

    def parsed(self, name: str, config: str | None) -> list[ParsedSource]:
        """The rows of a source, from this run, the cache or the raw files."""
        from dataset_builders.common.storage import Storage
        from dataset_builders.survey.parsed import parse

        if name not in self._parsed:
            self.progress(f"reading {name}", 0, 1)
            self._parsed[name] = []
            for builder in self.open(name, config):
                # the cache is on this machine
                shared = Storage(str(self.place.own / "parsed" / f"{builder.INFO.name}-{builder.hash}"))
                storage = shared if self.config.ray_address else None
                self._parsed[name].append(parse(builder, self.executor(), storage))
        return self._parsed[name]

    def executor(self) -> Executor:
        """Where the tasks of the steps run, opened once; `resources` closes it."""
        from dataset_builders.common.execution import open_executor
        from dataset_builders.common.storage import Storage

        if self._executor is None:
            config, shared = self.config, Storage(str(self.place.own))
            opened = open_executor(
                config.executor, config.num_proc, config.ray_address, shared if config.ray_address else None
            )
            self._executor = self.resources.enter_context(opened)
        return self._executor

    def options(self) -> BuildOptions:
        """The options of the build.

        Raises:
            DataError: The quality config or the file of decisions is wrong, or hard negatives lack an encoder.
        """
        from dataset_builders.corpus.options import build_options

        return build_options(self.config.dataset, self.config, self.decisions())

    def decisions(self) -> RowDecisions:
        """The decisions about rows, read once: somebody may add some during the run."""
        from dataset_builders.common.decisions import RowDecisions, read_decisions

        if self._decisions is None:
            path = self.config.dataset.decisions
            self._decisions = read_decisions(path) if path else RowDecisions()
        return self._decisions

    def encoder(self) -> Encoder | None:
        """The encoder for relatedness and hard negatives, loaded once; None without one."""
        from dataset_builders.pairs.encoder import load_encoder

        if self._encoder is None and self.config.dataset.encoder:
            self._encoder = load_encoder(self.config.dataset.encoder)
        return self._encoder

    def encoder_inputs(self, label: str, name: str | None) -> Mapping[str, str]:
        """Inputs of a step that uses an encoder: its name and, for a folder, its files."""
        if name is None:
            return {}
        folder = Path(name).expanduser()
        return {label: name} | (self.files.below(folder, f"{label} file") if folder.is_dir() else {})


def versions(*packages: str) -> Iterator[tuple[str, str]]:
    """Inputs of a step that uses these packages: their versions."""
    return ((f"version of {package}", version(package)) for package in packages)
