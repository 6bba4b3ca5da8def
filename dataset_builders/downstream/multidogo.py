"""MultiDoGO: what customers say to the agents of six companies (Peskov et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_URL = (
    "https://raw.githubusercontent.com/awslabs/multi-domain-goal-oriented-dialogues-dataset/"
    "baa30639c4b271f394b81443c842193407cdf26d/"
)
_SMALL_TALK = ("contentonly", "confirmation", "rejection", "openinggreeting", "closinggreeting", "thankyou")
_HEADER = ["conversationId", "turnNumber", "sentenceNumber", "utteranceId", "utterance", "slot-labels", "intent"]
_OUT_OF_SCOPE = "outofdomain"


class Multidogo(IntentBuilder):
    """The sentences of the customers; the annotation of whole turns has the same texts and is not read."""

    INFO = SourceInfo(
        name="multidogo",
        title="MultiDoGO, sentences",
        kind="downstream",
        languages=("en",),
        license="CDLA-Permissive-1.0",
        license_evidence="LICENSE.txt of github.com/awslabs/multi-domain-goal-oriented-dialogues-dataset",
        homepage="https://github.com/awslabs/multi-domain-goal-oriented-dialogues-dataset",
        citation="""@inproceedings{peskov2019multi,
  title={Multi-Domain Goal-Oriented Dialogues ({MultiDoGO}): Strategies toward Curating and Annotating Large Scale
    Dialogue Data},
  author={Peskov, Denis and Clarke, Nancy and Krone, Jason and Fodor, Brigi and Zhang, Yi and Youssef, Adel and Diab,
    Mona},
  booktitle={EMNLP-IJCNLP}, year={2019}}""",
        counts={"default": {"train": {"rows": 85296}, "dev": {"rows": 11970}, "test": {"rows": 24370}}},
        configs={"default": "baa3063"},
        files=file_table(__file__, _URL),
        small_talk=_SMALL_TALK,
        notes="75 sentences are empty. Half of the rows repeat a text (`yes`, `hi`). `contentonly`, `confirmation`, "
        "`rejection`, greetings, thanks and `outofdomain` are five of six rows. 291 rows have "
        "several intents.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`splits_annotated_at_sentence_level/<domain>/<split>.tsv`."""
        return {s: raw.glob(f"splits_annotated_at_sentence_level/*/{s}.tsv") for s in ("train", "dev", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The rows; cells with line breaks are quoted."""
        return read_csv(file, _HEADER, delimiter="\t")

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """`<div>` separates intents."""
        domain = file.name.split("/")[-2]
        intents = record["intent"].split("<div>")
        place = "/".join(record[name] for name in ("conversationId", "turnNumber", "sentenceNumber"))
        is_out_of_scope = intents == [_OUT_OF_SCOPE]
        yield Utterance(f"{domain}/{place}", split, record["utterance"], intents, domain, is_out_of_scope)
