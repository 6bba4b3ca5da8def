"""RussianMultiWOZ: MultiWOZ 2.2 in Russian (Nikitin and Kopachinskaya, 2022)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.common.reading import text_lines
from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder

_URL = "https://raw.githubusercontent.com/vonCount/Russian-MultiWOZ/1bd77673533e568ba0746ee304f758296f8dc77f/"


class RussianMultiWoz(DialogueBuilder):
    """A file has the dialogues of the English file with the same number, in the same order, a turn a line."""

    INFO = SourceInfo(
        name="russian_multiwoz",
        title="RussianMultiWOZ",
        kind="dialogues",
        languages=("ru",),
        license="MIT",
        license_evidence="LICENSE of github.com/vonCount/Russian-MultiWOZ",
        homepage="https://github.com/vonCount/Russian-MultiWOZ",
        citation="""@misc{nikitin2022multiwoz,
  title={Russian MultiWOZ 2.1: Multi-Domain Dialogue State Corrections and State Tracking Baselines},
  author={Nikitin, Ilya and Kopachinskaya, Anastasia}, year={2022},
  howpublished={github.com/vonCount/Russian-MultiWOZ}}""",
        counts={
            "default": {
                "train": {"dialogues": 8437, "utterances": 113552},
                "dev": {"dialogues": 1000, "utterances": 14748},
                "test": {"dialogues": 1000, "utterances": 14744},
            }
        },
        configs={"default": "1bd7767"},
        files=file_table(__file__, _URL),
        notes=(
            "Translation of multiwoz, turn by turn, with the same splits; it reads like machine translation. "
            "The brackets around slot values are left out, since they do not name the slot."
        ),
        origin="machine",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The texts, `<split>_dialogues_<number>_ru.txt`."""
        return {split: raw.glob(f"russian/{split}_dialogues_*_ru.txt") for split in ("train", "dev", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The lines of each dialogue; empty lines separate dialogues."""
        lines = text_lines(file.read().decode())
        groups = (list(group) for filled, group in itertools.groupby(lines, lambda line: bool(line.strip())) if filled)
        return enumerate(groups)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The user starts, then turns alternate."""
        number, lines = record
        part = re.search(r"_(\d+)_ru\.txt$", file.name)
        name = f"{split}-{part[1] if part else ''}-{number:03}"
        texts = (line.replace("[", "").replace("]", "") for line in lines)
        turns = [Turn("system" if i % 2 else "user", text) for i, text in enumerate(texts)]
        yield Dialogue(name, split, turns, parallel_id=f"multiwoz/{name}")
