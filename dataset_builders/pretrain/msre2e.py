"""MSR-E2E: bookings of films, restaurants and taxis, typed by people on both sides (Li et al., 2018)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/xiul-msr/e2e_dialog_challenge/05de23b4488350cb963dfc5592f27821e5171470/data/"
_SHA256 = {
    "movie": "d2291fd898d8c2d92d7c92affa5601a0561a28f07f6147e9c196c5a573a222d6",
    "restaurant": "0e297b2ac2e29f9771fed3cd348873b729eb079cc26f8c2333a28247671bdb28",
    "taxi": "6d8ee9719b3d294b558eb53516c897108d1276e9dbcac0101d4e19a2ad801d20",
}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "b": "", "f": ""}


class MSRE2E(DialogueBuilder):
    """One utterance per line; the rows of a session follow each other. A speaker may write several turns in a row."""

    INFO = SourceInfo(
        name="msre2e",
        title="MSR-E2E",
        kind="dialogues",
        languages=("en",),
        license="LicenseRef-Microsoft-Human-Dialogue-Data",
        license_evidence="'Human Dialogue Dataset License Terms.txt' of the repository: research; no passing on",
        homepage="https://github.com/xiul-msr/e2e_dialog_challenge",
        citation="""@article{li2018microsoft,
  title={Microsoft Dialogue Challenge: Building End-to-End Task-Completion Dialogue Systems},
  author={Li, Xiujun and Wang, Yu and Sun, Siqi and others}, journal={arXiv:1807.11125}, year={2018}}""",
        counts={"default": {ALL: {"dialogues": 2890 + 4103 + 3094}}},
        configs={"default": "05de23b"},
        files=tuple(SourceFile(f"{d}_all.tsv", f"{_URL}{d}_all.tsv", digest) for d, digest in _SHA256.items()),
        accept_license=True,
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`<domain>_all.tsv`."""
        return {ALL: [file for domain in _SHA256 for file in raw.glob(f"{domain}_all.tsv")[:1]]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The rows of each session, by position because header and rows differ in width."""
        lines = file.read().decode("utf-8-sig").split("\n")
        rows = (line.rstrip("\r").split("\t") for line in lines[1:] if line.strip())
        for session, group in itertools.groupby(rows, key=lambda cells: cells[0]):
            yield session, list(group)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """Cells 0 to 4 are session, message, time, speaker and text; each other cell that is not blank is one act."""
        session, rows = record
        domain = file.name.rsplit("/", 1)[-1].removesuffix("_all.tsv")
        turns = []
        for cells in rows:
            acts = [a for cell in cells[5:] if cell.strip() for a in _acts(cell.strip())]
            turns.append(Turn("user" if cells[3] == "user" else "system", _text(cells[4]), acts=acts))
        yield Dialogue(f"{domain}/{session}", split, turns, session, domains=[domain])


def _text(cell: str) -> str:
    """Remove one pair of outer quotes, and decode JSON escapes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        cell = cell[1:-1]
    text = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _PLAIN.get(m[2], m[2]), cell)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # an emoji is two escapes


def _acts(cell: str) -> Iterator[dict[str, Any]]:
    """The acts of a cell, `name(slot;slot=value;slot={a#b})`."""
    name, _, inner = cell.strip('"').partition("(")
    for part in inner.removesuffix(")").split(";"):
        slot, _, value = part.partition("=")
        values = [v for v in value.strip("{}").split("#") if v]
        yield act(name, slot=slot.strip() or None, values=values)
