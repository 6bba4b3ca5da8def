"""An invented intent set as the `downstream` config of `dialogue-cube build`."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

INTENTS = {
    "lamp_on": ("home", ["turn the {} lamp on", "light in the {} please", "switch on the {} lamp"]),
    "lamp_off": ("home", ["turn the {} lamp off", "no light in the {}", "make the {} dark"]),
    "tea_order": ("kitchen", ["brew tea for the {}", "a pot of tea to the {}", "I want tea in the {}"]),
    "soup_order": ("kitchen", ["cook soup for the {}", "a bowl of soup to the {}", "I want soup in the {}"]),
}
PLACES = ("hall", "attic", "porch", "cellar", "study", "garden", "kitchen", "bath", "stable", "tower", "shed", "loft")
OUT_OF_SCOPE = ("who won the regatta", "how deep is the lake", "sing about {} rain", "what is the capital of the {}")

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("utterance_id", "source", "utterance", "label", "scenario")),
        ("labels", pa.list_(pa.string())),
        ("is_out_of_scope", pa.bool_()),
        ("language", pa.string()),
        ("original_split", pa.string()),
        ("flags", pa.list_(pa.string())),
        ("license", pa.string()),
        ("redistributable", pa.bool_()),
    ]
)


def row(
    text,
    label,
    scenario=None,
    *,
    source="invented",
    language="en",
    flags=(),
    out_of_scope=False,
    split="train",
    labels=None,
):
    """Make a row of the config; without `labels` as of a dataset that is older than this column."""
    return {
        "utterance_id": f"{source}/{text}",
        "source": source,
        "utterance": text,
        "label": label,
        "labels": labels,
        "scenario": scenario,
        "is_out_of_scope": out_of_scope,
        "language": language,
        "original_split": split,
        "flags": list(flags),
        "license": "CC0-1.0",
        "redistributable": True,
    }


def invented_rows(split, *, source="invented", language="en", out_of_scope=True, scenarios=True, seed=0):
    """Make shuffled rows of all intents; test rows that are in train too are flagged."""
    rows = []
    for intent, (scenario, patterns) in INTENTS.items():
        for number, pattern in enumerate(patterns):
            for place in PLACES[:8] if split == "train" else PLACES[7:]:
                # both splits have the eighth place
                flags = ["leak:text"] if split == "test" and place == PLACES[7] else []
                label, text = f"{source}/{intent}", f"{pattern.format(place)} {number}"
                options = {"source": source, "language": language, "flags": flags, "split": split}
                rows.append(row(text, label, scenario if scenarios else None, **options))
    if out_of_scope:
        for pattern in OUT_OF_SCOPE:
            for place in PLACES[:3]:
                text = f"{pattern.format(place)} {split} {place}"
                options = {"source": source, "language": language, "out_of_scope": True, "split": split}
                rows.append(row(text, f"{source}/oos", None, **options))
    random.Random(f"{split}{seed}").shuffle(rows)
    return rows


def write_intents(folder: Path, splits: dict[str, list[dict]]) -> Path:
    """Write rows as a dataset folder."""
    (folder / "downstream").mkdir(parents=True)
    for split, rows in splits.items():
        path = folder / "downstream" / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    files = "".join(f"  - split: {split}\n    path: downstream/{split}-*.parquet\n" for split in splits)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: downstream\n  data_files:\n{files}---\n")
    return folder
