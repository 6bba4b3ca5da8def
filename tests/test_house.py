"""The rooms import each other in one order only, and nothing imports in a circle: `ORDER` in `support/imports.py`."""

from pathlib import Path

import pytest

from support.imports import House, table

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def house():
    return House(ROOT)


def test_no_import_goes_against_the_order(house):
    assert house.forbidden() == []


def test_every_room_has_its_floor(house):
    assert house.unnamed() == []


def test_nothing_imports_in_a_circle(house):
    assert house.circles() == []
    assert house.circles(modules=True) == []


def test_the_guide_shows_the_order():
    assert table() in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_an_import_against_the_order_is_found(tmp_path):
    for name, text in {
        "cube_model/core/modeling_cube.py": "from cube_model.training.trainer import CubeTrainer\n",
        "cube_model/training/trainer.py": "def train():\n    from cube_model.core.modeling_cube import CubeModel\n",
        "dataset_builders/common/files.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import cube_model.errors\n",
        "cube_model/errors.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    house = House(tmp_path)
    assert house.forbidden() == [
        ("cube_model.core.modeling_cube", "cube_model.training.trainer", False),
        ("dataset_builders.common.files", "cube_model.errors", True),
    ]
    assert house.circles() == [["cube_model.core", "cube_model.training"]]
