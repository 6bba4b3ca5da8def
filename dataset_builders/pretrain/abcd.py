"""ABCD: customers of a shop and agents bound to its policies, typed by people on both sides (Chen et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_SPLITS = ("train", "dev", "test")


class ABCD(DialogueBuilder):
    """A speaker may write several turns in a row. The agent's actions in the shop's system are acts, not turns."""

    INFO = SourceInfo(
        name="abcd",
        title="Action-Based Conversations Dataset",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE of github.com/asappresearch/abcd",
        homepage="https://github.com/asappresearch/abcd",
        citation="""@inproceedings{chen2021abcd,
  title={Action-Based Conversations Dataset: A Corpus for Building More In-Depth Task-Oriented Dialogue Systems},
  author={Chen, Derek and Chen, Howard and Yang, Yi and Lin, Alex and Yu, Zhou}, booktitle={NAACL}, year={2021}}""",
        counts={
            "default": {"train": {"dialogues": 8034}, "dev": {"dialogues": 1004}, "test": {"dialogues": 1004}},
        },
        configs={"default": "1.1"},
        files=(
            SourceFile(
                "abcd_v1.1.json.gz",
                "https://raw.githubusercontent.com/asappresearch/abcd/6b8700ce67c6b37b062dd7a60abc76d7ef832a97/data/abcd_v1.1.json.gz",
                git_blob="c6fecb3aed30309ca3456ed93a0a19c98cade1a4",
            ),
        ),
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file holds every split."""
        return {split: raw.glob("abcd_v1.1.json")[:1] for split in _SPLITS}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The list of one split."""
        return read_json(file)[split]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`original` has the texts, `delexed` the labels of each: [intent, next step, action, values, ...]."""
        turns: list[Turn] = []
        for (speaker, text), labels in zip(record["original"], record["delexed"], strict=True):
            _, _, action, values, *_ = labels["targets"]
            if speaker != "action":
                turns.append(Turn("user" if speaker == "customer" else "system", text))
            elif turns:
                turns[-1].acts.append(act(action or text, values=[str(value) for value in values]))
        scenario = record["scenario"]
        domains = [scenario["flow"], scenario["subflow"]]
        yield Dialogue(str(record["convo_id"]), split, turns, domains=domains)
