"""CLINC150: 150 intents over 10 domains, and out-of-scope queries (Larson et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import RawDataError, read_json
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/"
_FILE_OF = {
    "full": "data_full.json",
    "small": "data_small.json",
    "imbalanced": "data_imbalanced.json",
    "plus": "data_oos_plus.json",
}
_SPLITS = ("train", "val", "test", "oos_train", "oos_val", "oos_test")


def _counts(train: int, oos_train: int = 100) -> dict[str, dict[str, int]]:
    rows = {
        "train": train,
        "val": 3000,
        "test": 4500,
        "oos_train": oos_train,
        "oos_val": 100,
        "oos_test": 1000,
    }
    return {split: {"rows": rows[split]} for split in _SPLITS}


class Clinc150(IntentBuilder):
    """Four releases with common validation and test: full, small, imbalanced, plus (more out-of-scope training)."""

    INFO = SourceInfo(
        name="clinc150",
        title="CLINC150",
        kind="downstream",
        languages=("en",),
        license="CC-BY-3.0",
        license_evidence="LICENSE of github.com/clinc/oos-eval",
        license_disputed="some copies say CC-BY-SA-3.0",
        homepage="https://github.com/clinc/oos-eval",
        citation="""@inproceedings{larson2019evaluation,
  title={An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction},
  author={Larson, Stefan and Mahendran, Anish and Peper, Joseph J. and others},
  booktitle={EMNLP-IJCNLP}, year={2019}}""",
        counts={
            "full": _counts(15000),
            "small": _counts(7500),
            "imbalanced": _counts(10525),
            "plus": _counts(15000, 250),
        },
        configs=dict.fromkeys(_FILE_OF, "828f809"),
        files=(
            SourceFile(
                "data_full.json",
                _URL + "data_full.json",
                "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
                config="full",
            ),
            SourceFile(
                "data_small.json",
                _URL + "data_small.json",
                "050e17476e6b4fa88f8518edaf09921c8f5e3a86dc8b63615361102a20b2ac01",
                config="small",
            ),
            SourceFile(
                "data_imbalanced.json",
                _URL + "data_imbalanced.json",
                "4886730b20c51eece26aa392ecae2717bfe9908680419e96255351c6148eb4cc",
                config="imbalanced",
            ),
            SourceFile(
                "data_oos_plus.json",
                _URL + "data_oos_plus.json",
                "bfcca9ae515623541dc1983c94c4ed7cae9d26b42ae47d74b972e51bb6f7a21f",
                config="plus",
            ),
            SourceFile(
                "domains.json",
                _URL + "domains.json",
                "b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
            ),
        ),
        notes="26 test and 22 validation texts occur in train; 4 texts carry two labels.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """One file holds every split; `domains.json` names the domain of each intent."""
        domains = raw.glob("domains.json")[:1]
        by_domain = read_json(domains[0]) if domains else {}
        if not isinstance(by_domain, dict):
            raise RawDataError(f"{domains[0]}: expected an object of domains with their intents; {self._compare()}")
        self._domain = {intent: domain for domain, intents in by_domain.items() for intent in intents}
        return {split: raw.glob(_FILE_OF[config])[:1] for split in _SPLITS}

    def split_name(self, original_split: str) -> str:
        """The split of a list; the out-of-scope lists belong to the split in their names."""
        return super().split_name(original_split.removeprefix("oos_"))

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The list of one split."""
        return enumerate(read_json(file)[split])

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """`[text, intent]`."""
        number, (text, intent) = record
        is_oos = intent == "oos"
        yield Utterance(str(number), split, text, intent, self._domain.get(intent), is_oos)
