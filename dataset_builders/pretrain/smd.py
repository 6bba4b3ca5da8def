"""SMD, also KVRET: a driver and the car's assistant on calendar, weather and navigation (Eric et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act, state
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_FILES = "https://raw.githubusercontent.com/snakeztc/NeuralDialog-ZSDG/026efbdaa06ea92e17537d60d5ec6881f45b74b5/data/stanford"
"""The release's own archive at nlp.stanford.edu has no published digest; git states those of its files here."""


class SMD(DialogueBuilder):
    """A speaker may have several turns in a row."""

    INFO = SourceInfo(
        name="smd",
        title="Stanford Multi-Domain Dialogue (KVRET)",
        kind="dialogues",
        languages=("en",),
        license="unknown",
        license_evidence="none is stated with the release",
        homepage="https://nlp.stanford.edu/blog/a-new-multi-turn-multi-domain-task-oriented-dialogue-dataset/",
        citation="""@inproceedings{eric2017key,
  title={Key-Value Retrieval Networks for Task-Oriented Dialogue},
  author={Eric, Mihail and Krishnan, Lakshmi and Charette, Francois and Manning, Christopher D.},
  booktitle={SIGDIAL}, year={2017}}""",
        counts={"default": {"train": {"dialogues": 2425}, "dev": {"dialogues": 302}, "test": {"dialogues": 304}}},
        configs={"default": "2017"},
        files=tuple(
            SourceFile(name, f"{_FILES}/{name}", git_blob=blob)
            for name, blob in (
                ("kvret_train_public.json", "31806e15e6cf5463f80d95e85b917dcc76cec264"),
                ("kvret_dev_public.json", "9918ccded43712be2197dca7eb62784aa9ed4ccb"),
                ("kvret_test_public.json", "84ab1188ebd4276ee923c7e59a04588bed70765d"),
            )
        ),
        notes="46 % of the test utterances occur verbatim in train.",
        coverage={"default": {"acts": 0.0698, "state": 0.0647, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`kvret_<split>_public.json`."""
        return {split: raw.glob(f"kvret_{split}_public.json")[:1] for split in ("train", "dev", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Records numbered by their position in the file, because most copies have no ids."""
        return enumerate(super().records(file, split))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The assistant's entries name the slots that are requested and those that are filled."""
        number, raw = record
        turns = []
        for entry in raw["dialogue"]:
            data = entry["data"]
            requested = [slot for slot, is_requested in (data.get("requested") or {}).items() if is_requested]
            turns.append(
                Turn(
                    "user" if entry["turn"] == "driver" else "system",
                    data["utterance"],
                    acts=[act("request", slot=slot) for slot in requested],
                    state=[state(slot, [value.strip()]) for slot, value in (data.get("slots") or {}).items()],
                )
            )
        scenario = raw["scenario"]
        original_id = scenario.get("uuid") or str(number)
        yield Dialogue(f"{split}/{number}", split, turns, original_id, domains=[scenario["task"]["intent"]])
