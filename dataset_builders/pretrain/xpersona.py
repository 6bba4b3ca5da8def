"""XPersona: small talk in the role of a persona, and its translations into six languages (Lin et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceInfo, file_table
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import DialogueBuilder

_URL = "https://raw.githubusercontent.com/HLTCHKUST/Xpersona/1da049a1bbf3b01548f98cc23ba75ef871416e50/"
_SPLITS = {"train": "train", "valid": "validation", "test": "test", "split_valid": "test", "split_test": "test"}
_LANGUAGES = {"En": "en", "Fr": "fr", "Id": "id", "It": "it", "Jp": "ja", "Ko": "ko", "Zh": "zh"}

# the translations are those of the English test file, in its order: even ones are `split_test`, odd ones `split_valid`
_ENGLISH = 1000
_NOT_TRANSLATED = {
    "Fr": {6, 22, 390, 459},
    "Id": {70, *range(275, 306)},
    "It": {109, 157, *range(232, 950)},
    "Jp": set(),
    "Ko": {22, 274},
    "Zh": {*range(209, 501)},
}
_TRANSLATED = {
    language: [place for place in range(_ENGLISH) if place not in missing]
    for language, missing in _NOT_TRANSLATED.items()
}
"""Places of the English dialogues that a language has, which agree in the numbers of persona sentences and turns."""


class XPersona(DialogueBuilder):
    """Strict alternation. In the English `valid`, the first user turn is silence and is left out."""

    INFO = SourceInfo(
        name="xpersona",
        title="XPersona",
        kind="dialogues",
        languages=tuple(_LANGUAGES.values()),
        license="MIT",
        license_evidence="LICENSE of github.com/HLTCHKUST/Xpersona",
        homepage="https://github.com/HLTCHKUST/Xpersona",
        citation="""@inproceedings{lin2021xpersona,
  title={XPersona: Evaluating Multilingual Personalized Chatbot},
  author={Lin, Zhaojiang and Liu, Zihan and Winata, Genta Indra and Cahyawijaya, Samuel and Madotto, Andrea and
    Bang, Yejin and Ishii, Etsuko and Fung, Pascale},
  booktitle={Proceedings of the 3rd Workshop on Natural Language Processing for Conversational AI}, year={2021}}""",
        counts={
            "default": {
                "valid": {"dialogues": 1000, "utterances": 13632},
                "test": {"dialogues": 1000, "utterances": 15602},
                "split_valid": {"dialogues": 1668, "utterances": 25992},
                "split_test": {"dialogues": 1670, "utterances": 26090},
            }
        },
        configs={"default": "1da049a"},
        files=file_table(__file__, _URL),
        notes="The other languages are the English test dialogues, translated by a model and corrected by people. So "
        "their files for validation are tests as well. The English dialogues are of people alone.",
        origin="machine",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file for each language and split; those of translations are `split_valid` and `split_test`."""
        return {split: raw.glob(f"dataset/??_persona_{split}*.json") for split in _SPLITS}

    def split_name(self, original_split: str) -> str:
        """A translation is in the split of its original."""
        return _SPLITS[original_split]

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Records with their places."""
        return enumerate(super().records(file, split))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """A pair is what the user says and the answer."""
        place, raw = record
        language = file.name.rpartition("/")[2][:2]
        turns = [turn for asked, answer in raw["dialogue"] for turn in (Turn("user", asked), Turn("system", answer))]
        turns = [turn for turn in turns if turn.text != "__SILENCE__"]
        english = place if split == "test" else None
        if split.startswith("split_"):
            english = _TRANSLATED[language][2 * place + (split == "split_valid")]
        yield Dialogue(
            f"{language}/{split}/{place}",
            split,
            turns,
            language=_LANGUAGES[language],
            parallel_id=None if english is None else f"xpersona/{english}",
            origin="human" if language == "En" else "machine",
        )
