"""CrossWOZ: tourists and a wizard in Beijing, five domains that depend on each other (Zhu et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act, state
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_members
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/thu-coai/CrossWOZ/df82c9fdff91b9b130f2d6b89110d3870ba6260e/"
_GIT_BLOBS = {
    "train": "57eb9cbd004a2e59f301f9e1bdc5500ddf2a98ef",
    "val": "6de13a813f308802dab90d851132a17bc5064a73",
    "test": "5408e20adcc61347533b5ab1fa9ca4e65f269743",
}


class CrossWoz(DialogueBuilder):
    """The user starts, then turns alternate."""

    INFO = SourceInfo(
        name="crosswoz",
        title="CrossWOZ",
        kind="dialogues",
        languages=("zh",),
        license="Apache-2.0",
        license_evidence="LICENSE of github.com/thu-coai/CrossWOZ",
        homepage="https://github.com/thu-coai/CrossWOZ",
        citation="""@article{zhu2020crosswoz,
  title={CrossWOZ: A Large-Scale Chinese Cross-Domain Task-Oriented Dialogue Dataset},
  author={Zhu, Qi and Huang, Kaili and Zhang, Zheng and Zhu, Xiaoyan and Huang, Minlie},
  journal={Transactions of the Association for Computational Linguistics}, year={2020}}""",
        counts={
            "default": {
                "train": {"dialogues": 5012, "utterances": 84692},
                "val": {"dialogues": 500, "utterances": 8458},
                "test": {"dialogues": 500, "utterances": 8476},
            }
        },
        configs={"default": "df82c9f"},
        files=tuple(
            SourceFile(f"data/crosswoz/{split}.json.zip", f"{_URL}data/crosswoz/{split}.json.zip", git_blob=blob)
            for split, blob in _GIT_BLOBS.items()
        ),
        coverage={"default": {"acts": 0.9878, "state": 0.4999, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`data/crosswoz/<split>.json`."""
        return {split: raw.glob(f"data/crosswoz/{split}.json")[:1] for split in _GIT_BLOBS}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The dialogues by id."""
        return read_json_members(file)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`sys_state_init`, the constraints so far as the wizard noted them, belongs to the user turn before."""
        name, raw = record
        turns: list[Turn] = []
        for message in raw["messages"]:
            acts = [_act(*each) for each in message["dialog_act"]]
            if message["role"] == "sys" and turns:
                turns[-1].state = [
                    state(slot, [value], domain)
                    for domain, slots in message["sys_state_init"].items()
                    for slot, value in slots.items()
                    if value and slot != "selectedResults"
                ]
            turns.append(Turn("user" if message["role"] == "usr" else "system", message["content"], acts=acts))
        domains = list(dict.fromkeys(domain for _, domain, *_ in raw["goal"]))
        yield Dialogue(name, split, turns, domains=domains, scenario="\n".join(raw["task description"]))


def _act(name: str, domain: str, slot: str, value: str) -> dict[str, Any]:
    """The act of `["Inform", domain, slot, value]`, or of `["General", "thank", "none", "none"]`."""
    if name == "General":
        return act(domain, name)
    return act(name, domain, None if slot == "none" else slot, [] if value in ("", "none") else [value])
