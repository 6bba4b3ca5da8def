"""Settings for own data: options of `dialogue-cube build` and keys of the pipeline's config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dataset_builders.common.options import Options, option

if TYPE_CHECKING:
    from dataset_builders.own_data.builder import OwnBuilder

_PANEL = "Your own data"


@dataclass(frozen=True)
class OwnSettings(Options):
    """A user's own data, built together with the sources or alone."""

    path: Path = option(
        help="File or folder of your own pairs, dialogues or intents (JSON, JSONL, CSV, TSV, TXT, chat exports; .gz "
        "and .zip too).",
        flags=("--own",),
        panel=_PANEL,
        example="support.csv",
    )
    name: str | None = option(None, "Name of your data.", none="the file name", panel=_PANEL)
    language: str = option("und", "Language of your data, e.g. ru.", panel=_PANEL)
    license: str = option(
        "LicenseRef-private",
        "Licence of your data; the default prevents publication.",
        flags=("--own-license",),
        panel=_PANEL,
    )
    question_column: str | None = option(
        None, "Column of the questions, by name or number.", none="recognised", panel=_PANEL
    )
    answer_column: str | None = option(
        None, "Column of the answers, by name or number.", none="recognised", panel=_PANEL
    )
    text_column: str | None = option(None, "Column of the intents' texts.", none="recognised", panel=_PANEL)
    label_column: str | None = option(None, "Column of the intents' labels.", none="recognised", panel=_PANEL)
    encoding: str | None = option(None, "Text encoding of the files.", none="detected", panel=_PANEL)
    max_bad_share: float = option(
        0.1, "Maximum share of unusable records before the build fails.", low=0, high=1, panel=_PANEL
    )

    def builders(self) -> list[OwnBuilder]:
        """The `datasets` builders: one for pairs and dialogues, one for intents, or both.

        Raises:
            DataError: The data cannot be read, or columns of pairs and of intents are mixed.
        """
        from dataset_builders.own_data import load, own_builders

        data = load(
            self.path,
            self.name,
            self.language,
            question_column=self.question_column,
            answer_column=self.answer_column,
            text_column=self.text_column,
            label_column=self.label_column,
            encoding=self.encoding,
            max_bad_share=self.max_bad_share,
        )
        return list(own_builders(data, license=self.license))
