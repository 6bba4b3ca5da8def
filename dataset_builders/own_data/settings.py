"""Settings for own data: options of `dialogue-cube build` and keys of the pipeline's config and of a mapping file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders.common.errors import DataError
from dataset_builders.common.options import Options as DeclaredOptions
from dataset_builders.common.options import convert, option, option_of, type_hints
from dataset_builders.own_data.options import OWN_PANEL, Options

if TYPE_CHECKING:
    from dataset_builders.own_data.builder import OwnBuilder
    from dataset_builders.own_data.data import OwnData


@dataclass(frozen=True)
class _Place(DeclaredOptions):
    """Where own data are, and what they are as a source."""

    path: tuple[Path, ...] = option(
        help="File or folder of your own conversations, pairs or intents, or a dataset on the Hub (hf://datasets/ORG/"
        "NAME); may be repeated. `dialogue-cube formats` lists what is recognised.",
        flags=("--own",),
        panel=OWN_PANEL,
        example="support.csv",
        repeatable=True,
    )
    name: str | None = option(None, "Name of your data.", none="the file name", panel=OWN_PANEL)
    language: str = option("und", "Language of your data, e.g. ru.", panel=OWN_PANEL)
    trust_language: bool = option(
        False, "Take --language although the texts look like another one.", flags=("--trust-language",), panel=OWN_PANEL
    )
    license: str = option(
        "LicenseRef-private",
        "Licence of your data; the default prevents publication.",
        flags=("--own-license",),
        panel=OWN_PANEL,
    )
    mapping: Path | None = option(
        None, "YAML file with these options as keys; see --example-mapping.", none="no file", panel=OWN_PANEL
    )
    max_bad_share: float = option(
        0.1, "Maximum share of unusable records before the build fails.", low=0, high=1, panel=OWN_PANEL
    )
    skip_bad_files: bool = option(
        False, "Leave out files that cannot be read, and name them.", flags=("--skip-bad-files",), panel=OWN_PANEL
    )


@dataclass(frozen=True)
class OwnSettings(Options, _Place):
    """A user's own data, built together with the sources or alone."""

    def load(self) -> list[OwnData]:
        """The data at each path, with its files recognised.

        Raises:
            DataError: The data cannot be read, or what they hold is not evident.
        """
        from dataset_builders.own_data import load

        if self.name and len(self.path) > 1:
            raise DataError(f"one name ({self.name}) for {len(self.path)} paths; build them one by one, or without it")
        values = self._options()
        loaded = [load(path, self.name, self.language, **values) for path in self.path]
        names = [data.name for data in loaded]
        if repeated := next((name for name in names if names.count(name) > 1), None):
            raise DataError(f"two paths have the name {repeated}; rename one of them")
        return loaded

    def check(self, loaded: Sequence[OwnData]) -> None:
        """Check that the texts look like the language that the user named, unless `trust_language` says so.

        Raises:
            DataError: They surely are in another one.
        """
        from dataset_builders.own_data.preview import check_languages

        for data in () if self.trust_language else loaded:
            check_languages(data)

    def builders(self, loaded: list[OwnData] | None = None) -> list[OwnBuilder]:
        """The `datasets` builders of each path: one for pairs and dialogues, one for intents, or both.

        Args:
            loaded: What `load` returned; None calls it.

        Raises:
            DataError: The data cannot be read, or columns of pairs and of intents are mixed.
        """
        from dataset_builders.own_data import own_builders

        loaded = self.load() if loaded is None else loaded
        return [builder for data in loaded for builder in own_builders(data, license=self.license)]

    def _options(self) -> dict[str, Any]:
        """The options of `own_data.load`; those that are not set come from the mapping file."""
        values = {name: getattr(self, name) for name in MAPPING_KEYS}
        if self.mapping is None:
            return values
        mapping = read_mapping(self.mapping)
        defaults = {f.name: f.default for f in fields(self)}
        return {name: mapping.get(name, value) if value == defaults[name] else value for name, value in values.items()}


MAPPING_KEYS = (*(f.name for f in fields(Options)), "max_bad_share", "skip_bad_files")
"""Keys of a mapping file."""


def read_mapping(path: Path) -> dict[str, Any]:
    """The options in a mapping file.

    Raises:
        DataError: The file cannot be read, or a key or value is wrong; names the file, the key and what is allowed.
    """
    from dataset_builders.common.options import read_settings

    content, hints = read_settings(path), type_hints(OwnSettings)
    declarations = {f.name: f for f in fields(OwnSettings)}
    values = {}
    for key, value in content.items():
        if key not in MAPPING_KEYS:
            raise DataError(f"{path}: no key {key!r}; expected some of {', '.join(MAPPING_KEYS)}")
        try:
            values[key] = convert(hints[key], value, option_of(declarations[key]))
        except ValueError:
            from dataset_builders.common.options.values import mismatch

            raise DataError(f"{path}: {mismatch(key, hints[key], declarations[key], value)}") from None
    return values


EXAMPLE_MAPPING = """\
# A mapping file says where the parts of a conversation are, for `dialogue-cube build --own FILE --mapping THIS`.
# Every key is optional; what is missing is recognised. An option on the command line wins over its key here.

# Nested conversations, one JSON object each: {"meta": {"team": "x"}, "data": {"messages": [{"by": {"name": "Ann"}, ...
turns_path: data.messages          # list of turns
dialogue_column: meta.case         # id of the conversation
speaker_column: by.name            # within a turn
text_column: body.plain            # within a turn
time_column: sent                  # within a turn; sorts the turns
system_speaker: [Ann, Support Bot] # who answers; everybody else is a user

# Tables with one row per turn: dialogue_column, speaker_column, text_column, turn_column or time_column.
# Tables of pairs: question_column, answer_column. Intents: text_column, label_column. Any of them: split_column.

# session_gap: 6h                  # a pause that ends a conversation
# date_order: dmy                  # 3/4/26 is the third of April
# keep: [notices]                  # of media, notices, tools, prompts
# keep_names: true
# skip_bad_files: true
# encoding: cp1251
"""
