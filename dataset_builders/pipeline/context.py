"""What all steps of a run share: where things lie, what is chosen, and rows that are in memory already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    from dataset_builders.corpus.options import BuildOptions
    from dataset_builders.own_data import OwnBuilder
    from dataset_builders.pairs.encoder import Encoder
    from dataset_builders.sources.source import CorpusBuilder
    from dataset_builders.survey.parsed import ParsedSource

OWN = "own"
"""Name of a user's own data among the sources; no public source has it."""


@dataclass(frozen=True)
class Layout:
    """Where things lie in the folder of the results.

    Args:
        out: That folder.
    """

    out: Path

    @property
    def dataset(self) -> Path:
        """The dataset folder, laid out as the Hub repository."""
        return self.out / "dataset"

    @property
    def database(self) -> Path:
        """What the dashboard opens."""
        return self.out / "corpus.duckdb"

    @property
    def core(self) -> Path:
        """The trained core."""
        return self.out / "core"

    def evaluation(self, name: str) -> Path:
        """The figures of an evaluation."""
        return self.out / "evaluation" / f"{name}.json"

    @property
    def own(self) -> Path:
        """The pipeline's own things: stamps, kept rows, log. Without it only time is lost."""
        return self.out / "pipeline"


@dataclass
class Context:
    """One run of the pipeline.

    Args:
        config: What is wanted.
        place: Where things lie.
        stamps: Of finished steps.
        files: Digests of files.
        progress: Told what goes on within a step.
        warn: Told what a person should know.
    """

    config: PipelineConfig
    place: Layout
    stamps: Stamps
    files: FileDigests
    progress: Callable[[str, int, int], None] = lambda *_: None
    warn: Callable[[str], None] = lambda _: None
    _parsed: dict[str, list[ParsedSource]] = field(default_factory=dict)
    _encoder: Encoder | None = None

    def sources(self) -> dict[str, str | None]:
        """Source -> its config, None for the default; `OWN` for own data.

        Raises:
            DataError: Unknown or repeated name, or nothing is left to build from.
        """
        config = self.config
        chosen: dict[str, str | None] = {}
        if config.sources or config.raw_dir is not None or config.own is None:
            chosen = dict(select_sources(config.sources, config.raw_dir))
        if config.licenses and chosen:
            from dataset_builders.licenses import qualifies

            kept = {n: c for n, c in chosen.items() if qualifies(get_builder(n).INFO.license, config.licenses)}
            for name in chosen.keys() - kept.keys():
                self.warn(f"{name}: left out, its licence is {get_builder(name).INFO.license}")
            if not kept:
                raise DataError(f"no source is left under the licences {', '.join(config.licenses)}")
            chosen = kept
        return chosen | ({OWN: None} if config.own else {})

    def raw_folder(self, name: str) -> Path:
        """Where the raw files of a source lie, or will lie when they are downloaded."""
        if name == OWN:
            assert self.config.own is not None
            return self.config.own.path
        if self.config.raw_dir is not None:
            return self.config.raw_dir / name
        from dataset_builders.sources.download import downloads_folder

        return downloads_folder() / name

    def open(self, name: str, config: str | None) -> list[CorpusBuilder]:
        """The builder of a source; own data may have two."""
        if name == OWN:
            return list(self.own_builders())
        return [get_builder(name)(data_dir=self.raw_folder(name), config_name=config)]

    def own_builders(self) -> list[OwnBuilder]:
        """The builders of own data."""
        assert self.config.own is not None
        return self.config.own.builders()

    def parsed(self, name: str, config: str | None) -> list[ParsedSource]:
        """The rows of a source: from this run, from the cache of `datasets`, or parsed now."""
        from dataset_builders.survey.parsed import parse

        if name not in self._parsed:
            self.progress(f"reading {name}", 0, 1)
            self._parsed[name] = [parse(builder, self.config.num_proc) for builder in self.open(name, config)]
        return self._parsed[name]

    def options(self) -> BuildOptions:
        """The options of the build.

        Raises:
            DataError: The filters are wrong, or negatives are wanted without an encoder.
        """
        from dataset_builders.corpus.options import build_options

        return build_options(self.config.dataset, self.config)

    def encoder(self) -> Encoder | None:
        """The encoder of relatedness and negatives, loaded once."""
        from dataset_builders.pairs.encoder import load_encoder

        if self._encoder is None and self.config.dataset.encoder:
            self._encoder = load_encoder(self.config.dataset.encoder)
        return self._encoder

    def encoder_inputs(self, label: str, name: str | None) -> Mapping[str, str]:
        """An encoder among the inputs of a step: its name, and its files when it is a folder."""
        if name is None:
            return {}
        folder = Path(name).expanduser()
        return {label: name} | (self.files.below(folder, f"{label} file") if folder.is_dir() else {})


def versions(*packages: str) -> Iterator[tuple[str, str]]:
    """Packages among the inputs of a step."""
    return ((f"version of {package}", version(package)) for package in packages)
