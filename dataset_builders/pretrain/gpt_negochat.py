"""GPT-Negochat: a candidate negotiates a job offer with an automated employer (Konovalov et al., 2016; Mannekote)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import ALL, Dialogue, Turn, act
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_json
from dataset_builders.sources.source import DialogueBuilder
from dataset_builders.sources.terms import terms_of

_COMMIT = "700c2aaa53861fc50e438d53ca3bb161cddaf1ac"


class GPTNegochat(DialogueBuilder):
    """A file is a dialogue, which names its split. A speaker may have several turns in a row."""

    INFO = SourceInfo(
        name="gpt_negochat",
        title="GPT-Negochat",
        kind="dialogues",
        languages=("en",),
        license="Apache-2.0",
        license_evidence="LICENSE of github.com/msamogh/GPT-NegoChat-Corpus",
        homepage="https://github.com/msamogh/GPT-NegoChat-Corpus",
        citation="""@misc{mannekote_gpt_negochat,
  title={GPT-Negochat: A more realistic corpus of negotiation dialogues},
  author={Mannekote, Amogh}, howpublished={github.com/msamogh/GPT-NegoChat-Corpus}}
@inproceedings{konovalov2016negochat,
  title={The Negochat Corpus of Human-agent Negotiation Dialogues},
  author={Konovalov, Vasily and Artstein, Ron and Melamud, Oren and Dagan, Ido}, booktitle={LREC}, year={2016}}""",
        counts={
            "default": {
                "train": {"dialogues": 69, "utterances": 2251},
                "test": {"dialogues": 35, "utterances": 1233},
            }
        },
        configs={"default": "700c2aa"},
        files=(
            SourceFile(
                path=f"GPT-NegoChat-Corpus-{_COMMIT}.tar.gz",
                url=f"https://codeload.github.com/msamogh/GPT-NegoChat-Corpus/tar.gz/{_COMMIT}",
                members="cbe42771f1e7be850b5ef4fa27c72f520304d30c56ce049d97378c94dd5a452c",
                members_of=("data/*.json",),
            ),
        ),
        notes="GPT-3 put most turns of the Negochat corpus, templates on the employer's side, into other words.",
        origin="machine",
        coverage={"default": {"acts": 0.909, "domains": 1.0}},
        terms=terms_of(__file__),
    )

    SPLITS_BY_ROW = True

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """`data/<number>.json`."""
        return {ALL: raw.glob("data/*.json")}

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The dialogue."""
        return [read_json(file)]

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Dialogue]:
        """`input` is the text and `output` its acts: `{"Offer": {"Salary": "..."}}`, `{"Query": "Salary"}`."""
        turns = [
            Turn(
                "user" if raw["role"] == "Candidate" else "system",
                raw.get("input", ""),
                acts=[each for acts in raw["output"] for name, value in acts.items() for each in _acts(name, value)],
            )
            for raw in record["turns"]
        ]
        name = file.name.rsplit("/", 1)[-1].removesuffix(".json")
        yield Dialogue(name, record["set"], turns, domains=["job negotiation"])


def _acts(name: str, value: Any) -> list[dict[str, Any]]:
    """Acts of a name and its slots with values, its slot alone, or true."""
    if isinstance(value, dict):
        return [act(name, slot=slot, values=[text]) for slot, text in value.items()]
    return [act(name, slot=value if isinstance(value, str) else None)]
