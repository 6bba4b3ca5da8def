"""Self-dialogue Corpus: crowd workers write both sides of a chat on films, music, sport (Fainberg et al., 2018)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import RawDataError, read_csv
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_COMMIT = "113a1b0ff10308f1227c13a4aaded9bc85577816"
_CELL = "Answer.sentence"


class SelfDialogue(DialogueBuilder):
    """A row of the export is a dialogue of 2, 10 or 20 sentences. The first side is the user."""

    INFO = SourceInfo(
        name="self_dialogue",
        title="Self-dialogue Corpus",
        kind="dialogues",
        languages=("en",),
        license="BSD-3-Clause",
        license_evidence="LICENSE of github.com/jfainberg/self_dialogue_corpus, for the repository as a whole",
        homepage="https://github.com/jfainberg/self_dialogue_corpus",
        citation="""@article{fainberg2018talking,
  title={Talking to myself: self-dialogues as data for conversational agents},
  author={Fainberg, Joachim and Krause, Ben and Dobre, Mihai and Damonte, Marco and Kahembwe, Emmanuel and
    Duma, Daniel and Webber, Bonnie and Fancellu, Federico},
  journal={arXiv preprint arXiv:1809.06641}, year={2018}}""",
        counts={"default": {ALL: {"dialogues": 24165}}},
        configs={"default": "113a1b0"},
        files=(
            SourceFile(
                path=f"self_dialogue_corpus-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/jfainberg/self_dialogue_corpus/tar.gz/{_COMMIT}",
                members="36357c03c44ec3c10d40dc393d3c03e797d1bcc058dd4c76a470e94d7e159b89",
                members_of=("corpus/*/*.csv", "blocked_workers.txt"),
            ),
        ),
        notes="One person writes both sides of a dialogue. The workers whom upstream blocks are left out, as its own "
        "script does. 21 dialogues more than the README states.",
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The exports of all topics; a list beside them names the workers to leave out."""
        files, blocked = raw.glob("corpus/*/*.csv"), raw.glob("blocked_workers.txt")[:1]
        if files and not blocked:
            raise RawDataError(f"{files[0]}: expected blocked_workers.txt beside corpus/; unpack it too")
        self._blocked = {worker for file in blocked for worker in file.read().decode().split()}
        return {ALL: files}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Rows with their numbers. The header depends on the number of sentences."""
        header = next(csv.reader(io.StringIO(file.read().decode("utf-8-sig"))), [])
        return enumerate(read_csv(file, header), start=1)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The columns of the sentences are sorted as strings, so that the tenth comes after the first."""
        number, row = record
        if row["WorkerId"] in self._blocked:
            return
        cells = sorted((name for name in row if name.startswith(_CELL)), key=lambda name: int(name[len(_CELL) :]))
        turns = [Turn("system" if i % 2 else "user", row[name]) for i, name in enumerate(cells)]
        topic, name = file.name.split("/")[-2:]
        batch = name.removeprefix("Batch_").removesuffix("_batch_results.csv")
        yield Dialogue(f"{topic}/{batch}-{number}", split, turns, domains=[topic])
