"""A dataset of answers, and the command line."""

import shutil

import pytest
import typer
from typer.testing import CliRunner

from cube_model.cli import register
from support.answers import add_redistributable


@pytest.fixture(scope="module")
def answers_folder(pairs_folder, tmp_path_factory):
    return add_redistributable(shutil.copytree(pairs_folder, tmp_path_factory.mktemp("answers") / "data"))


@pytest.fixture
def run(monkeypatch, cache_folder):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    app = typer.Typer()
    register(app)
    return lambda *arguments, **how: CliRunner().invoke(app, [str(argument) for argument in arguments], **how)
