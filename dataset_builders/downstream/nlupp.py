"""NLU++: requests to a bank and a hotel, each with several intents (Casanueva et al., 2022)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275d8078af65b7731c2a98be812d844a6d6b/"


class Nlupp(IntentBuilder):
    """Twenty folds for cross-validation and no fixed split. The intents are combined: `change` + `booking`."""

    INFO = SourceInfo(
        name="nlupp",
        title="NLU++",
        kind="downstream",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="nlupp/LICENSE of github.com/PolyAI-LDN/task-specific-datasets",
        homepage="https://github.com/PolyAI-LDN/task-specific-datasets",
        citation="""@inproceedings{casanueva2022nlupp,
  title={{NLU++}: A Multi-Label, Slot-Rich, Generalisable Dataset for Natural Language Understanding in Task-Oriented
    Dialogue},
  author={Casanueva, I{\\~n}igo and Vuli{\\'c}, Ivan and Spithourakis, Georgios and Budzianowski, Pawe{\\l}},
  year={2022}, note={arXiv:2204.13021}}""",
        counts={"default": {ALL: {"rows": 3080}}},
        configs={"default": "57ec275"},
        files=file_table(__file__, _URL),
        notes="2,071 rows are of the banking domain, 1,009 of hotels. 362 rows have no intent, mostly bare values.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`<domain>/fold<number>.json`."""
        return {ALL: raw.glob("banking/fold*.json", "hotels/fold*.json")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered list."""
        return enumerate(read_json(file))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """The domain is the scenario; both domains share some intents."""
        number, row = record
        *_, domain, fold = file.name.removesuffix(".json").split("/")
        intents = row.get("intents", [])
        yield Utterance(f"{domain}/{fold}/{number}", split, row["text"], intents, domain, not intents)
