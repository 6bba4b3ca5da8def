"""SNIPS: seven intents of a voice assistant (Coucke et al., 2018)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders import schema
from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import parse_json
from dataset_builders.sources.source import IntentBuilder

_URL = (
    "https://raw.githubusercontent.com/snipsco/nlu-benchmark/b86ac7f1577868c42158d0dec77db50956046696/"
    "2017-06-custom-intent-engines/"
)
_INTENTS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)
_TRAIN = {"full": "train_{0}_full.json", "usual": "train_{0}_full.json", "small": "train_{0}.json"}
_HELD_OUT = 100  # rows per intent; leaves 13,784 - 7 x 100 = 13,084 for train, the size that papers report


class Snips(IntentBuilder):
    """`full`: all training data. `usual`: 100 rows per intent held out for validation (papers do not publish theirs).

    `small` is upstream's small training set, a subset of the full one.
    """

    INFO = SourceInfo(
        name="snips",
        title="SNIPS",
        kind="downstream",
        languages=("en",),
        license="CC0-1.0",
        license_evidence="LICENSE of github.com/snipsco/nlu-benchmark",
        homepage="https://github.com/snipsco/nlu-benchmark",
        citation="""@article{coucke2018snips,
  title={Snips Voice Platform: an Embedded Spoken Language Understanding System for Private-by-Design Voice Interfaces},
  author={Coucke, Alice and Saade, Alaa and Ball, Adrien and others}, journal={arXiv:1805.10190}, year={2018}}""",
        counts={
            "full": {"train": {"rows": 13784}, "validate": {"rows": 700}},
            "usual": {"train": {"rows": 13084}, "held_out": {"rows": 700}, "validate": {"rows": 700}},
            "small": {"train": {"rows": 2100}, "validate": {"rows": 700}},
        },
        configs=dict.fromkeys(_TRAIN, "2017-06"),
        files=file_table(__file__, _URL),
        notes="26 of 700 test texts occur in train.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file per intent. Papers test on upstream's `validate`."""
        train = [f for intent in _INTENTS for f in raw.glob(_TRAIN[config].format(intent))[:1]]
        held_out = {"held_out": train} if config == "usual" else {}
        return {
            "train": train,
            **held_out,
            "validate": [f for intent in _INTENTS for f in raw.glob(f"validate_{intent}.json")[:1]],
        }

    def split_name(self, original_split: str) -> schema.Split:
        """The split of a list; upstream's `validate` is the test set."""
        return {"train": "train", "held_out": "validation", "validate": "test"}[original_split]  # type: ignore[return-value]

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The entries of {intent: [entries]}; one file encodes an emoji as two surrogates, which is invalid UTF-8."""
        text = file.read().decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
        ((intent, entries),) = parse_json(text.encode(), file).items()
        rows = [(f"{intent}/{number}", intent, entry) for number, entry in enumerate(entries)]
        if self.config.name != "usual" or split == "validate":
            return rows
        # the entries with the smallest hashes are held out, which needs no random generator
        ordered = sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).digest())
        held_out = {row[0] for row in ordered[:_HELD_OUT]}
        return [row for row in rows if (row[0] in held_out) == (split == "held_out")]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """Joins the pieces of the utterance."""
        row_id, intent, entry = record
        yield Utterance(row_id, split, "".join(piece["text"] for piece in entry["data"]), intent)
