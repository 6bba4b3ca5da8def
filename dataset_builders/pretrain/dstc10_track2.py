"""DSTC10 track 2, task 2: spoken dialogues on San Francisco, as a speech recogniser heard them (Kim et al., 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = (
    "https://raw.githubusercontent.com/alexa/alexa-with-dstc10-track2-dataset/4882acc6226d8d0826508a240a4a6bd66e651c12/"
)
_GIT_BLOBS = {
    "task2/data/val/logs.json": "6317df5d0e3e2bd31a6ec48e7e0fcffe70a71006",
    "task2/data/val/labels.json": "413a478d99ed5888c8534355faa2c05022b31684",
    "task2/data/test/logs.json": "b36380a089e7768e55beb1ec70a7b04f82f4ab1c",
}


class DSTC10Track2(DialogueBuilder):
    """An instance is a dialogue up to a user turn, so most are the beginning of a longer one."""

    INFO = SourceInfo(
        name="dstc10_track2",
        title="DSTC10 track 2: knowledge-grounded task-oriented dialogue modelling on spoken conversations",
        kind="dialogues",
        languages=("en",),
        license="Apache-2.0",
        license_evidence="LICENSE of github.com/alexa/alexa-with-dstc10-track2-dataset",
        homepage="https://github.com/alexa/alexa-with-dstc10-track2-dataset",
        citation="""@misc{kim2021how,
  title={"How robust r u?": Evaluating Task-Oriented Dialogue Systems on Spoken Conversations},
  author={Kim, Seokhwan and Liu, Yang and Jin, Di and Papangelis, Alexandros and Gopalakrishnan, Karthik and
    Hedayatnia, Behnam and Hakkani-Tur, Dilek}, year={2021}, eprint={2109.13489}, archivePrefix={arXiv}}""",
        counts={"default": {"val": {"dialogues": 107, "utterances": 1375}}},
        configs={"default": "4882acc"},
        files=tuple(SourceFile(path, _URL + path, git_blob=blob) for path, blob in _GIT_BLOBS.items()),
        notes="User turns are the first guess of a speech recogniser, with its errors.",
        coverage={"default": {"domains": 0.972}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`task2/data/<split>/logs.json`, with the answers in `labels.json` where there are any."""
        self._labels = {split: raw.glob(f"task2/data/{split}/labels.json") for split in ("val", "test")}
        return {split: raw.glob(f"task2/data/{split}/logs.json")[:1] for split in ("val", "test")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Position, turns and label of each instance that no other one continues."""
        logs = read_json(file)
        labels = read_json(self._labels[split][0]) if self._labels[split] else [{}] * len(logs)
        texts = [tuple(turn["text"] for turn in log) for log in logs]
        beginnings = {text[:end] for text in texts for end in range(len(text))}
        for number, (log, label) in enumerate(zip(logs, labels, strict=True)):
            if texts[number] not in beginnings:
                yield number, log, label

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """The answer of a label is the last turn; it names the domain that the knowledge for it comes from."""
        number, log, label = record
        turns = [Turn("user" if raw["speaker"] == "U" else "system", raw["text"]) for raw in log]
        if "response" in label:
            turns.append(Turn("system", label["response"]))
        domains = list(dict.fromkeys(each["domain"] for each in label.get("knowledge", [])))
        yield Dialogue(f"{split}/{number}", split, turns, domains=domains)
