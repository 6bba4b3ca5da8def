"""MathDial: teachers help a student, played by a language model, with a wrong solution (Macina et al., 2023)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_lines
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/eth-nlped/mathdial/b452be46f28b1e64cfe2646302e3ca8c502926d0/"
_GIT_BLOBS = {
    "train": "eb08d357cd1ee1cd60d6787356122ff9dced3ff4",
    "test": "97fa5ecc7504f5b56a0da944d0b51e0bd78de795",
}
_TURN = re.compile(r"\s*(?P<name>[^:]*):\s*(?:\((?P<move>\w+)\))?(?P<text>.*)", re.DOTALL)


class MathDial(DialogueBuilder):
    """The teacher starts. A speaker may have several turns in a row."""

    INFO = SourceInfo(
        name="mathdial",
        title="MathDial",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-SA-4.0",
        license_evidence="README.md of github.com/eth-nlped/mathdial",
        homepage="https://github.com/eth-nlped/mathdial",
        citation="""@inproceedings{macina2023mathdial,
  title={MathDial: A Dialogue Tutoring Dataset with Rich Pedagogical Properties Grounded in Math Reasoning Problems},
  author={Macina, Jakub and Daheim, Nico and Chowdhury, Sankalan and Sinha, Tanmay and Kapur, Manu and
    Gurevych, Iryna and Sachan, Mrinmaya}, booktitle={Findings of EMNLP}, pages={5602--5621}, year={2023}}""",
        counts={"default": {"train": {"dialogues": 2262}, "test": {"dialogues": 599, "utterances": 7015}}},
        configs={"default": "b452be4"},
        files=tuple(
            SourceFile(f"data/{split}.jsonl", f"{_URL}data/{split}.jsonl", git_blob=blob)
            for split, blob in _GIT_BLOBS.items()
        ),
        notes="A language model wrote the student's side.",
        origin="machine",
        coverage={"default": {"acts": 0.5254, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`data/<split>.jsonl`."""
        return {split: raw.glob(f"data/{split}.jsonl")[:1] for split in _GIT_BLOBS}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Position and record, because several dialogues are about one problem."""
        return enumerate(read_json_lines(file))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`Teacher: (focus)text|EOM|Name: text`; the teacher's act is in brackets."""
        number, raw = record
        turns = []
        for part in raw["conversation"].split("|EOM|"):
            each = _TURN.fullmatch(part)
            if not each:
                raise ValueError(f"no speaker: {part[:40]!r}")
            speaker, move = each["name"], each["move"]
            is_teacher = speaker == "Teacher"
            text = each["text"] if is_teacher or not move else f"({move}){each['text']}"
            acts = [act(move)] if is_teacher and move else []
            turns.append(Turn("system" if is_teacher else "user", text, acts=acts))
        yield Dialogue(
            f"{split}/{number}", split, turns, str(raw["qid"]), domains=["tutoring"], scenario=raw["question"]
        )
