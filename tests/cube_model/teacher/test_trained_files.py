"""A trained encoder whose files are not as the training wrote them is refused: it would give other vectors."""

import json

import pytest

from cube_model.errors import ModelError
from cube_model.teacher.teacher import Teacher
from cube_model.teacher.trained_files import check_trained, digests_of
from support.tiny_teacher import save_tiny_distilbert


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = save_tiny_distilbert(tmp_path_factory.mktemp("trained") / "encoder", 16)
    (folder / "training.json").write_text(json.dumps({"files": digests_of(folder)}))
    return folder


@pytest.fixture
def restored(encoder):
    """The encoder, whole again after the test."""
    wholes = {path: path.read_bytes() for path in encoder.iterdir()}
    yield encoder
    for path, whole in wholes.items():
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_flipped_bit_is_refused(restored, name):
    Teacher.load(restored, device="cpu")
    data = bytearray((restored / name).read_bytes())
    data[len(data) // 2] ^= 1
    (restored / name).write_bytes(data)
    with pytest.raises(ModelError, match=rf"{name}: damaged or changed since the training; train the encoder again"):
        Teacher.load(restored, device="cpu")


@pytest.mark.parametrize("record", ["[]", "{}", '{"files": null}', '{"files": {"gone.safetensors": "0"}}'])
def test_records_without_digests_of_these_files_check_nothing(restored, record):
    (restored / "training.json").write_text(record)
    check_trained(restored)


@pytest.mark.parametrize("record", [b"{", b"\xff", b"[" * 100_000])
def test_a_damaged_record_is_refused(restored, record):
    (restored / "training.json").write_bytes(record)
    with pytest.raises(ModelError, match=r"training\.json: damaged; train the encoder again"):
        check_trained(restored)
