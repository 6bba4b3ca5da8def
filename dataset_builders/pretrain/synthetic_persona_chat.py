"""Synthetic-Persona-Chat: two personas talk, written by a language model (Jandaghi et al., 2023)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import marked_turns, read_csv
from dataset_builders.sources.source import DialogueBuilder

_URL = (
    "https://raw.githubusercontent.com/google-research-datasets/Synthetic-Persona-Chat/"
    "1f367a0f05d388ca96ebbbc9e5752ab19ac76510/data/"
)
_GIT_BLOBS = {
    "train": "5d1156c9fdd0ebe4252aaadace8fbfab694632f9",
    "valid": "0d35b439a5c7659863848f5456720fc7945ea2f8",
    "test": "9cc6c3058189e8ad7ac0028544356e37585a6a4b",
}
_MARK = re.compile(r"[*\s]*User ?([12])\s*:[*\s]*")


class SyntheticPersonaChat(DialogueBuilder):
    """User 1 is the user, user 2 the system. The personas and splits are those of Persona-Chat."""

    INFO = SourceInfo(
        name="synthetic_persona_chat",
        title="Synthetic-Persona-Chat",
        kind="dialogues",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="README of github.com/google-research-datasets/Synthetic-Persona-Chat",
        homepage="https://github.com/google-research-datasets/Synthetic-Persona-Chat",
        citation="""@misc{jandaghi2023faithful,
  title={Faithful Persona-based Conversational Dataset Generation with Large Language Models},
  author={Pegah Jandaghi and XiangHai Sheng and Xinyi Bai and Jay Pujara and Hakim Sidahmed},
  year={2023}, eprint={2312.10007}, archivePrefix={arXiv}, primaryClass={cs.CL}}""",
        counts={
            "default": {
                "train": {"dialogues": 8938},
                "valid": {"dialogues": 1000},
                "test": {"dialogues": 968},
            }
        },
        configs={"default": "1f367a0"},
        files=tuple(
            SourceFile(f"data/{name}", _URL + name, git_blob=blob)
            for name, blob in ((f"Synthetic-Persona-Chat_{split}.csv", blob) for split, blob in _GIT_BLOBS.items())
        ),
        notes="Some texts have placeholders such as `[User 1's name]`. Two cells do not say "
        "who speaks and are left out. The second part, with personas that are also made by a model, is not read.",
        origin="machine",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file per split."""
        return {split: raw.glob(f"Synthetic-Persona-Chat_{split}.csv")[:1] for split in _GIT_BLOBS}

    def split_name(self, original_split: str) -> str:
        """`valid` is for validation."""
        return super().split_name({"valid": "validation"}.get(original_split, original_split))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Rows with their numbers."""
        return enumerate(read_csv(file, ["user 1 personas", "user 2 personas", "Best Generated Conversation"]), start=1)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """Lines without a speaker are stage directions (The next day), or a list after a colon, such as a recipe."""
        number, row = record
        turns = []
        for who, text in marked_turns(row["Best Generated Conversation"], _MARK):
            first_line = text.partition("\n")[0]
            if who:
                turns.append(Turn("user" if who == "1" else "system", text if first_line.endswith(":") else first_line))
        if turns:
            yield Dialogue(f"{split}/{number}", split, turns)
