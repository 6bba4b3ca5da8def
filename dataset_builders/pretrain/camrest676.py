"""CamRest676: restaurant search in Cambridge, typed by people on both sides (Wen et al., 2016)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act, state
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import parse_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of


class CamRest676(DialogueBuilder):
    """676 dialogues without an official split. Each raw entry is a user turn and the system turn after it."""

    INFO = SourceInfo(
        name="camrest676",
        title="Cambridge restaurant dialogue domain dataset",
        kind="dialogues",
        languages=("en",),
        license="Apache-2.0",
        license_evidence=("LICENSE of github.com/shawnwun/NNDIAL, the authors' repository that publishes the file"),
        license_disputed="the file itself carries only 'Copyright Cambridge Dialogue Systems Group'",
        homepage="https://github.com/shawnwun/NNDIAL",
        citation="""@inproceedings{wen2016conditional,
  title={Conditional Generation and Snapshot Learning in Neural Dialogue Systems},
  author={Wen, Tsung-Hsien and Ga{\\v{s}}i{\\'c}, Milica and Mrk{\\v{s}}i{\\'c}, Nikola and others},
  booktitle={EMNLP}, year={2016}}""",
        counts={"default": {ALL: {"dialogues": 676, "utterances": 5488}}},
        configs={"default": "2016"},
        files=(
            SourceFile(
                path="CamRest676.json",
                url="https://raw.githubusercontent.com/shawnwun/NNDIAL/740f6d34594bcdd889080ce60c95384bda7594a2/data/CamRest676.json",
                sha256="ee197af04792060be4cda3079d79c177664d4329080717b8c1600f328fb9d5b1",
            ),
        ),
        notes="Almost wholly contained in WOZ 2.0.",
        coverage={"default": {"acts": 0.6, "state": 0.4998, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """The outermost copy of the file, of which versions with and without a comment header exist."""
        copies = sorted(raw.glob("CamRest676.json"), key=lambda f: (f.name.count("/"), f.name))
        return {ALL: copies[:1]}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The JSON without the `#` lines at the beginning of some copies."""
        lines = file.read().splitlines(keepends=True)
        return parse_json(b"".join(b"\n" if line.startswith(b"#") else line for line in lines), file)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`slu` repeats all constraints so far, so its informs are the state."""
        turns = []
        for entry in record["dial"]:
            slots = [(a["act"], slot, value) for a in entry["usr"]["slu"] for slot, value in a["slots"]]
            turns.append(
                Turn(
                    "user",
                    entry["usr"]["transcript"],
                    acts=[
                        act("request", slot=v) if a == "request" else act(a, slot=s, values=[v]) for a, s, v in slots
                    ],
                    state=[state(slot, [value]) for a, slot, value in slots if a == "inform"],
                )
            )
            # a slot name is a request, a list is a value to confirm
            acts = [
                act("request", slot=d) if isinstance(d, str) else act("confirm", values=d) for d in entry["sys"]["DA"]
            ]
            turns.append(Turn("system", entry["sys"]["sent"], acts=acts))
        scenario = record.get("goal", {}).get("text")
        yield Dialogue(str(record["dialogue_id"]), split, turns, domains=["restaurant"], scenario=scenario)
