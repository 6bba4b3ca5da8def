"""One file of own data, or the files of one export, once it is recognised."""

from __future__ import annotations

from dataclasses import dataclass

from dataset_builders.own_data.export import Export
from dataset_builders.own_data.formats.format import Format
from dataset_builders.own_data.options import Options
from dataset_builders.own_data.plain.detect import Form
from dataset_builders.own_data.plain.names import Layout
from dataset_builders.schema import ALL
from dataset_builders.sources.raw_files import RawFile


@dataclass(frozen=True)
class OwnFile:
    """A file whose form has been recognised.

    Args:
        file: The file.
        options: Options of the user.
        encoding: Text encoding, as Python names it; empty for tables that are not text.
        form: The file's form.
        is_intents: Whether it holds labelled utterances rather than dialogues.
        format: Format of a product or convention; None for plain records, tables and lines.
        companions: Files that are read together with it.
        layout: Which column is what; None where the form says it.
        ignored: Columns whose values are not what their names say.
        answering: Names of those who answer, case-folded, if the whole file shows it.
        split: The split that it is named after, or `ALL`.
        is_single: Whether all of the user's data are one dialogue, which is then split by time.
    """

    file: RawFile
    options: Options
    encoding: str
    form: Form
    is_intents: bool
    format: Format | None = None
    companions: tuple[RawFile, ...] = ()
    layout: Layout | None = None
    ignored: frozenset[str] = frozenset()
    answering: frozenset[str] = frozenset()
    split: str = ALL
    is_single: bool = False

    @property
    def files(self) -> tuple[RawFile, ...]:
        """All its files."""
        return (self.file, *self.companions)

    @property
    def export(self) -> Export:
        """Its files as a format reads them."""
        return Export(self.file, self.companions, self.encoding, self.options, self.form.rows)
