"""The command line of `cube_model`, in this process and with a cache of its own."""

import pytest
import typer
from typer.testing import CliRunner

from cube_model.cli import register


@pytest.fixture
def run(monkeypatch, cache_folder):
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(cache_folder))
    app = typer.Typer()
    register(app)
    return lambda *arguments, **how: CliRunner().invoke(app, [str(argument) for argument in arguments], **how)
