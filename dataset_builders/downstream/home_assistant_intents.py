"""Home Assistant: commands to a smart home in 58 languages, from the project's own tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_yaml
from dataset_builders.sources.source import IntentBuilder

_COMMIT = "aa550032a57b67c13995c032220bc4101521ead2"
_FILES = "tests/*/[!_]*.yaml"
_CODES = (  # noqa: SIM905  shorter to read as words
    "en ar bg bn ca cs da de de-CH el es et eu fa fi fr ga gl he hi hr hu id is it ja ka ko kw lb lt lv ml mn ms nb ne "
    "nl pl pt pt-br ro ru sk sl sr sr-Latn sv sw te th tr uk ur vi zh-cn zh-hk zh-tw"
).split()
_TAGS = {code: f"{code[:3]}{code[3:].upper()}" for code in ("pt-br", "zh-cn", "zh-hk", "zh-tw")}


class HomeAssistantIntents(IntentBuilder):
    """A folder of tests for each language, without a split."""

    INFO = SourceInfo(
        name="home_assistant_intents",
        title="Home Assistant Intents",
        kind="downstream",
        languages=tuple(_TAGS.get(code, code) for code in _CODES),
        license="CC-BY-4.0",
        license_evidence="LICENSE.md of github.com/home-assistant/intents",
        homepage="https://github.com/home-assistant/intents",
        citation="""@misc{homeassistantintents,
  title={Intents for Home Assistant}, howpublished={https://github.com/home-assistant/intents}}""",
        counts={"default": {ALL: {"rows": 26397}}},
        configs={"default": _COMMIT[:7]},
        files=(
            SourceFile(
                f"intents-{_COMMIT}.tar.gz",
                f"https://codeload.github.com/home-assistant/intents/tar.gz/{_COMMIT}",
                members="a9872303fdf483fec23361edb1b8d13b7762cf76bbbf5211f3c3778fbfd554b2",
                members_of=(_FILES,),
            ),
        ),
        notes="Written by volunteers as regression tests: many paraphrases; 15 languages have fewer than 60 rows. "
        "The sentences of `_test_failures.yaml`, which the grammar misses, are left out: they are commands too.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`tests/<language>/<domain>_<intent>.yaml`, in English also `tests/en/<intent>/<case>.yaml`."""
        return {ALL: raw.glob(_FILES)}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered tests of a file."""
        return enumerate(read_yaml(file)["tests"])

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """The sentences of a test, all with the same intent."""
        number, test = record
        code, *folders, name = file.name.rpartition("tests/")[2].removesuffix(".yaml").split("/")
        intent = test["intent"]["name"] if "intent" in test else folders[0]
        place = "/".join([code, *folders, name, str(number)])
        for sentence_number, sentence in enumerate(test["sentences"]):
            yield Utterance(f"{place}/{sentence_number}", split, sentence, intent, language=_TAGS.get(code, code))
