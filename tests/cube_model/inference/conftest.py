"""A dataset of answers."""

import shutil

import pytest

from support.answers import add_redistributable


@pytest.fixture(scope="module")
def answers_folder(pairs_folder, tmp_path_factory):
    return add_redistributable(shutil.copytree(pairs_folder, tmp_path_factory.mktemp("answers") / "data"))
