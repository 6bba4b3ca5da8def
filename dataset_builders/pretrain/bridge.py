"""Bridge: excerpts of tutoring in mathematics by chat, in which the student makes a mistake (Wang et al., 2024)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/rosewang2008/bridge/a5b1d426ce517e0aeb4b7b2a64e842501c98e38f/"
_GIT_BLOBS = {
    "train": "f5c776e4cda5b7af12187df07ca79c6cbed5c032",
    "validation": "98c2814230b4a0f0ce8268d9e36917e16e90f40f",
    "test": "ceade3aeb35e12105572094fcca307bffc1caef2",
}


class Bridge(DialogueBuilder):
    """A speaker may have several turns in a row. The replies that experts would give are left out."""

    INFO = SourceInfo(
        name="bridge",
        title="Bridge",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE of github.com/rosewang2008/bridge",
        homepage="https://github.com/rosewang2008/bridge",
        citation="""@inproceedings{wang2024bridging,
  title={Bridging the Novice-Expert Gap via Models of Decision-Making: A Case Study on Remediating Math Mistakes},
  author={Wang, Rose E. and Zhang, Qingyang and Robinson, Carly and Loeb, Susanna and Demszky, Dorottya},
  booktitle={NAACL}, year={2024}}""",
        counts={
            "default": {
                "train": {"dialogues": 340, "utterances": 2350},
                "validation": {"dialogues": 66, "utterances": 462},
                "test": {"dialogues": 187, "utterances": 1291},
            }
        },
        configs={"default": "a5b1d42"},
        files=tuple(
            SourceFile(f"dataset/{split}.json", f"{_URL}dataset/{split}.json", git_blob=blob)
            for split, blob in _GIT_BLOBS.items()
        ),
        notes=(
            "Records of one excerpt, with the annotations of several experts, are one dialogue: 593 of 700 records. 94 "
            "excerpts of train are also in test, 27 in validation."
        ),
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`dataset/<split>.json`."""
        return {split: raw.glob(f"dataset/{split}.json")[:1] for split in _GIT_BLOBS}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The first record of each excerpt."""
        first: dict[str, Any] = {}
        for record in super().records(file, split):
            first.setdefault(record["c_id"], record)
        return first.values()

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`c_h` is the history, `c_r` the tutor's reply."""
        turns = [
            Turn("system" if raw["user"] == "tutor" else "user", raw["text"]) for raw in record["c_h"] + record["c_r"]
        ]
        name = record["c_id"]
        yield Dialogue(f"{split}/{name}", split, turns, name, domains=["tutoring"], scenario=record["lesson_topic"])
