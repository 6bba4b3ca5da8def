"""MultiWOZ: tourists and clerks in Cambridge, seven domains (Budzianowski et al., 2018; 2.2: Zang et al., 2020)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act, span, state
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import RawDataError, read_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/budzianowski/multiwoz/fe0c8e65cfcd8462bd33c86e35f21addc84ca82b/data/"
_GIT_BLOBS = {  # upstream's files of 2.2
    "train/dialogues_001.json": "1ab08d377750e83493095b0eb1249df81a99ba21",
    "train/dialogues_002.json": "d182eae43341a44ebe3807ed61e829d73dc34a84",
    "train/dialogues_003.json": "2544e4c90a5eeef4c290fe2cf0c4c4d70c4f69ff",
    "train/dialogues_004.json": "ec487da741ebc423770ae2d09c9cb5c70b81bd1f",
    "train/dialogues_005.json": "34d733cbc334bb39c79e6f06652b1d1aa997307e",
    "train/dialogues_006.json": "8d390b5dac386dd87c927eafaec63699fde304ea",
    "train/dialogues_007.json": "ee6a677c78d8416779840e2dd306d668851061b6",
    "train/dialogues_008.json": "cf849daab0a6f0caa3f543a6f6d171e443a80dce",
    "train/dialogues_009.json": "ee088d84d2c274c6f3fb3e119346bfd3321c986e",
    "train/dialogues_010.json": "8b6252a34be01fa9500511dc5cc30121cb1ac7f7",
    "train/dialogues_011.json": "c24eb2c071e3d2ab3f12f742eb591a2526d0c19f",
    "train/dialogues_012.json": "89937591b044fa964a0430480cd9f91dfc681a6a",
    "train/dialogues_013.json": "c39aa0c69fda70278ff37de94f2189f2bb3f9e69",
    "train/dialogues_014.json": "d0399d022e916ae79b40df7adb92cb17fe97ad57",
    "train/dialogues_015.json": "e1db3d9ab1475ffffd725d1e8326f7b1df2adf38",
    "train/dialogues_016.json": "079e9f5881429c398626c8615cb979b67c46329d",
    "train/dialogues_017.json": "2cdad94fbcbf80c21e67cb57d40eece195fe3181",
    "dev/dialogues_001.json": "994fec69745c3dfd469835e90bf5cba2d1c4af47",
    "dev/dialogues_002.json": "90e368c50db6bb8d6fbec2fa396e71396ca5a3f7",
    "test/dialogues_001.json": "fd420005cc9dc259892f541b001d9d48608bd38d",
    "test/dialogues_002.json": "8ce97bc17acc3d1105d92d8d936520b8c93892ba",
}


class MultiWoz(DialogueBuilder):
    """Two releases of the same dialogues: 2.2 (default; files of dialogues) and 2.1 (`data.json` with lists of ids).

    A variant of 2.1 with tokenised text in `val.json` and `test.json` is read as well.
    """

    INFO = SourceInfo(
        name="multiwoz",
        title="MultiWOZ",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE of github.com/budzianowski/multiwoz",
        license_disputed="copies elsewhere say Apache-2.0",
        homepage="https://github.com/budzianowski/multiwoz",
        citation="""@inproceedings{budzianowski2018large,
  title={MultiWOZ - A Large-Scale Multi-Domain Wizard-of-Oz Dataset for Task-Oriented Dialogue Modelling},
  author={Budzianowski, Pawe{\\l} and Wen, Tsung-Hsien and Tseng, Bo-Hsiang and others},
  booktitle={EMNLP}, year={2018}}""",
        counts={
            "2.2": {
                "train": {"dialogues": 8437, "utterances": 113552},
                "dev": {"dialogues": 1000, "utterances": 14748},
                "test": {"dialogues": 1000, "utterances": 14744},
            },
            "2.1": {
                "train": {"dialogues": 8438, "utterances": 113556},
                "val": {"dialogues": 1000, "utterances": 14748},
                "test": {"dialogues": 1000, "utterances": 14744},
            },
        },
        configs={"2.2": "2.2", "2.1": "2.1"},
        files=(
            *(
                SourceFile(f"MultiWOZ_2.2/{path}", f"{_URL}MultiWOZ_2.2/{path}", git_blob=blob, config="2.2")
                for path, blob in _GIT_BLOBS.items()
            ),
            SourceFile(
                "MultiWOZ_2.1.zip",
                f"{_URL}MultiWOZ_2.1.zip",
                git_blob="c30d869f77e86fe2bf19245120e771f28cb32bfa",
                config="2.1",
            ),
        ),
        notes="Of 2.2, there are copies with the texts alone: without acts, slots, state and domains, under other ids.",
        coverage={"2.1": {"acts": 0.9544, "slots": 0.6165, "state": 0.4932, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The folders of 2.2; for 2.1 one `data.json` for all splits, or one file per split."""
        if config == "2.2":
            return {split: raw.glob(f"MultiWOZ_2.2/{split}/dialogues_*.json") for split in ("train", "dev", "test")}
        whole = raw.glob("MultiWOZ_2.1/data.json")[:1]
        if whole:
            lists = {split: raw.glob(f"MultiWOZ_2.1/{split}ListFile*") for split in ("val", "test")}
            if not (lists["val"] and lists["test"]):
                raise RawDataError(f"{whole[0]}: expected valListFile and testListFile beside it; unpack them too")
            self._ids = {split: set(files[0].read().decode().split()) for split, files in lists.items()}
            return dict.fromkeys(("train", "val", "test"), whole)
        return {split: raw.glob(f"MultiWOZ_2.1*/{split}.json") for split in ("train", "val", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The dialogues with their `parallel_id`: lists in 2.2, objects by id in 2.1. `data.json` holds all splits."""
        records = read_json(file)
        if self.config.name == "2.2" or not isinstance(records, dict):
            part = re.search(r"dialogues_(\d+)\.json$", file.name) if self.config.name == "2.2" else None
            for number, record in enumerate(records):
                yield record, f"multiwoz/{split}-{part[1]}-{number:03}" if part else None
        else:
            is_whole = file.name.endswith("data.json")
            for name, record in records.items():
                if not is_whole or self._split(name) == split:
                    yield {"dialogue_id": name, **record}, None

    def _split(self, dialogue_id: str) -> str:
        return next((split for split, ids in self._ids.items() if dialogue_id in ids), "train")

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The id is the original one without the `.json` that some releases append.

        Translations of 2.2 keep its files and their order but not its ids, so the place is what they have in common.
        """
        raw, parallel_id = record
        original_id = raw["dialogue_id"]
        turns, domains = _parse_2_2(raw) if self.config.name == "2.2" else _parse_2_1(raw)
        name = original_id.removesuffix(".json")
        yield Dialogue(name, split, turns, original_id, domains=domains, parallel_id=parallel_id)


def _parse_2_2(record: dict[str, Any]) -> tuple[list[Turn], list[str]]:
    turns = []
    for raw in record["turns"]:
        turn = Turn("user" if raw["speaker"] == "USER" else "system", raw["utterance"])
        for frame in raw["frames"]:
            domain = frame["service"]
            for s in frame.get("slots", []):
                value = s["value"] if isinstance(s["value"], str) else ", ".join(s["value"])
                turn.slots.append(span(s["slot"], value, s.get("start"), s.get("exclusive_end"), domain))
            goal = frame.get("state")
            if goal and goal["active_intent"] != "NONE":
                values = goal["slot_values"] or {None: []}
                turn.state.extend(state(slot, v, domain, goal["active_intent"]) for slot, v in values.items())
                turn.acts.extend(act("request", domain, slot) for slot in goal["requested_slots"])
        turns.append(turn)
    return turns, record["services"]


def _parse_2_1(record: dict[str, Any]) -> tuple[list[Turn], list[str]]:
    """Even entries are the user's. The belief state of a system entry belongs to the user turn before it."""
    turns: list[Turn] = []
    for number, raw in enumerate(record["log"]):
        turn = Turn("system" if number % 2 else "user", raw["text"])
        acts = raw.get("dialog_act")
        for name, slots in acts.items() if isinstance(acts, dict) else ():
            domain, _, kind = name.partition("-")
            turn.acts.extend(_act_2_1(kind, domain, slot, value) for slot, value in slots)
        for name, slot, value, *_tokens in raw.get("span_info", []):
            turn.slots.append(span(slot, value, domain=name.partition("-")[0]))  # positions are in tokens, so ignored
        if turns and turn.speaker == "system":
            turns[-1].state = [
                state(slot, [value], domain)
                for domain, parts in raw["metadata"].items()
                for slot, value in [*parts["semi"].items(), *parts["book"].items()]
                if isinstance(value, str) and value not in ("", "not mentioned")
            ]
        turns.append(turn)
    domains = [name for name, goal in record["goal"].items() if goal and name not in ("message", "topic", "eod")]
    return turns, domains


def _act_2_1(kind: str, domain: str, slot: str, value: str) -> dict[str, Any]:
    """The act of `"Hotel-Inform": [["Price", "cheap"]]`; `?` is the value of a request, `none` that of no slot."""
    return act(kind, domain, None if slot == "none" else slot, [] if value == "?" or slot == "none" else [value])
