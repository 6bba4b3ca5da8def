"""QMSum: meetings of a project team, of researchers and of committees, as they were spoken (Zhong et al., 2021)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder

_COMMIT = "83d7768c1f2b4dfeb091385d3dc7e239b8e5bb7e"
_MARK = re.compile(r"\s*\{\w+\}")  # {disfmarker}, {vocalsound}


class QMSum(DialogueBuilder):
    """A meeting is cut where a topic begins. The first speaker of a part is the user, all others are the system."""

    INFO = SourceInfo(
        name="qmsum",
        title="QMSum",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE of github.com/Yale-LILY/QMSum",
        license_disputed="the transcripts are those of AMI, ICSI and two parliaments, which have terms of their own",
        homepage="https://github.com/Yale-LILY/QMSum",
        citation="""@inproceedings{zhong2021qmsum,
  title={{QMS}um: {A} {N}ew {B}enchmark for {Q}uery-based {M}ulti-domain {M}eeting {S}ummarization},
  author={Zhong, Ming and Yin, Da and Yu, Tao and Zaidi, Ahmad and Mutuma, Mutethia and Jha, Rahul and
    Hassan Awadallah, Ahmed and Celikyilmaz, Asli and Liu, Yang and Qiu, Xipeng and Radev, Dragomir},
  booktitle={NAACL}, year={2021}}""",
        counts={
            "default": {
                "train": {"dialogues": 851, "utterances": 84173},
                "val": {"dialogues": 181, "utterances": 18870},
                "test": {"dialogues": 196, "utterances": 19862},
            }
        },
        configs={"default": "83d7768"},
        files=(
            SourceFile(
                path=f"QMSum-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/Yale-LILY/QMSum/tar.gz/{_COMMIT}",
                members="f8728ad19ef2073bce90868ed8a34f2162b1965d2d651f344037d80c1371be94",
                members_of=("data/ALL/train/*.json", "data/ALL/val/*.json", "data/ALL/test/*.json"),
            ),
        ),
        notes="232 meetings, cut into parts by topic. Marks such as `{disfmarker}` are left out.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file is a meeting; ALL has the meetings of the folders for each kind of them."""
        return {split: raw.glob(f"data/ALL/{split}/*.json") for split in ("train", "val", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The one meeting."""
        return [read_json(file)]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The spans of the topics overlap and leave gaps, so that only their beginnings are used."""
        transcript = record["meeting_transcripts"]
        starts = {int(start) for topic in record["topic_list"] for start, _ in topic["relevant_text_span"]}
        meeting = file.name.rpartition("/")[2].removesuffix(".json")
        for start, end in pairwise(sorted({0, *starts, len(transcript)})):
            numbers: dict[str, str] = {}
            turns = []
            for speech in transcript[start:end]:
                text = _MARK.sub("", speech["content"]).strip()
                number = numbers.setdefault(speech["speaker"], str(len(numbers) + 1)) if text else None
                turns.append(Turn("user" if number == "1" else "system", text, speaker_id=number))
            if numbers:  # otherwise nobody says a word
                yield Dialogue(f"{split}/{meeting}/{start}", split, turns)
