"""WOZ 2.0: restaurant search typed by people, in three languages (Mrkšić et al., 2017; Mrkšić & Vulić, 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn, act, state
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = (
    "https://raw.githubusercontent.com/nmrksic/neural-belief-tracker/63b5933d867fd9dacc2bfadcc5f6be3a3ef8ee77/data/woz/"
)
_SHA256 = {
    "woz_train_en.json": "7cd9e971553e5f3e80bb0c93164bf4c619c7f49f45d636a0512474cdeb074485",
    "woz_validate_en.json": "ae1ea9067fd05c0179d349f140b38de1b2db587d5bfcb4f99ef0d77474ab00ad",
    "woz_test_en.json": "3673e433b21a6b0d74e9144bd059e64b29bc3e1c5dc0e18654a98ec597c0d72c",
    "woz_train_de.json": "5a45bf0aefd258dbd05fd178b0be04ea7bbd4594b245e381f4ffeaabe3fa3c8a",
    "woz_validate_de.json": "d2c0086b86430b61eab7f816c6f34d52e79a403a46e9b45d5867b0fa912cfb48",
    "woz_test_de.json": "e40219302733703ae5beadccd7cc4079befdc720903b9ccf22b4a952c83bdbe6",
    "woz_train_it.json": "233b8b473f1a5d65e576cdbcb86e282388b5035f93394f136375654ff1753b05",
    "woz_validate_it.json": "81daa64a2969d181702332597e291c298156c1b2a9ce525c52889327dafe91e0",
    "woz_test_it.json": "5a86bd9fb3f86fde802dd5121f6b1e83e3f9b4925d5b7e0ee32fb574b3b2d28b",
}
_LANGUAGES = ("en", "de", "it")
_COUNTS = {
    "train": {"dialogues": 600, "utterances": 4472},
    "validate": {"dialogues": 200, "utterances": 1460},
    "test": {"dialogues": 400, "utterances": 2892},
}
# 13 German user texts of train are empty
_COUNTS_DE = {**_COUNTS, "train": {"dialogues": 600, "utterances": 4459}}
_COUNTS_ALL = {
    split: {key: 2 * _COUNTS[split][key] + _COUNTS_DE[split][key] for key in _COUNTS[split]} for split in _COUNTS
}
_COVERAGE = {
    "all": {"acts": 0.5005, "state": 0.5677, "domains": 1.0},
    "en": {"acts": 0.5007, "state": 0.5679, "domains": 1.0},
    "de": {"acts": 0.5001, "state": 0.5672, "domains": 1.0},
    "it": {"acts": 0.5007, "state": 0.5679, "domains": 1.0},
}


class Woz(DialogueBuilder):
    """1,200 dialogues in English, German and Italian, with the same index and split in all three languages."""

    INFO = SourceInfo(
        name="woz",
        title="WOZ 2.0",
        kind="dialogues",
        languages=_LANGUAGES,
        license="Apache-2.0",
        license_evidence="LICENSE of github.com/nmrksic/neural-belief-tracker, the authors' repository",
        homepage="https://github.com/nmrksic/neural-belief-tracker",
        citation="""@inproceedings{mrksic2017neural,
  title={Neural Belief Tracker: Data-Driven Dialogue State Tracking},
  author={Mrk{\\v{s}}i{\\'c}, Nikola and {\\'O} S{\\'e}aghdha, Diarmuid and others},
  booktitle={ACL}, year={2017}}""",
        counts={"all": _COUNTS_ALL, "en": _COUNTS, "de": _COUNTS_DE, "it": _COUNTS},
        configs={"all": "2.0", "en": "2.0", "de": "2.0", "it": "2.0"},
        notes="In German and Italian only the user's side is translated; the system's texts are English.",
        files=tuple(SourceFile(name, _URL + name, sha256, config=name[-7:-5]) for name, sha256 in _SHA256.items()),
        coverage=_COVERAGE,
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`woz_<split>_<language>.json`."""
        languages = _LANGUAGES if config == "all" else (config,)
        return {
            split: [file for language in languages for file in raw.glob(f"woz_{split}_{language}.json")]
            for split in ("train", "validate", "test")
        }

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The system text of an entry comes before its user text; the first system text is always empty."""
        language = file.name[-len("en.json") :][:2]
        turns = []
        for entry in record["dialogue"]:
            # a slot alone is a request, a [slot, value] pair a confirmation
            acts = [
                act("request", slot=a) if isinstance(a, str) else act("confirm", slot=a[0], values=a[1:])
                for a in entry["system_acts"]
            ]
            turns.append(Turn("system", entry["system_transcript"], acts=acts))
            label = [
                act("request", slot=value) if slot == "request" else act("inform", slot=slot, values=[value])
                for slot, value in entry["turn_label"]
            ]
            goal = [
                state(slot, [value])
                for belief in entry["belief_state"]
                if belief["act"] == "inform"
                for slot, value in belief["slots"]
            ]
            turns.append(Turn("user", entry["transcript"], acts=label, state=goal))
        index = str(record["dialogue_idx"])
        # without the user's empty texts of some German dialogues, turns would no longer be at the same place
        is_whole = all(turn.text.strip() for turn in turns[1:])
        yield Dialogue(
            f"{language}/{index}",
            split,
            turns,
            index,
            language,
            domains=["restaurant"],
            parallel_id=f"woz/{index}" if is_whole else None,
        )
