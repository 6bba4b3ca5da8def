"""The dashboard with a database of the invented sample."""

from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "dataset_builders" / "dashboard" / "app.py"

TABS = (
    "dialogs",
    "pairs",
    "downstream",
    "quality",
    "search",
    "map",
    "explorer",
    "compare",
    "model",
    "ask",
    "flow",
    "licences",
    "sql",
)


@pytest.fixture(scope="session")
def database(sample_dataset, tmp_path_factory):
    """The database of the invented sample."""
    from dataset_builders.database import build_database

    return build_database(sample_dataset, tmp_path_factory.mktemp("database") / "sample.duckdb").path


@pytest.fixture
def settings(database, monkeypatch):
    """Publish the settings of the page; call it with the options to change."""
    from dataset_builders.dashboard.settings import VARIABLE, Settings

    def publish(**options):
        monkeypatch.setenv(VARIABLE, "")  # so that the variable is removed after the test
        Settings(**{"database": str(database), **options}).publish()

    publish()
    return publish


@pytest.fixture
def page(settings, monkeypatch):
    """Open the page with the parameters of an address: `page(tab="pairs", source=["sgd"])`."""
    from streamlit.testing.v1 import AppTest

    monkeypatch.setattr("dataset_builders.dashboard.page.PAUSE", 0)  # there is no browser to wait for

    def visit(**address):
        at = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in address.items():
            at.query_params[name] = value
        return at.run()

    return visit


def figures(at):
    """Return label -> value of the large figures."""
    return {metric.label: metric.value for metric in at.metric}
