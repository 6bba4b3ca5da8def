"""KdConv: Chinese conversations about films, music and travel, from a knowledge graph (Zhou et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/thu-coai/KdConv/653db76432de09a004ba708a68f8bbd5500e6bec/"


class KdConv(DialogueBuilder):
    """Two people take turns; the first is the user. The facts behind a turn are ignored: they are no acts or slots."""

    INFO = SourceInfo(
        name="kdconv",
        title="KdConv",
        kind="dialogues",
        languages=("zh",),
        license="Apache-2.0",
        license_evidence="LICENSE of github.com/thu-coai/KdConv",
        homepage="https://github.com/thu-coai/KdConv",
        citation="""@inproceedings{zhou2020kdconv,
  title={KdConv: A Chinese Multi-domain Dialogue Dataset Towards Multi-turn Knowledge-driven Conversation},
  author={Zhou, Hao and Zheng, Chujie and Huang, Kaili and Huang, Minlie and Zhu, Xiaoyan},
  booktitle={ACL}, year={2020}}""",
        counts={
            "default": {
                "train": {"dialogues": 3600},
                "dev": {"dialogues": 450, "utterances": 9321},
                "test": {"dialogues": 450, "utterances": 9737},
            }
        },
        configs={"default": "653db76"},
        files=file_table(__file__, _URL),
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`data/<domain>/<split>.json`."""
        return {split: raw.glob(f"data/*/{split}.json") for split in ("train", "dev", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Position and record."""
        return enumerate(super().records(file, split))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The folder is the domain."""
        number, raw = record
        domain = file.name.split("/")[-2]
        turns = [Turn("system" if i % 2 else "user", raw["message"]) for i, raw in enumerate(raw["messages"])]
        yield Dialogue(f"{domain}/{split}/{number}", split, turns, domains=[domain])
