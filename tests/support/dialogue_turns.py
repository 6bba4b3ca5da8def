"""Dialogues whose questions need the turns before them, and a training on them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cube_model.embedder.config import EmbedderConfig
from dataset_builders.schema import ARROW_SCHEMAS

PLACES = ["lake", "hill", "dock", "farm", "mill", "quay"]
THINGS = ["boat", "kite", "lamp", "mug", "oar", "pie"]


def rows() -> list[dict]:
    """Dialogues whose second question says nothing without the first, in the order of their turns."""
    made = []
    for number, (place, thing) in enumerate((place, thing) for place in PLACES for thing in THINGS):
        turns = [
            f"is there a {thing} at the {place}",
            f"yes a {thing}",
            "how many",
            f"at the {place} {number} {thing}s",
        ]
        for turn in (0, 2):
            context = [{"speaker": ("user", "system")[i % 2], "text": text} for i, text in enumerate(turns[:turn])]
            made.append(
                dict.fromkeys(ARROW_SCHEMAS["pairs"].names)
                | {"pair_id": f"invented/{number}#{turn}", "dialogue_id": f"invented/{number}", "turn_index": turn}
                | {"source": "invented", "language": "en", "pair_type": "consecutive", "license": "CC0-1.0"}
                | {"anchor": turns[turn], "positive": turns[turn + 1], "answer_id": turns[turn + 1]}
                | {"anchor_speaker": "user", "positive_speaker": "system", "redistributable": True, "context": context}
                | {"domains": [], "negatives": [], "flags": []}
            )
    return made


def write_dialogues(folder: Path) -> Path:
    """Write a dataset whose three splits hold the same pairs."""
    (folder / "pairs").mkdir(parents=True)
    table = pa.Table.from_pylist(rows(), schema=ARROW_SCHEMAS["pairs"])
    splits = ("train", "validation", "test")
    for split in splits:
        pq.write_table(table, folder / "pairs" / f"{split}-00000-of-00001.parquet")
    files = "".join(f"  - split: {split}\n    path: pairs/{split}-*.parquet\n" for split in splits)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: pairs\n  data_files:\n{files}---\n")
    return folder


def config(data, base, output, **options) -> EmbedderConfig:
    """A short training of encoder and composer; the options replace its own."""
    fixed = {"composer": "cube", "context_turns": 2, "neighbours": 2, "batch_size": 12, "epochs": 9}
    fixed |= {
        "composer_steps": 60,
        "learning_rate": 5e-3,
        "composer_learning_rate": 1e-2,
        "device": "cpu",
        "mixed_precision": "no",
    }
    return EmbedderConfig(data=data, base=base, output=output, **{**fixed, "threads": 1, "progress": False, **options})
