"""ASDC: a hotel search in Japanese, whole dialogues and short exchanges, typed by people (Hayashibe, 2022)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json, read_json_lines
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_COMMIT = "f37d6575c73602adcb8ae3687520726793baa672"
_FILES = ("data/main/dialog/json/*.json", "data/vanilla/*.jsonl", "data/supplemental/utterances/*.jsonl")


class ASDC(DialogueBuilder):
    """Three parts, whose records each name their split. A speaker may have several turns in a row."""

    INFO = SourceInfo(
        name="asdc",
        title="Accommodation Search Dialog Corpus",
        kind="dialogues",
        languages=("ja",),
        license="CC-BY-4.0",
        license_evidence="README.md of github.com/megagonlabs/asdc",
        homepage="https://github.com/megagonlabs/asdc",
        citation="""@inproceedings{hayashibe2022self,
  title={Self-Contained Utterance Description Corpus for Japanese Dialog},
  author={Hayashibe, Yuta}, booktitle={LREC}, pages={1249--1255}, year={2022}}""",
        counts={
            "default": {
                "train": {"dialogues": 125 + 21317 + 37235},
                "dev": {"dialogues": 41 + 2701 + 7599},
                "test": {"dialogues": 44 + 2709 + 6556},
            }
        },
        configs={"default": "f37d657"},
        files=(
            SourceFile(
                path=f"asdc-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/megagonlabs/asdc/tar.gz/{_COMMIT}",
                members="995fb7e4834fb1985a1ca62c6c0efb7e94435076ad451da806fe2cee847550e5",
                members_of=_FILES,
            ),
        ),
        notes=(
            "210 are whole dialogues, the others exchanges that crowd workers made up. The 48,072 of one utterance "
            "are left out, and so are the acts, which upstream gives for sentences."
        ),
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    SPLITS_BY_ROW = True

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The files of all parts."""
        return {ALL: raw.glob(*_FILES)}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """JSON lines, or one dialogue."""
        return read_json_lines(file) if file.name.endswith("l") else [read_json(file)]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The customer is called `user` or `customer_<number>`."""
        utterances = record["utterances"]
        if len(utterances) == 1:
            return
        meta = record if "docid" in record else {"docid": record["meta"]["id"], **record["meta"]}
        turns = [Turn("user" if u["name"].startswith(("user", "cust")) else "system", u["text"]) for u in utterances]
        yield Dialogue(meta["docid"]["id"], meta["purpose"], turns, domains=["hotel"])
