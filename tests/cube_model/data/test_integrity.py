"""A damaged dataset folder or index ends with the name of the file and the command that makes it anew."""

import random

import numpy as np
import pyarrow as pa
import pytest

from cube_model.data.hub import data_files, read_rows
from cube_model.errors import ModelError
from cube_model.inference.index import AnswerIndex
from cube_model.inference.search import make_search
from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.database.build import build_database
from hub.invented import dialogue, pair, utterance, write_dataset

FLIPS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rows = {
        ("dialogues", "train"): [dialogue(str(i), f"Dialogue {i}, please.") for i in range(40)],
        ("pairs", "train"): [pair(str(i), f"Pair {i}, please.") for i in range(40)],
        ("pairs", "test"): [pair(str(i), f"Pair {i}, please.") for i in range(40, 60)],
        ("downstream", "train"): [utterance(str(i), f"Intent {i}, please.") for i in range(40)],
    }
    return write_dataset(tmp_path_factory.mktemp("integrity") / "dataset", rows)


def flip(path, rng):
    """Flip one bit of a file; returns what it was."""
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    path.write_bytes(damaged)
    return whole


def test_no_flipped_bit_gives_wrong_rows(folder, tmp_path):
    """Parquet itself notices three of four."""
    rng, files = random.Random(0), sorted(folder.rglob("*.parquet"))
    for _ in range(FLIPS):
        path = rng.choice(files)
        whole = flip(path, rng)
        read = lambda path=path: read_rows(folder, path.parent.name, "train", ["source"])  # noqa: E731
        stream = lambda path=path: data_files(folder, path.parent.name)  # noqa: E731
        for use in (read, stream, lambda: build_database(folder, tmp_path / "base.duckdb")):
            with pytest.raises(DialogueCubeError, match=f"{path}: damaged or changed .*`dialogue-cube build --raw-dir"):
                use()
        path.write_bytes(whole)
    assert not (tmp_path / "base.duckdb").exists()
    assert len(read_rows(folder, "pairs", "train", ["anchor"])) == 40


def test_removed_and_added_files_are_named(folder):
    path = folder / "pairs/test-00000-of-00001.parquet"
    aside = path.rename(folder / "aside")
    with pytest.raises(ModelError, match=f"{path}: removed since the build"):
        read_rows(folder, "pairs", "train", ["anchor"])
    aside.rename(path)
    added = folder / "pairs/test-00001-of-00002.parquet"
    added.write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=rf"{added}: not a file of this build, quality/report.json does not list it"):
        read_rows(folder, "pairs", "train", ["anchor"])
    with pytest.raises(DataError, match="not a file of this build"):
        build_database(folder, folder / "base.duckdb")
    added.unlink()


@pytest.mark.parametrize("name", ["answers.parquet", "vectors.safetensors"])
def test_a_damaged_index_says_so(tmp_path, name):
    texts = pa.array([f"Answer {i}, please." for i in range(50)])
    table = pa.table({"text": texts, "source": texts, "license": texts, "redistributable": [True] * 50})
    index = AnswerIndex(table, make_search(np.eye(50, 8, dtype=np.float32)), {})
    index.save(tmp_path / "index")
    rng, path = random.Random(0), tmp_path / "index" / name
    for _ in range(20):
        whole = flip(path, rng)
        with pytest.raises(ModelError, match=f"{path}: damaged .*`dialogue-cube ask .*--overwrite`"):
            AnswerIndex.load(tmp_path / "index")
        path.write_bytes(whole)
    assert AnswerIndex.load(tmp_path / "index").answers.equals(table)
