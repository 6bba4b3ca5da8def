"""HWU64: what people say to a home assistant robot (Liu et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_COMMIT = "f6071b496b17d71e6eb43f543af0707f4ff30557"
_HEADER = ["answerid", "scenario", "intent", "answer_annotation", "answer_from_anno", "answer_from_user"]
_TRAIN, _TEST = "KFold_1/trainset/*.csv", "KFold_*/testset/csv/*.csv"


class Hwu64(IntentBuilder):
    """`kfold1`: the first of the ten folds of the paper. `all`: the ten test folds, which are the whole set."""

    INFO = SourceInfo(
        name="hwu64",
        title="HWU64",
        kind="downstream",
        languages=("en",),
        license="CC-BY-4.0",
        license_evidence="LICENSE and README of github.com/xliuhw/NLU-Evaluation-Data",
        homepage="https://github.com/xliuhw/NLU-Evaluation-Data",
        citation="""@inproceedings{liu2019benchmarking,
  title={Benchmarking Natural Language Understanding Services for building Conversational Agents},
  author={Liu, Xingkun and Eshghi, Arash and Swietojanski, Pawel and Rieser, Verena},
  booktitle={IWSDS}, year={2019}}""",
        counts={
            "kfold1": {"trainset": {"rows": 9960}, "testset": {"rows": 1076}},
            "all": {ALL: {"rows": 11036}},
        },
        configs={"kfold1": _COMMIT[:7], "all": _COMMIT[:7]},
        files=(
            SourceFile(
                f"NLU-Evaluation-Data-{_COMMIT}.tar.gz",
                f"https://codeload.github.com/xliuhw/NLU-Evaluation-Data/tar.gz/{_COMMIT}",
                members="42f7bf898591986358147f486a009bcfdac07016fac8b2344ed1051761b1ea00",
                members_of=(_TRAIN, _TEST),
            ),
        ),
        notes="62.7 % of its texts are in the English part of MASSIVE, 94 % of the held-out texts of SLURP are here: "
        "never train on one and test on another.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file per intent in each fold."""
        if config == "all":
            return {ALL: raw.glob(_TEST)}
        return {"trainset": raw.glob(_TRAIN), "testset": raw.glob(_TEST.replace("*", "1", 1))}

    def split_name(self, original_split: str) -> str:
        """`trainset` and `testset` without the ending."""
        return super().split_name(original_split.removesuffix("set"))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered rows."""
        return enumerate(read_csv(file, _HEADER, delimiter=";"))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """Many intents have the same name in several scenarios, so both are the label."""
        number, row = record
        label = f"{row['scenario']}_{row['intent']}"
        fold = next(part for part in file.name.split("/") if part.startswith("KFold_"))
        yield Utterance(f"{fold}/{label}/{number}", split, row["answer_from_anno"], label, row["scenario"])
