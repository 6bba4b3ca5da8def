"""CIMA: crowd workers play a student and a tutor of Italian (Stasaski et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/kstats/CIMA/3fa48593c001046893f5f1320ab031f7237e7998/"
_TUTOR = ("Question", "Hint/Information Reveal", "Correction", "Confirmation", "Other")
_STUDENT = ("Guess", "Question", "Affirmation", "Other")


class CIMA(DialogueBuilder):
    """A record is a dialogue up to a student's turn, with several answers; most records begin a longer one."""

    INFO = SourceInfo(
        name="cima",
        title="CIMA: Conversational Instruction with Multi-responses and Actions",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-2.5",
        license_evidence="README.md of github.com/kstats/CIMA",
        homepage="https://github.com/kstats/CIMA",
        citation="""@inproceedings{stasaski2020cima,
  title={CIMA: A Large Open Access Dialogue Dataset for Tutoring},
  author={Stasaski, Katherine and Kao, Kimberly and Hearst, Marti A.},
  booktitle={Workshop on Innovative Use of NLP for Building Educational Applications}, pages={52--64}, year={2020}}""",
        counts={"default": {ALL: {"dialogues": 418, "utterances": 2850}}},
        configs={"default": "3fa4859"},
        files=(SourceFile("dataset.json", f"{_URL}dataset.json", git_blob="ee82b91182037cfac2033097f668451672d09ba8"),),
        notes=(
            "Of 1,135 records, the 717 that begin another one give their acts to it. The first answer to the last turn "
            "ends a dialogue; the other answers are left out. Turns have Italian words."
        ),
        coverage={"default": {"acts": 0.5575, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`dataset.json`."""
        return {ALL: raw.glob("dataset.json")[:1]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Id, texts, and all records by their texts, for each record that no other one continues."""
        records = read_json(file)["prepDataset"]
        by_texts = {tuple(record["past_convo"]): record for record in records.values()}
        beginnings = {tuple(text.strip() for text in texts[:end]) for texts in by_texts for end in range(len(texts))}
        for name, record in records.items():
            if tuple(text.strip() for text in record["past_convo"]) not in beginnings:
                yield name, [*record["past_convo"], record["tutorResponses"][0]], by_texts

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The tutor starts, then turns alternate. A student's turn and the answer to it get the acts of its record."""
        name, texts, by_texts = record
        turns = [Turn("user" if i % 2 else "system", text) for i, text in enumerate(texts)]
        for i in range(1, len(texts) - 1, 2):
            own = by_texts.get(tuple(texts[: i + 1]))
            if own:
                turns[i].acts = _acts(_STUDENT, [flag == "True" for flag in own["studentActions"]])
                answers = dict(zip(own["tutorResponses"], own["tutorActions"], strict=True))
                turns[i + 1].acts = _acts(_TUTOR, answers.get(texts[i + 1], []))
        yield Dialogue(name, split, turns, domains=["tutoring"])


def _acts(names: tuple[str, ...], flags: list[bool]) -> list[dict[str, Any]]:
    """The acts whose flag is set; none if there are no flags."""
    return [act(name) for name, flag in zip(names, flags, strict=False) if flag]
