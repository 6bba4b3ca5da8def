"""Public names of the package, which are imported on first use."""

import pytest

import dataset_builders


@pytest.mark.parametrize("name", dataset_builders.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(dataset_builders, name).__name__ == name
