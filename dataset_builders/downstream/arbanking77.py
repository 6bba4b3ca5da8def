"""ArBanking77: Banking77 in Modern Standard Arabic and four dialects (Jarrar et al., 2023)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dataset_builders.common.reading import text_lines
from dataset_builders.schema import Utterance
from dataset_builders.sources.info import SourceFile, SourceInfo
from dataset_builders.sources.raw_files import RawFile, RawFolder
from dataset_builders.sources.readers import read_csv
from dataset_builders.sources.source import IntentBuilder

_URL = "https://raw.githubusercontent.com/SinaLab/ArBanking77/2e3a5639e254bc28828ed0af6d3059d64d3b97fc/data/"
# the training data mix the standard language with Palestinian
_LANGUAGE_OF = {
    "MSA_PAL_train": "ar",
    "MSA_PAL_val": "ar",
    "MSA_test": "ar",
    "PAL_test": "ar-PS",
    "Saudi_test": "ar-SA",
    "Moroccan_test": "ar-MA",
    "Tunisian_test": "ar-TN",
}
_ENGLISH_TEST = 3080  # rows of the test file of Banking77


class Arbanking77(IntentBuilder):
    """A test set for each dialect. The labels are those of Banking77."""

    INFO = SourceInfo(
        name="arbanking77",
        title="ArBanking77",
        kind="downstream",
        languages=tuple(dict.fromkeys(_LANGUAGE_OF.values())),
        license="CC-BY-SA-4.0",
        license_evidence="LICENSE of github.com/SinaLab/ArBanking77",
        homepage="https://github.com/SinaLab/ArBanking77",
        citation="""@inproceedings{jarrar2023arbanking77,
  title={ArBanking77: Intent Detection Neural Model and a New Dataset in Modern and Dialectical Arabic},
  author={Jarrar, Mustafa and Birim, Ahmet and Khalilia, Mohammed and Erden, Mustafa and Ghanem, Sana},
  booktitle={ArabicNLP}, year={2023}}""",
        counts={
            "default": {
                "MSA_PAL_train": {"rows": 21559},
                "MSA_PAL_val": {"rows": 2464},
                "MSA_test": {"rows": 3574},
                "PAL_test": {"rows": 3807},
                "Saudi_test": {"rows": 3580},
                "Moroccan_test": {"rows": 3574},
                "Tunisian_test": {"rows": 999},
            }
        },
        configs={"default": "2e3a563"},
        files=tuple(
            SourceFile(f"data/{name}", _URL + name, git_blob=blob)
            for name, blob in (
                ("Banking77_Arabized_MSA_PAL_train.csv", "52f573cd6270ef5036b1568e73ebb0e87c680e8b"),
                ("Banking77_Arabized_MSA_PAL_val.csv", "75b058a73aabb30289e1c1c28ff4a17bf6c060b5"),
                ("Banking77_Arabized_MSA_test.csv", "60864388d4b786c96ce03e9d71896dd381eab5e2"),
                ("Banking77_Arabized_Moroccan_test.csv", "e8d5c760e24eccac27cc230dcf6ac3d234c99618"),
                ("Banking77_Arabized_PAL_test.csv", "7aad55f46a9387d339e3b41f349b6daa4409fb37"),
                ("Banking77_Arabized_Saudi_test.csv", "58526b7e8e6b33a1d9afb933ef993963fc0c4b4a"),
                ("Banking77_Arabized_Tunisian_test.csv", "719cdf36cbd1ba489936af5339bd22591b2f14d1"),
                ("Banking77_intents.csv", "49517feca80eb6e6260d80c453c43c03f9dbc2d9"),
            )
        ),
        notes="Banking77 translated by people, some sentences twice. Only the first 3,080 rows of the standard and of "
        "the Palestinian test set are in the order of Banking77, so that only they have a `parallel_id`.",
    )

    def files(self, raw: RawFolder, config: str) -> dict[str, list[RawFile]]:
        """A file per split, and the table with the English names of the labels."""
        names = raw.glob("Banking77_intents.csv")[:1]
        rows = read_csv(names[0], ["label_en", "label_ar"]) if names else ()
        self._english = {row["label_ar"]: row["label_en"].replace(" ", "_") for row in rows}
        return {split: raw.glob(f"Banking77_Arabized_{split}.csv")[:1] for split in _LANGUAGE_OF}

    def split_name(self, original_split: str) -> str:
        """The end of the name."""
        return super().split_name(original_split.rsplit("_", 1)[-1])

    def records(self, file: RawFile, split: str) -> Iterable[Any]:
        """The numbered lines after the header: `"label","text"`, with quotation marks in the text as they are."""
        lines = text_lines(file.read().decode())[1:]
        return enumerate(line.removeprefix('"').removesuffix('"').split('","') for line in lines)

    def parse(self, record: Any, file: RawFile, split: str) -> Iterator[Utterance]:
        """One row."""
        number, (label, text) = record
        is_aligned = split in ("MSA_test", "PAL_test") and number < _ENGLISH_TEST
        yield Utterance(
            str(number),
            split,
            text,
            self._english[label],
            language=_LANGUAGE_OF[split],
            parallel_id=f"banking77/test/{number}" if is_aligned else None,
        )
