"""tau-bench: a simulated customer and an agent with tools, airline and shop (Yao et al., 2024)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json_lines
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_URL = "https://raw.githubusercontent.com/sierra-research/tau-bench/59a200c6d575d595120f1cb70fea53cef0632f6b/"
_GIT_BLOBS = {
    "few_shot_data/MockAirlineDomainEnv-few_shot.jsonl": "91700e830e58c742855a63193cded61488cfdf77",
    "few_shot_data/MockRetailDomainEnv-few_shot.jsonl": "82da545ff7a5986841f1e13b7bec9d2061e22503",
    "historical_trajectories/gpt-4o-airline.json": "a5f0d91569e740b949b37a181993b3f1822a86f4",
    "historical_trajectories/gpt-4o-retail.json": "27f588d9157513c3ad11de3db9e824021152d580",
    "historical_trajectories/sonnet-35-new-airline.json": "303ee85957d7c49d73a438179f35f062e51a1491",
    "historical_trajectories/sonnet-35-new-retail.json": "f2296500688950bac6c54578752ef134961aee06",
}
_MESSAGE = re.compile(r"^(user|assistant|tool): ", re.MULTILINE)


class TauBench(DialogueBuilder):
    """Messages without a text, which only call tools, and the tools' answers are no turns."""

    INFO = SourceInfo(
        name="tau_bench",
        title="tau-bench",
        kind="dialogues",
        languages=("en",),
        license="MIT",
        license_evidence="LICENSE of github.com/sierra-research/tau-bench",
        homepage="https://github.com/sierra-research/tau-bench",
        citation="""@misc{yao2024tau,
  title={tau-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains},
  author={Yao, Shunyu and Shinn, Noah and Razavi, Pedram and Narasimhan, Karthik},
  year={2024}, eprint={2406.12045}, archivePrefix={arXiv}}""",
        counts={"default": {}},
        configs={"default": "59a200c"},
        files=tuple(SourceFile(path, _URL + path, git_blob=blob) for path, blob in _GIT_BLOBS.items()),
        notes="Language models wrote both sides. Each of the 50 airline tasks occurs four times.",
        origin="machine",
        coverage={"default": {"domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """Examples as JSON lines, and recorded trials of the tasks."""
        return {ALL: raw.glob("few_shot_data/*.jsonl", "historical_trajectories/*.json")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """Position and record."""
        return enumerate(read_json_lines(file) if file.name.endswith("l") else super().records(file, split))

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """An example is one text, a trial a list of messages. `None` is no text, nor is `###STOP###`, which ends it."""
        number, raw = record
        if "messages_display" in raw:
            _, *parts = _MESSAGE.split(raw["messages_display"])
            messages = [(role, text.strip()) for role, text in zip(parts[::2], parts[1::2], strict=True)]
        else:
            messages = [(message["role"], message["content"] or "") for message in raw["traj"]]
        turns = [
            Turn("user" if role == "user" else "system", text.replace("###STOP###", ""))
            for role, text in messages
            if role in ("user", "assistant") and text != "None"
        ]
        stem = file.name.rsplit("/", 1)[-1].split(".")[0]
        scenario = raw["info"]["task"]["instruction"] if "info" in raw else None
        domain = "airline" if "airline" in stem.lower() else "retail"
        yield Dialogue(f"{stem}/{number}", split, turns, domains=[domain], scenario=scenario)
