"""Components import only lower layers, as `LAYERS` in `support/imports.py` declares, without cycles; names are nouns."""

import ast
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


PARTICIPLES = {"found", "known", "given", "chosen", "told", "said"}
"""They say what was done to a thing, not what it is."""


def test_no_variable_is_called_by_a_participle(graph):
    named = []
    for path in graph.files.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id
            if (name := stored or (isinstance(node, ast.arg) and node.arg)) in PARTICIPLES:
                named.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert named == []
