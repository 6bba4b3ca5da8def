"""Frames: travel packages, typed by people on both sides, with a memory of several offers (El Asri et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act, state
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_ZIP = "https://download.microsoft.com/download/4/b/f/4bf15895-4152-4008-8e68-605912cf7a65/Frames-dataset.zip"


class Frames(DialogueBuilder):
    """The user starts, then turns alternate. The wizard's database results, most of the bytes, are ignored."""

    INFO = SourceInfo(
        name="frames",
        title="Frames",
        kind="dialogues",
        languages=("en",),
        license="LicenseRef-Maluuba-Frames",
        license_evidence="LICENSE.pdf in the archive: non-commercial research and limited personal use; no passing on",
        homepage="https://www.microsoft.com/en-us/research/project/frames-dataset/",
        citation="""@inproceedings{elasri2017frames,
  title={Frames: A Corpus for Adding Memory to Goal-Oriented Dialogue Systems},
  author={El Asri, Layla and Schulz, Hannes and Sharma, Shikhar and others},
  booktitle={SIGDIAL}, year={2017}}""",
        counts={"default": {ALL: {"dialogues": 1369, "utterances": 19986}}},
        configs={"default": "1.0"},
        files=(SourceFile("Frames-dataset.zip", _ZIP),),
        accept_license=True,
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`frames.json`, in its archive or unpacked."""
        return {ALL: raw.glob("frames.json")[:1]}

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The active frame of a user turn is the state."""
        turns = []
        for raw in record["turns"]:
            turn = Turn("user" if raw["author"] == "user" else "system", raw["text"])
            labels = raw.get("labels") or {}
            for a in labels.get("acts", []):
                args = [(arg["key"], arg.get("val")) for arg in a["args"]] or [(None, None)]
                turn.acts.extend(act(a["name"], slot=key, values=_values(value)) for key, value in args)
            if turn.speaker == "user":
                active = [f for f in labels.get("frames", []) if f["frame_id"] == labels.get("active_frame")]
                turn.state = [
                    state(slot, [text for value in values for text in _values(value["val"])])
                    for frame in active
                    for slot, values in frame["info"].items()
                ]
            turns.append(turn)
        yield Dialogue(record["id"], split, turns, domains=["travel"])


def _values(value: Any) -> list[str]:
    """The texts of a value, which may be missing, a string, a bool, an int, or a list of references to frames."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [str(value)]
    inner = [a for ref in value if isinstance(ref, dict) for a in ref.get("annotations", [])]
    return [str(a["val"]) for a in inner if a.get("val") is not None] or [
        str(v) for v in value if not isinstance(v, dict)
    ]
