"""STAR: tasks of 13 domains, typed by a user and a wizard who picks or writes answers (Mosig et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_COMMIT = "3058975092cdd09798e4a3a9e4ae135755824545"


class Star(DialogueBuilder):
    """A file is a dialogue. Of its events, the texts that the other side saw are turns; drafts are not."""

    INFO = SourceInfo(
        name="star",
        title="STAR: Schema-Guided Dialog Dataset for Transfer Learning",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE.txt of github.com/RasaHQ/STAR",
        homepage="https://github.com/RasaHQ/STAR",
        citation="""@article{mosig2020star,
  title={STAR: A Schema-Guided Dialog Dataset for Transfer Learning},
  author={Mosig, Johannes E. M. and Mehri, Shikib and Kober, Thomas},
  journal={arXiv:2010.11853}, year={2020}}""",
        counts={"default": {ALL: {"dialogues": 5820, "utterances": 106064}}},
        configs={"default": "3058975"},
        files=(
            SourceFile(
                path=f"STAR-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/RasaHQ/STAR/tar.gz/{_COMMIT}",
                members="e112d04dece7456c16cf1f8647518d5eae747599d0df122346bdcb7678daf051",
                members_of=("dialogues/*.json",),
            ),
        ),
        notes="832 of 6,652 dialogues, which were broken off, are left out. Most of the wizard's texts are templates.",
        coverage={"default": {"acts": 0.433, "domains": 0.9768}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`dialogues/<number>.json`."""
        return {ALL: raw.glob("dialogues/*.json")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The dialogue, unless it was broken off."""
        record = read_json(file)
        return [record] if record["CompletionLevel"] == "Complete" else []

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The label of the wizard's answer, such as `hotel_ask_price`, is its act."""
        turns = []
        for event in record["Events"]:
            if event["Agent"] == "User" and event["Action"] == "utter":
                turns.append(Turn("user", event["Text"]))
            elif event["Agent"] == "Wizard" and event["Action"] in ("utter", "pick_suggestion"):
                label = event.get("ActionLabel")
                turns.append(Turn("system", event["Text"], acts=[act(label)] if label else []))
        scenario = record["Scenario"]
        domains = list(dict.fromkeys(domain for domain in scenario["Domains"] if domain))
        yield Dialogue(str(record["DialogueID"]), split, turns, domains=domains, scenario=scenario["UserTask"])
