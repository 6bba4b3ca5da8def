"""ChatterBot corpus: questions to a chatbot and answers, in 28 languages, from volunteers (Cox, 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_yaml
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_COMMIT = "a01efece26661309b870af0251d96f94ee09fb19"
_LANGUAGES = {
    "english": "en",
    "bengali": "bn",
    "chinese": "zh",
    "dutch": "nl",
    "french": "fr",
    "german": "de",
    "hebrew": "he",
    "hindi": "hi",
    "hinglish": "hi-Latn",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "marathi": "mr",
    "oriya": "or",
    "persian": "fa",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "tamil": "ta",
    "telugu": "te",
    "thai": "th",
    "traditionalchinese": "zh-Hant",
    "turkish": "tr",
    "ukrainian": "uk",
    "urdu": "ur",
    "yoruba": "yo",
}
"""Folder -> language."""

_NOT_TRANSLATED = "swedish/conversations"
"""File with a copy of the English conversations."""


class ChatterbotCorpus(DialogueBuilder):
    """The user begins, then turns alternate. The domain is the name of the file."""

    INFO = SourceInfo(
        name="chatterbot_corpus",
        title="ChatterBot Language Training Corpus",
        kind="dialogues",
        languages=tuple(_LANGUAGES.values()),
        license="BSD-3-Clause",
        license_evidence="license.md of github.com/gunthercox/chatterbot-corpus",
        homepage="https://github.com/gunthercox/chatterbot-corpus",
        citation="""@misc{chatterbot-corpus,
  title={ChatterBot Language Training Corpus}, author={Cox, Gunther},
  howpublished={\\url{https://github.com/gunthercox/chatterbot-corpus}}}""",
        counts={"default": {ALL: {"dialogues": 7609, "utterances": 19535}}},
        configs={"default": "a01efec"},
        files=(
            SourceFile(
                path=f"chatterbot-corpus-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/gunthercox/chatterbot-corpus/tar.gz/{_COMMIT}",
                members="3859d018263f4574f1a8822efc7686badbb212fc4977f84f2c370d6cdd750be7",
                members_of=("chatterbot_corpus/data/*/*.yml",),
            ),
        ),
        notes="Mostly a question and an answer. More than half of the English dialogues repeat another, some languages "
        "read like machine translation, and some dialogues list several answers to one question as turns.",
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A folder for each language."""
        return {ALL: raw.glob(*(f"chatterbot_corpus/data/{folder}/*.yml" for folder in _LANGUAGES))}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Conversations with their places. Eight are no lists, since a lack of indentation joined their turns."""
        return ((n, c) for n, c in enumerate(read_yaml(file)["conversations"]) if isinstance(c, list))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The name is the language, the file and the place in it."""
        number, conversation = record
        turns = [Turn("system" if i % 2 else "user", text) for i, text in enumerate(conversation)]
        folder, name = file.name.removesuffix(".yml").split("/")[-2:]
        language = "en" if f"{folder}/{name}" == _NOT_TRANSLATED else _LANGUAGES[folder]
        yield Dialogue(f"{folder}/{name}/{number}", split, turns, language=language, domains=[name])
