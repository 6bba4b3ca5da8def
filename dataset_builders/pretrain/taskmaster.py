"""Taskmaster 1 to 4: orders and bookings, spoken and written (Byrne et al., 2019, 2021; releases of 2020 and 2024)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act, span
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/google-research-datasets/Taskmaster/d92cb6af3005f1dc09c39e75e7daf4a04905e00b/"
_FOLDERS = {"tm1": "TM-1-2019", "tm2": "TM-2-2020", "tm3": "TM-3-2020", "tm4": "TM-4-2024"}
_COUNTS = {
    "tm1": {
        ALL: {"dialogues": 5507},  # spoken by two people
        "train": {"dialogues": 6168},  # self-dialogues, written by one person; only these have splits
        "dev": {"dialogues": 770},
        "test": {"dialogues": 770},
    },
    "tm2": {ALL: {"dialogues": 17304}},
    "tm3": {ALL: {"dialogues": 23789}},
    "tm4": {ALL: {"dialogues": 3710}},
}


class Taskmaster(DialogueBuilder):
    """Four corpora under one name. A speaker may have several turns in a row; TM-2 may start with the system."""

    INFO = SourceInfo(
        name="taskmaster",
        title="Taskmaster 1-4",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="README.md of github.com/google-research-datasets/Taskmaster",
        homepage="https://github.com/google-research-datasets/Taskmaster",
        citation="""@inproceedings{byrne2019taskmaster,
  title={Taskmaster-1: Toward a Realistic and Diverse Dialog Dataset},
  author={Byrne, Bill and Krishnamoorthi, Karthik and Sankar, Chinnadhurai and others},
  booktitle={EMNLP-IJCNLP}, year={2019}}""",
        counts={
            "all": {**_COUNTS["tm1"], ALL: {"dialogues": 5507 + 17304 + 23789 + 3710}},
            **_COUNTS,
        },
        configs={"all": "1-4", **{name: folder.removeprefix("TM-") for name, folder in _FOLDERS.items()}},
        files=file_table(__file__, _URL, {folder: config for config, folder in _FOLDERS.items()}),
        notes="The README of TM-4 speaks of 6,500 dialogues; its files hold 3,710.",
        coverage={"tm4": {"acts": 0.4865, "slots": 0.0059, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """Lists of ids split the self-dialogues of TM-1; all other files have no split."""
        folders = [folder for name, folder in _FOLDERS.items() if config in ("all", name)]
        files: dict[str, list[RawFile]] = {split: [] for split in ("train", "dev", "test", ALL)}
        files[ALL] = [f for folder in folders for f in raw.glob(f"{folder}/data/*.json")]
        if _FOLDERS["tm1"] in folders:
            lists = {split: raw.glob(f"TM-1-2019/train-dev-test/{split}.csv") for split in ("dev", "test")}
            self._ids = {
                s: {line.split(",")[0] for line in f[0].read().decode().split()} for s, f in lists.items() if f
            }
            for file in raw.glob("TM-1-2019/self-dialogs.json"):
                for split in ("train", "dev", "test") if self._ids else (ALL,):
                    files[split].append(file)
            files[ALL].extend(raw.glob("TM-1-2019/woz-dialogs.json"))
        return files

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The records of the split."""
        for record in super().records(file, split):
            if split == ALL or self._split(record["conversation_id"]) == split:
                yield record

    def _split(self, conversation_id: str) -> str:
        return next((split for split, ids in self._ids.items() if conversation_id in ids), "train")

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The task is `instruction_id` ("hotel-2") in TM-1 and TM-2, and `vertical` ("Coffee") in TM-3 and TM-4."""
        turns = []
        for raw in record["utterances"]:
            turn = Turn("user" if raw["speaker"].lower() == "user" else "system", raw["text"])
            for segment in raw.get("segments", []):
                start, end = int(segment["start_index"]), int(segment["end_index"])  # TM-4 has strings
                turn.slots.extend(span(a["name"], segment["text"], start, end) for a in segment["annotations"])
            turn.acts = [act(a["name"], slot=a["context"], values=[a["value"]]) for a in raw.get("annotations", [])]
            for call in raw.get("apis", []):  # TM-3
                arguments = call.get("args") or {}
                turn.acts.extend(act("api_call", call["name"], s, [str(v)]) for s, v in arguments.items())
            turns.append(turn)
        task = record.get("vertical") or re.sub(r"-\d+$", "", record["instruction_id"])
        number = re.search(r"TM-(\d)-", file.name)
        original_id = record["conversation_id"]
        yield Dialogue(
            f"tm{number.group(1) if number else ''}/{original_id}",
            split,
            turns,
            original_id,
            domains=[task],
            scenario=record.get("instructions"),
        )
