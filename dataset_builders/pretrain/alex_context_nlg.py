"""Alex Context NLG: questions to a public transport line, three written answers each (Dušek and Jurčíček, 2016)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/UFAL-DSG/alex_context_nlg_dataset/1151088dc00d9e2e07ae5f8388882fc0691b63a0/"
_ACT = re.compile(r'(\w+)\((?:(\w+)(?:="([^"]*)")?)?\)')


class AlexContextNLG(DialogueBuilder):
    """A dialogue is a user turn and one of its answers."""

    INFO = SourceInfo(
        name="alex_context_nlg",
        title="Alex Context NLG Dataset",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-SA-4.0",
        license_evidence="README.md of github.com/UFAL-DSG/alex_context_nlg_dataset",
        homepage="https://github.com/UFAL-DSG/alex_context_nlg_dataset",
        citation="""@inproceedings{dusek2016context,
  title={A Context-aware Natural Language Generation Dataset for Dialogue Systems},
  author={Du{\\v{s}}ek, Ond{\\v{r}}ej and Jur{\\v{c}}{\\'i}{\\v{c}}ek, Filip},
  booktitle={RE-WOCHAT, LREC}, year={2016}}""",
        counts={"default": {ALL: {"dialogues": 5577, "utterances": 11154}}},
        configs={"default": "1151088"},
        files=(SourceFile("dataset.json", f"{_URL}dataset.json", git_blob="625140a6898787127a15348153ba68b6ac50897e"),),
        notes="59 of 1,859 user turns have a placeholder such as *STOP instead of a value. 129 answers repeat another.",
        coverage={"default": {"acts": 1.0, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`dataset.json`."""
        return {ALL: raw.glob("dataset.json")[:1]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Position and record."""
        return enumerate(super().records(file, split))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The fields `*_l` have values instead of placeholders."""
        number, raw = record
        asked, answered = _acts(raw["context_parse_l"]), _acts(raw["response_da_l"])
        for answer, text in enumerate(raw["response_nl_l"]):
            turns = [Turn("user", raw["context_utt_l"], acts=asked), Turn("system", text, acts=answered)]
            yield Dialogue(f"{number}-{answer}", split, turns, domains=["public transport"])


def _acts(text: str) -> list[dict[str, Any]]:
    """The acts of `inform(line="M11")&request(to_stop)`."""
    return [act(each[1], slot=each[2], values=[each[3]] if each[3] else []) for each in _ACT.finditer(text)]
