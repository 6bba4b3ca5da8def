"""Topical-Chat: crowd workers talk about what they have just read (Gopalakrishnan et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_members
from dataset_builders.sources.source import DialogueBuilder

_URL = "https://raw.githubusercontent.com/alexa/Topical-Chat/7c939229cbcf6f55f6977b341a5a2f2fe982d53f/"
_GIT_BLOBS = {
    "train": "b9d7bcbc71ce9a30dd681242c9b849edb3b54055",
    "valid_freq": "31ef8dedd366bd98552b12b2d8d423fc8a357801",
    "valid_rare": "9c9fed4696e94248b4c5c475cd3a4d6af9dd3bc5",
    "test_freq": "3731e2c97d09b97c1c818f684c00b6ad2dc9a3b9",
    "test_rare": "2bc6ab5811452a50570be2cf8c1bdf7b66318508",
}


class TopicalChat(DialogueBuilder):
    """Strict alternation; the first agent is the user. Entities of the rare splits hardly occur in train."""

    INFO = SourceInfo(
        name="topical_chat",
        title="Topical-Chat",
        kind="dialogues",
        languages=("en",),
        license="CDLA-Sharing-1.0",
        license_evidence="DATALICENSE of github.com/alexa/Topical-Chat",
        homepage="https://github.com/alexa/Topical-Chat",
        citation="""@inproceedings{gopalakrishnan2019topical,
  title={{Topical-Chat}: Towards Knowledge-Grounded Open-Domain Conversations},
  author={Gopalakrishnan, Karthik and Hedayatnia, Behnam and Chen, Qinlang and Gottardi, Anna and Kwatra, Sanjeev and
    Venkatesh, Anu and Gabriel, Raefer and Hakkani-T{\\"u}r, Dilek},
  booktitle={Interspeech}, year={2019}}""",
        counts={
            "default": {
                "train": {"dialogues": 8628, "utterances": 188378},
                "valid_freq": {"dialogues": 539, "utterances": 11681},
                "valid_rare": {"dialogues": 539, "utterances": 11692},
                "test_freq": {"dialogues": 539, "utterances": 11760},
                "test_rare": {"dialogues": 539, "utterances": 11770},
            }
        },
        configs={"default": "7c93922"},
        files=tuple(
            SourceFile(f"conversations/{split}.json", f"{_URL}conversations/{split}.json", git_blob=blob)
            for split, blob in _GIT_BLOBS.items()
        ),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file per split."""
        return {split: raw.glob(f"conversations/{split}.json")[:1] for split in _GIT_BLOBS}

    def split_name(self, original_split: str) -> str:
        """The names without what follows the underscore."""
        name = original_split.partition("_")[0]
        return super().split_name({"valid": "validation"}.get(name, name))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The conversations with their ids."""
        return read_json_members(file)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The annotated sentiment and sources of knowledge are no acts and are left out."""
        name, conversation = record
        turns = [Turn("user" if m["agent"] == "agent_1" else "system", m["message"]) for m in conversation["content"]]
        yield Dialogue(name, split, turns)
