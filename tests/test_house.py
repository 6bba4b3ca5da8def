"""Components import only lower layers, as `LAYERS` in `support/imports.py` declares them, and nothing imports in cycles."""

from pathlib import Path

import pytest

from support.imports import ImportGraph, table

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def graph():
    return ImportGraph(ROOT)


def test_every_component_imports_only_lower_layers(graph):
    assert graph.forbidden() == []


def test_every_component_has_a_layer(graph):
    assert graph.without_layer() == []


def test_there_are_no_import_cycles(graph):
    assert graph.cycles() == []
    assert graph.cycles(modules=True) == []


def test_contributing_shows_the_layers():
    assert table() in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_forbidden_imports_and_cycles_are_detected(tmp_path):
    for name, text in {
        "cube_model/core/modeling_cube.py": "from cube_model.training.trainer import CubeTrainer\n",
        "cube_model/training/trainer.py": "def train():\n    from cube_model.core.modeling_cube import CubeModel\n",
        "dataset_builders/common/files.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cube_model.errors\n",
        "cube_model/errors.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    graph = ImportGraph(tmp_path)
    assert graph.forbidden() == [
        ("cube_model.core.modeling_cube", "cube_model.training.trainer", False),
        ("dataset_builders.common.files", "cube_model.errors", True),
    ]
    assert graph.cycles() == [["cube_model.core", "cube_model.training"]]
