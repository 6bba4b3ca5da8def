"""ParaKQC: Korean questions and commands in sets of ten paraphrases (Cho et al., 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/warnikchow/paraKQC/c16270fe6c2e888af07e7cb043248ad31d8a6f9c/"
_TOPICS = ("mail", "schedule", "smart_home", "weather")
_KINDS = ("alternative_question", "wh_question", "prohibition", "requirement")
_PARAPHRASES = 10


class Parakqc(IntentBuilder):
    """Topic and kind of the sentence, both numbered in the file, are the label. No split."""

    INFO = SourceInfo(
        name="parakqc",
        title="ParaKQC",
        kind="downstream",
        languages=("ko",),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE of github.com/warnikchow/paraKQC",
        homepage="https://github.com/warnikchow/paraKQC",
        citation="""@inproceedings{cho2020discourse,
  title={Discourse Component to Sentence ({DC2S}): An Efficient Human-Aided Construction of Paraphrase and Sentence
    Similarity Dataset},
  author={Cho, Won Ik and Kim, Jong In and Moon, Young Ki and Kim, Nam Soo}, booktitle={LREC}, year={2020}}""",
        counts={"default": {ALL: {"rows": 10000}}},
        configs={"default": "c16270f"},
        files=(
            SourceFile(
                "data/paraKQC_v1.txt", f"{_URL}data/paraKQC_v1.txt", git_blob="cf3dd109f6316a0291cb7cfec4c88e02c9398ef7"
            ),
        ),
        notes="1,000 sets of ten paraphrases: rows of a set have the same `parallel_id`, hence are in one split.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file."""
        return {ALL: raw.glob("paraKQC_v1.txt")[:1]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered lines."""
        return enumerate(file.read().decode().rstrip("\n").split("\n"))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """`<topic> TAB <kind> TAB <text>`."""
        number, line = record
        first, second, text = line.split("\t")
        topic, paraphrases = _TOPICS[int(first)], number // _PARAPHRASES
        label = f"{topic}_{_KINDS[int(second)]}"
        yield Utterance(str(number), split, text, label, topic, parallel_id=f"parakqc/{paraphrases}")
