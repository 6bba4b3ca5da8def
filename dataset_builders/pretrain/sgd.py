"""Schema-Guided Dialogue: 45 services, outlined by a simulator, written by people (Rastogi et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act, span, state
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = (
    "https://raw.githubusercontent.com/google-research-datasets/dstc8-schema-guided-dialogue/"
    "e852981ae34990f4358979625854259302feaa78/"
)


class SGD(DialogueBuilder):
    """The user starts, then turns alternate. Some services of the test split do not occur in train."""

    INFO = SourceInfo(
        name="sgd",
        title="Schema-Guided Dialogue",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE.txt of github.com/google-research-datasets/dstc8-schema-guided-dialogue",
        homepage="https://github.com/google-research-datasets/dstc8-schema-guided-dialogue",
        citation="""@inproceedings{rastogi2020towards,
  title={Towards Scalable Multi-Domain Conversational Agents: The Schema-Guided Dialogue Dataset},
  author={Rastogi, Abhinav and Zang, Xiaoxue and Sunkara, Srinivas and Gupta, Raghav and Khaitan, Pranav},
  booktitle={AAAI}, year={2020}}""",
        counts={
            "default": {
                "train": {"dialogues": 16142, "utterances": 329964},
                "dev": {"dialogues": 2482, "utterances": 48726},
                "test": {"dialogues": 4201, "utterances": 84594},
            }
        },
        configs={"default": "e852981"},
        files=file_table(__file__, _URL),
        coverage={"default": {"acts": 1.0, "slots": 0.4016, "state": 0.5, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """Unpacked files and archive members; the folder is the split."""
        return {split: raw.glob(f"{split}/dialogues_*.json") for split in ("train", "dev", "test")}

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`dialogue_id` is unique only within a split."""
        turns = [self._turn(raw) for raw in record["turns"]]
        original_id = record["dialogue_id"]
        yield Dialogue(f"{split}/{original_id}", split, turns, original_id, domains=record["services"])

    def _turn(self, raw: dict[str, Any]) -> Turn:
        turn = Turn("user" if raw["speaker"] == "USER" else "system", raw["utterance"])
        for frame in raw["frames"]:
            domain = frame["service"]
            for a in frame.get("actions", []):
                turn.acts.append(act(a["act"], domain, a.get("slot") or None, a.get("values")))
            for s in frame.get("slots", []):
                start, end = s["start"], s["exclusive_end"]
                turn.slots.append(span(s["slot"], turn.text[start:end], start, end, domain))
            goal = frame.get("state")
            if goal:
                intent, values = goal["active_intent"], goal["slot_values"] or {None: []}
                turn.state.extend(state(slot, texts, domain, intent) for slot, texts in values.items())
        return turn
