"""A folder that cannot be listed is an error for its readers, which would otherwise miss its files silently."""

import pytest

from cube_model.data.hub import read_rows
from cube_model.errors import ModelError
from cube_model.teacher.fingerprint import weights_sha256
from dataset_builders.card.facts import count_rows
from dataset_builders.common.errors import DataError, DialogueCubeError
from dataset_builders.common.listing import list_files
from hub.invented import pair, utterance, write_dataset
from push_scripts.dataset_folder import read_folder
from support.permissions import folder_for_everybody, ordinary_user

READERS = {
    "card": lambda folder: count_rows(folder).rows,
    "push": lambda folder: read_folder(folder).shards,
    "training": lambda folder: read_rows(folder, "downstream", "train", ["utterance"]),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("mode", [0o000, 0o311])
def test_a_closed_folder_of_a_dataset(read, mode, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    rows = {("pairs", "train"): [pair("a")], ("downstream", "train"): [utterance("a")]}
    with folder_for_everybody() as root:
        folder = write_dataset(root / "data", rows)
        assert len(read(folder))  # also triggers late imports, from folders that may be closed to other users
        (folder / "pairs").chmod(mode)
        message = (
            r"data/pairs: the folder cannot be listed \(Permission denied\); grant access, or move the folder away"
        )
        with ordinary_user(), pytest.raises(DialogueCubeError, match=message) as caught:
            read(folder)
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value, ModelError if read is READERS["training"] else DataError)


def test_the_closed_folder_of_a_teacher():
    """Its files can be opened, but weights of any name cannot be found."""
    with folder_for_everybody() as root:
        folder = root / "teacher"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"weights")
        weights_sha256(folder)
        folder.chmod(0o311)
        with ordinary_user(), pytest.raises(DataError, match=r"teacher: the folder cannot be listed"):
            weights_sha256(folder)


def test_files_by_name(tmp_path):
    for name in ("b.parquet", "a.parquet", "a.json"):
        (tmp_path / name).touch()
    assert [path.name for path in list_files(tmp_path, "*.parquet")] == ["a.parquet", "b.parquet"]
    assert list_files(tmp_path / "absent", "*") == []
    with pytest.raises(DataError, match=r"a\.json: the folder cannot be listed \(Not a directory\)"):
        list_files(tmp_path / "a.json", "*")
