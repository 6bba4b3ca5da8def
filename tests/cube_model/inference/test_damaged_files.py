"""Damaged files of cores and indexes: one line that names the file and what to do, never a traceback."""

import json

import numpy as np
import pyarrow as pa
import pytest

from cube_model.core.configuration_cube import CubeConfig
from cube_model.core.modeling_cube import CubeModel
from cube_model.errors import ModelError
from cube_model.inference.index import AnswerIndex
from cube_model.inference.loading import digest_of_core, load_core, teacher_of, training_record
from cube_model.inference.search import make_search
from hub.invented import write_model
from push_scripts.errors import PushError
from push_scripts.push_model import push_model
from push_scripts.push_options import PushOptions

ODD = [None, 3, -1, "x", [], [1], {}, {"a": 3}, True, 1e300, "\ud800"]
WHOLE = [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"a": ' + b"7" * 5_000 + b"}"]
TEACHER = {"name": "minilm", "dtype": "float32", "fingerprint": "0" * 64, "max_length": 9, "normalize": True}


def damages(path, *names, odd_values=ODD):
    """Damage a JSON file in many ways, all of it or the named values; whole again at the end."""
    whole = path.read_bytes()
    content = json.loads(whole)
    contents = [content | {name: odd} for name in names for odd in odd_values]
    contents += [{key: value for key, value in content.items() if key != name} for name in names]
    try:
        for damage in [*WHOLE, *(json.dumps(each).encode() for each in contents)]:
            path.write_bytes(damage)
            yield damage
    finally:
        path.write_bytes(whole)


def message_of(action, error):
    """The error of an action in one line; None if there is none."""
    message = None
    try:
        action()
    except error as problem:
        message = str(problem)
    assert "\n" not in (message or "")
    return message


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged") / "core"
    CubeModel(CubeConfig(embedding_dim=8, teacher=TEACHER, training={"sources": []})).save_pretrained(folder)
    (folder / "training.json").write_text(json.dumps({"versions": {}}))
    return folder


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged") / "index"
    texts = pa.array(["one", "two"])
    table = pa.table({"text": texts, "source": texts, "license": texts, "redistributable": [True, True]})
    AnswerIndex(table, make_search(np.eye(2, 8, dtype=np.float32)), {"core": "a"}).save(folder)
    return folder


def test_a_damaged_config_of_a_core_is_refused(core):
    load = lambda: load_core(core)  # noqa: E731
    for damage in damages(core / "config.json", "teacher", "training", "lattice_size"):
        message = message_of(load, ModelError)
        assert message is None or str(core) in message, damage[:200]
    for teacher in ({"name": 3}, {"name": "minilm"}, TEACHER | {"max_length": "many"}, "minilm"):
        config = json.loads((core / "config.json").read_text())
        (core / "config.json").write_text(json.dumps(config | {"teacher": teacher}))
        assert "config.json is damaged (`teacher" in message_of(lambda: teacher_of(load_core(core)), ModelError)
        (core / "config.json").write_text(json.dumps(config))


def test_a_damaged_record_of_a_training_is_refused(core):
    for damage in damages(core / "training.json"):
        assert "training.json: " in (message_of(lambda: training_record(core), ModelError) or ""), damage[:200]


def test_a_damaged_index_record_is_refused(index):
    for damage in damages(index / "index.json", "format", "answers", "fingerprints"):
        message = message_of(lambda: AnswerIndex.load(index, {"core": "a"}), ModelError)
        assert str(index) in (message or ""), damage[:200]
        assert "--overwrite" in message


def test_a_push_refuses_damaged_files(tmp_path):
    folder = write_model(tmp_path / "core")
    record = {"sources": ["tiny"], "licenses": {"tiny": "MIT"}, "data": {"repo": "org/name"}, "languages": ["en"]}
    record |= {"history": [{"mrr": 0.5}], "best_epoch": 0, "example": {"question": "Hi", "answer": "Ho", "score": 1.0}}
    record |= {"selection": {"outcome": "x"}, "hardware": {"threads": 2}, "versions": {}, "arguments": {}}
    (folder / "training.json").write_text(json.dumps(record))
    names = {"training.json": ["licenses", "example", "hardware"], "config.json": ["auto_map"]}
    for name, values in names.items():
        messages = []
        for damage in damages(folder / name, *values, odd_values=[3, "x", [1]]):
            options = PushOptions(dry_run=True, restricted_data=True)
            message = message_of(lambda options=options: push_model(folder, "org/name", options), PushError)
            assert message is None or str(folder) in message, damage
            messages += [message] if message else []
        assert len(messages) > len(WHOLE)


def test_a_core_that_is_not_as_its_training_wrote_it_is_refused(core):
    """A flipped bit in a weight, or a digit in the config, would give other answers."""
    record, weights, config = (core / name for name in ("training.json", "model.safetensors", "config.json"))
    wholes = [file.read_bytes() for file in (record, weights, config)]
    record.write_text(json.dumps({"digest": digest_of_core(core)}))
    load_core(core)
    settings = json.loads(wholes[2])
    flipped = bytearray(wholes[1])
    flipped[-2] ^= 1
    for file, damage in ((weights, bytes(flipped)), (config, json.dumps(settings | {"steps": 7}).encode())):
        whole = file.read_bytes()
        file.write_bytes(damage)
        assert "weights or config.json are damaged, or were changed since the training" in message_of(
            lambda: load_core(core), ModelError
        )
        file.write_bytes(whole)
    load_core(core)
    record.write_bytes(wholes[0])
