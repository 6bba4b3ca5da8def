"""Bot Framework Skills: what people say to an office assistant, in six languages (Microsoft)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.common.reading import text_lines
from dataset_builders.schema import ALL, Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.source import IntentBuilder

_COMMIT = "1d51db8ab8249a32f4a5d0a506c3e683fd5a353b"
_FILES = "skills/csharp/*/LU/*.lu"
_LANGUAGES = {code: f"{code[:3]}{code[3:].upper()}" for code in ("en-us", "de-de", "es-es", "fr-fr", "it-it", "zh-cn")}
_MARK = re.compile(r"\{[^{}=]*=([^{}]*)\}")  # an entity: `{ToTime=5 pm}`
_PATTERN = re.compile(r"[{}\[\]|^]")  # a line with alternatives, optional words or an entity without a value


class BotframeworkSkills(IntentBuilder):
    """The language understanding files of 15 skills, without a split. The label is `<skill>/<intent>`."""

    INFO = SourceInfo(
        name="botframework_skills",
        title="Bot Framework Skills",
        kind="downstream",
        languages=tuple(_LANGUAGES.values()),
        license="MIT",
        license_evidence="LICENSE of github.com/microsoft/botframework-skills",
        homepage="https://github.com/microsoft/botframework-skills",
        citation="""@misc{botframeworkskills,
  title={Bot Framework Skills}, author={{Microsoft}}, howpublished={https://github.com/microsoft/botframework-skills}}""",
        counts={"default": {ALL: {"rows": 38994}}},
        configs={"default": _COMMIT[:7]},
        files=(
            SourceFile(
                f"botframework-skills-{_COMMIT}.tar.gz",
                f"https://codeload.github.com/microsoft/botframework-skills/tar.gz/{_COMMIT}",
                members="80f6b007a7580340caf71ae9e49bd75f7b48a0c47e73e8c579f2974240eb9204",
                members_of=(_FILES,),
            ),
        ),
        notes="Files that repeat the texts of others are left out: `General.lu` of each skill and the dispatchers. The "
        "other languages are translations of the English, by the look of them made by a machine. Three of five English "
        "rows are about settings of a car.",
        origin=None,
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`skills/csharp/.../<skill>/.../LU/<language>/<file>.lu`."""
        is_repeated = re.compile(r"(/general|Dispatch)\.lu$", re.IGNORECASE)
        return {ALL: [file for file in raw.glob(_FILES) if not is_repeated.search(file.name)]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Intent, number and text of the examples; other sections are about entities."""
        intent = ""
        for number, line in enumerate(text_lines(file.read().decode("utf-8-sig")), start=1):
            if line.startswith(("#", "@", "$", "[")):
                intent = line.strip("# ") if line.startswith("#") else ""
            elif line.startswith("-") and intent:
                yield intent, number, line.removeprefix("-")

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """Puts the values of entities, which may be nested, into the text."""
        intent, number, text = record
        code, *_, name = file.name.partition("/LU/")[2].removesuffix(".lu").split("/")
        skill = next(part for part in file.name.split("/") if part.endswith("skill")).removesuffix("skill")
        while (plain := _MARK.sub(r"\1", text)) != text:
            text = plain
        if not _PATTERN.search(text):
            yield Utterance(
                f"{code}/{skill}/{name}/{number}",
                split,
                " ".join(text.split()),
                intent if intent == "None" else f"{skill}/{intent}",
                skill,
                intent == "None",
                _LANGUAGES[code],
                # these files have a line for each line of the English one, others are sorted
                parallel_id=f"botframework_skills/{name}/{number}" if name.startswith("poi_") else None,
                origin=None if code == "en-us" else "machine",
            )
