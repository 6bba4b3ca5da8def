"""Encoders by entry point."""

import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints

import numpy as np
import pytest

from dataset_builders.common.errors import DataError
from dataset_builders.pairs import encoder
from dataset_builders.pairs.encoder import ENTRY_POINTS, load_encoder


@pytest.fixture
def plugins(monkeypatch):
    """Entry points as if other packages were installed."""

    def install(**functions):
        points = EntryPoints(EntryPoint(name, value, ENTRY_POINTS) for name, value in functions.items())
        monkeypatch.setattr(encoder, "entry_points", lambda group: points.select(group=group))

    return install


def test_the_installed_encoder_gives_unit_vectors_and_caches_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path))
    first = load_encoder("minilm")
    vectors = first.encode(["I need a room", "A room, please", "Is it going to rain?"])
    assert (vectors.dtype, vectors.shape) == (np.dtype("float32"), (3, 384))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    again = load_encoder("minilm")
    assert (again.name, again.fingerprint) == ("minilm", first.fingerprint)
    np.testing.assert_array_equal(again.encode(["A room, please"])[0], vectors[1])
    assert first.encode([]).shape == (0, 384)


def test_the_message_about_an_unknown_encoder_names_it_and_what_to_do():
    with pytest.raises(DataError, match=r"encoder no/such/thing cannot be loaded: teacher: .*minilm") as raised:
        load_encoder("no/such/thing")
    assert "\n" not in str(raised.value)


def test_no_package_with_encoders(plugins):
    plugins()
    with pytest.raises(DataError, match="encoder minilm: no installed package provides encoders"):
        load_encoder("minilm")


def test_the_first_package_that_has_the_encoder_provides_it(plugins):
    plugins(b="builtins:str", a="builtins:int")  # int("minilm") fails, str("minilm") does not
    assert load_encoder("minilm") == "minilm"
    plugins(a="builtins:int", c="no_such_module:load")
    with pytest.raises(DataError, match=r"a: invalid literal.*; c: No module named"):
        load_encoder("minilm")


def test_the_data_side_imports_no_model():
    code = (
        "import sys, dataset_builders.pairs.encoder, dataset_builders.pairs.hard_negatives, dataset_builders.pairs.same_intent\n"
        "sys.exit(any(name.split('.')[0] in ('torch', 'cube_model', 'transformers') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
